/* Rules as the model sees them: a table of who may do what below which first level, and the two
 * files that say the same to the broker. The files are not read back. */
#ifndef SIM_RULES_H
#define SIM_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum { USER_ANNA, USER_BERT, USER_CARL, USER_DORA, USER_ANONYMOUS, USERS };
enum { ROOT_A, ROOT_B, ROOT_R, ROOT_S, ROOT_DESIRED, ROOTS };
#define ENTRIES_MAX 200
enum { MAY_PUBLISH, MAY_WILL, MAY_SUBSCRIBE, MAY_RECEIVE, MAYS };

struct rules {
	bool may[USERS][ROOTS][MAYS];
	bool wide[USERS]; /* filters that begin with a wildcard */
	bool no_anonymous;
	bool locked[USER_ANONYMOUS];
	bool removed[USER_ANONYMOUS];
	uint8_t entry[USER_ANONYMOUS];  /* which one: a user of the same name is another */
	uint8_t newest[USER_ANONYMOUS]; /* that there was so far */
	uint8_t oldest[USER_ANONYMOUS]; /* that may come back: the name was always there since */
	/* What belongs to each entry belongs to this one: it came back. */
	uint8_t merged[USER_ANONYMOUS][ENTRIES_MAX];
	uint8_t password[USER_ANONYMOUS]; /* which one */
};

extern const char *const user_names[USERS];
extern const char *const root_names[ROOTS];

/* Permits everything to every user; drawn from `seed`: nearly everything. With `people`, users
 * are locked, removed, created again or get another password now and then, and anonymous is
 * switched off. */
void rules_draw(struct rules *rules, uint64_t seed, bool actors);
/* Of the first level; ROOTS: none of ours. */
unsigned rules_root(const char *topic);
bool rules_allow(const struct rules *rules, unsigned user, unsigned may, const char *topic);
/* Without $share/GROUP/. */
bool rules_allow_filter(const struct rules *rules, unsigned user, const char *filter);
/* Could he log in? */
bool rules_let_in(const struct rules *rules, unsigned user);
/* Did an older one of the same name come back? */
bool rules_is_back(const struct rules *before, const struct rules *after, unsigned user);
/* Is it another user now? */
bool rules_is_namesake(const struct rules *before, const struct rules *after, unsigned user);
/* May a client that logged in under `before` stay? */
bool rules_keep_user(const struct rules *before, const struct rules *after, unsigned user);
/* Is there a SCRAM verifier besides the hash? */
bool rules_has_verifier(unsigned user);
void rules_password(unsigned user, unsigned which, char out[16]);
/* NUL-terminated; the caller frees. */
char *rules_acl(const struct rules *rules);
char *rules_users(const struct rules *rules);

#endif
