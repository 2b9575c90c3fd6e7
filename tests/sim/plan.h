/* A plan: what the actors do, drawn from a seed before anything happens, so that steps can be
 * left out and the others mean the same. */
#ifndef SIM_PLAN_H
#define SIM_PLAN_H

#include <stdio.h>

#include "conf/conf.h"
#include "names.h"

enum step_kind {
	STEP_CONNECT,
	STEP_TAKE_OVER,
	STEP_HANG_UP,
	STEP_DROP,
	STEP_FINISH,
	STEP_LEAVE,
	STEP_LEAVE_WITH_WILL,
	STEP_LEAVE_EXPIRY,
	STEP_SUBSCRIBE,
	STEP_SHARE,
	STEP_UNSUBSCRIBE,
	STEP_PUBLISH,
	STEP_PING,
	STEP_REAUTHENTICATE,
	STEP_STALL,
	STEP_SLOW,
	STEP_CATCH_UP,
	STEP_ILLEGAL,
	STEP_RELOAD,
	STEP_RELOAD_USERS,
	STEP_ADVANCE,
	STEP_PAUSE,
	STEP_FREEZE,
	STEP_QUIET,
	STEP_CATCH_UP_ALL,
	STEP_CRASH,
	STEP_STOP,
	STEP_DISK_FULL,
	STEP_LOW_SPACE,
	STEP_KINDS,
};

#define STEP_FILTERS 3

/* A step of one actor, or of the world; fields that a kind does not need are set all the same. */
struct step {
	enum step_kind kind;
	uint8_t who;
	uint8_t qos, count;
	uint8_t topic;
	uint8_t filters[STEP_FILTERS], filter_qos[STEP_FILTERS], filter_count;
	uint8_t handling, share, illegal;
	uint8_t workers;  /* after a crash or stop; 0: as many as before */
	bool other_users; /* then */
	uint8_t soon;     /* a crash: after so many more packets */
	bool keep, bad_password, enhanced, bad_method, bad_proof, retain, empty, large, no_local,
	    as_published;
	bool will, will_retain;
	uint8_t will_qos, will_topic;
	uint16_t receive_maximum, keep_alive_s, id;
	uint16_t alias, alias_maximum;                     /* of topics */
	uint32_t extras;                                   /* seed; 0: none */
	uint32_t session_expiry_s, will_delay_s, expiry_s; /* expiry: of a message or a will */
	uint32_t ms;
	uint32_t turns; /* of the world after it */
	uint64_t seed;  /* of the order in that */
};

enum journal_choice { JOURNAL_MEMORY, JOURNAL_DURABLE, JOURNAL_DISK };

struct plan {
	uint64_t seed;
	unsigned workers, actors;
	enum journal_choice journal;
	enum conf_durability durability[ROOTS]; /* of the topics below each */
	uint32_t v3;                            /* a bit per actor, modulo 32: uses 3.1.1 */
	struct step *steps;
	size_t count;
};

struct plan plan_draw(uint64_t seed, size_t count, bool crashes);
void plan_free(struct plan *plan);
void plan_print(FILE *out, const struct plan *plan);
void step_print(FILE *out, const struct step *step);
const char *plan_durability_name(enum conf_durability durability);
const char *step_name(enum step_kind kind);

#endif
