/* The reference model: which client must have received what at a quiet point, which may have, and
 * which must not. It sees what clients send and receive, nothing of the broker's inside.
 *
 * Time is a tick for each event. A request takes effect at some moment between request and answer:
 * what overlaps with that may go either way, and nothing else may. At a quiet point everything that
 * was begun has ended, so that the next round begins with certainty.
 *
 * At a difference model_fail prints it and exits the process. */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include "client.h"
#include "conf/conf.h"
#include "coverage.h"
#include "names.h"
#include "rules.h"

#define NEVER               UINT64_MAX
#define JOURNAL_INTERVAL_MS 1000
#define SHARE_IDS           1000 /* Subscription Identifiers from here on are those of $share */
#define ACTORS_MAX          50
#define COMBINATIONS_MAX    10

enum certainty { NO, UNKNOWN, YES };
enum link { LINK_NONE, LINK_CALLING, LINK_UP };

/* One version of one subscription: a SUBSCRIBE makes a new one and ends the previous one. */
struct sub {
	const char *filter; /* whole */
	const char *match;  /* without $share/GROUP/ */
	bool shared;
	struct subscribe_request with;
	uint16_t packet_id;
	uint64_t asked, asked_ms; /* SUBSCRIBE sent */
	uint64_t granted;         /* SUBACK received */
	uint64_t ended, gone;     /* its end was requested, is certainly done */
	uint16_t unsubscribe_id;  /* of the last UNSUBSCRIBE for it */
	uint64_t unsubscribed;    /* when that was sent */
	/* At that time nothing but live messages, or nothing at all, waited for this client: after
	 * the UNSUBACK nothing more comes, replayed or live. */
	bool cuts_replay, cuts_live;
	const struct sub *replaced_by; /* requested, not granted yet */
	enum certainty was_new;
	bool refused;
	bool dead; /* its session has ended */
	bool replay_checked;
};

/* A publication: of a client, or a will. */
struct pub {
	unsigned id;
	struct actor *actor;
	bool is_will, empty;
	const char *topic;
	char *payload;
	char *extras; /* properties that are forwarded, as text */
	enum conf_durability durability;
	uint8_t entry; /* of its user */
	uint8_t qos;
	bool retain, has_expiry;
	uint32_t expiry_s;
	unsigned transmissions;
	unsigned order; /* of the first transmission, among those of its actor */
	uint64_t first_sent, last_sent, closed; /* NEVER: not yet */
	uint64_t last_sent_ms;                  /* or later: if it may have waited for space */
	unsigned life;                          /* of the last transmission */
	uint64_t expires_min_ms, expires_max_ms;
	uint64_t will_may_ms; /* after a crash: it may be published from here on ... */
	uint64_t will_due_ms; /* ... and must be here; of a delayed will; NEVER: it does not wait */
	uint32_t will_delay_s;
	uint64_t armed_at, armed_ms; /* of a session that is not stored: it waits for no commit */
	bool acked;
	uint64_t acked_at;
	enum certainty is_published; /* a will */
	bool published_when_due;     /* ... it may be published until it is due, and must be then */
	bool value_dropped;          /* perhaps: a will published before a crash */
	enum certainty routed;       /* UNKNOWN while it is open */
	enum certainty matched;      /* what the acknowledgement said of subscribers */
	uint64_t retained_until;     /* tick since which it certainly is not the retained message */
	struct copy *copies;
	bool shared_checked;
};

/* One publication at one actor's session. */
struct copy {
	struct copy *next;
	struct pub *pub;
	struct actor *actor;
	unsigned incarnation;
	/* Sent for the first time: by a subscription, as a retained message, one of the two, to
	 * a member of a group. */
	unsigned live, replays, either, shared[SHARE_NAMES];
	unsigned of_qos[3];              /* of all these */
	unsigned replays_qos2;           /* of `replays` and `either`: no crash sends them again */
	unsigned extra;                  /* crashes that may have forgotten an acknowledgement */
	unsigned replays_anew;           /* ... or that it was replayed */
	uint64_t settled_at, settled_ms; /* NEVER: it is not */
	unsigned again, again_now;       /* sent again; on the last connection */
	unsigned settled;                /* acknowledged, and the broker knows it */
	unsigned life;                   /* of the last one */
	bool unsettled;                  /* in actor->unsettled */
	bool must, must_at_most_once;
};

struct actor {
	struct model *model;
	struct client *client;
	char name[24]; /* anna/c0 */
	unsigned index, user;
	uint8_t entry; /* of the user, at the last connect */
	uint8_t aside; /* the newest entry whose session may be set aside, and 1; 0: none */
	enum link link;
	bool must_close; /* the broker must end this connection */
	bool leaving;    /* one of our connections ends; no new one before the next quiet point */
	bool over;       /* CONNECT while the older connection was up */
	uint8_t
	    refusal; /* what the login must be refused with (5.0); 0: nothing is wrong with it */
	bool login_unauthorized; /* a reload refuses it, whatever its CONNECT is answered with */
	bool wants_clean; /* disconnected during a clean start: the next CONNECT is a clean start
	                     too */
	struct connect_options options;
	bool crashed;           /* the broker, since its last connection */
	bool published_by_call; /* a late will, by a clean start that may be refused */
	uint64_t called, up_since, broken;
	uint64_t last_packet_ms;
	size_t given_seen;
	/* When it was last certain that nothing was in flight to it. */
	uint64_t drained, drained_ms;
	/* Since the last quiet point, without space in the store: bytes of PUBLISH packets from the
	 * first that may wait for space; and since when the broker may have skipped packets, and
	 * may have ended the connection for that. NEVER: it has not. */
	size_t waiting_bytes;
	uint64_t skipped_ms;
	unsigned asked; /* SUBSCRIBE, UNSUBSCRIBE and PINGREQ not answered */
	/* Since the last quiet point: it may not have read or acknowledged at once, or its session
	 * had messages for it before; it has subscribed. */
	bool hindered, subscribed;
	bool kept;                       /* its session had an expiry interval on some connection */
	struct pub *will, *pending_will; /* of this connection; one that waits for its delay */
	unsigned orders;
	/* The newest that arrived, by publisher, published QoS, effective QoS, durability */
	unsigned last_order[ACTORS_MAX][3][3][3];
	/* session */
	enum certainty exists;
	unsigned incarnation;
	uint32_t expiry_s;
	/* While offline: from here on it may have ended, here it has. */
	uint64_t may_end_ms, ends_ms;
	/* The user was removed: the session ends a day later. NEVER: the user exists. */
	uint64_t removed_ms;
	struct sub **subs;
	size_t sub_count, sub_cap;
	struct copy **owed; /* must come, has not */
	size_t owed_count, owed_cap;
	struct copy **unsettled;
	size_t unsettled_count, unsettled_cap;
};

/* A change that may be the retained message of its topic. */
struct write {
	struct pub *pub; /* NULL: nothing is retained */
	uint64_t sent;
};

#define WRITES_MAX 256

struct writes {
	struct write at[WRITES_MAX];
	unsigned count;
};

/* One that is the value, or what it was before: a crash decides. */
struct uncommitted {
	struct pub *pub;
	uint64_t sent, sent_ms;
};

struct retained_topic {
	const char *topic;
	struct writes now;
	struct writes kept; /* it would be one of these after a crash */
	uint64_t reverted;  /* a crash that may have brought an older one back */
};

struct policy_version {
	struct rules rules;
	uint64_t from, done; /* ticks: begun, in force everywhere */
};

struct model {
	struct world *world;
	struct coverage *coverage;
	bool reports; /* what everybody gets */
	enum conf_durability durability[ROOTS];
	uint64_t crashed;     /* tick */
	uint64_t departed_ms; /* until then there may be sessions of an earlier user of that name */
	uint64_t written_ms;  /* at a crash: everything before is certainly on disk */
	uint64_t committed, committed_ms; /* everything before is, too: there was a commit since */
	uint64_t tick, last_quiet;
	uint64_t last_quiet_ms;
	/* The store is full, or was since then: a PUBLISH may wait, and packets after it are
	 * processed first. */
	bool low;
	struct actor actors[ACTORS_MAX];
	unsigned actors_count;
	struct policy_version *policies;
	unsigned policy_count;
	struct pub **pubs;
	size_t pub_count, pub_cap;
	struct pub **open;
	size_t open_count, open_cap;
	struct uncommitted *uncommitted; /* retained changes that a crash may lose */
	size_t uncommitted_count, uncommitted_cap;
	struct retained_topic retained_topics[TOPIC_NAMES];
	unsigned retained_topic_count;
};

_Noreturn void model_fail_as(const struct model *m, const char *kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define model_fail(m, format, ...) model_fail_as((m), (format), (format), __VA_ARGS__)

void model_init(struct model *m, struct world *w, struct coverage *coverage);
void model_fini(struct model *m);
uint64_t model_now(const struct model *m);

/* A request of that time was answered from the disk. */
void model_commits(struct model *m, uint64_t asked, uint64_t asked_ms);
/* What goes with the next commit, or after the interval: was it on disk at the crash? */
bool model_is_written(const struct model *m, uint64_t at, uint64_t at_ms);

/* --- policy (model.c) --- */

void model_begin_policy(struct model *m, const struct rules *rules);
void model_end_policy(struct model *m); /* the newest rules are in force everywhere */
const struct rules *model_rules(const struct model *m); /* the newest */
/* By the rules that may have been in force from then until now. */
enum certainty model_may(const struct model *m, uint64_t since, unsigned user, unsigned may,
                         const char *topic);
/* May the publisher of a retained message publish it now? */
enum certainty model_writer_may(const struct model *m, uint64_t since, const struct pub *pub);
enum certainty model_may_filter(const struct model *m, uint64_t since, unsigned user,
                                const char *filter);
bool filter_takes(const char *filter, const char *topic);

/* --- connections, sessions, users (model_session.c) --- */

struct actor *model_add_actor(struct model *m, struct client *c, unsigned user);
enum ending {
	ENDING_BROKEN, /* without DISCONNECT */
	ENDING_CLEAN,  /* DISCONNECT: no will */
	ENDING_WITH_WILL,
};
void model_calls(struct actor *p, const struct connect_options *options, uint8_t refusal);
void model_connack(struct actor *p);
void model_hangs_up(struct actor *p); /* before CONNACK */
void model_is_unauthorized(struct actor *p);
void model_login_is_unauthorized(struct actor *p); /* while its login is in progress */
void model_ends(struct actor *p, enum ending ending);
void model_expiry(struct actor *p, uint32_t expiry_s); /* sent with DISCONNECT */
/* The world's clock has advanced: what is due happens. */
void model_time(struct model *m);
/* The same, and the broker has not run meanwhile: what is due may wait a little. */
void model_pause(struct model *m);
/* Other users will be in force soon: sessions of users whose names others have then get nothing. */
void model_begin_users(struct model *m, const struct rules *before);
/* Other users are in force at a quiet point: sessions of removed users. */
void model_users(struct model *m, const struct rules *before);
uint64_t model_next_due(const struct model *m);
/* Does a keep alive end in the very millisecond in which something of another client is due? That
 * may make this one acknowledge a will. */
bool model_is_due_together(const struct model *m);
void model_note_packets(struct model *m); /* before time advances: a client has sent something */
void model_quiet_actors(struct model *m);
/* The session exists no longer: its will is due, its subscriptions and messages are gone. */
void model_session_ends(struct actor *p);
void model_crash_actors(struct model *m, uint64_t crashed_ms); /* model_session_crash.c */

/* --- packets that wait for space in the store (model_skipped.c) --- */

/* This PUBLISH is sent: does it exceed what may wait? */
void model_counts_waiting(struct actor *p, const struct pending *sent);
/* The connection ends, and its packets with it. */
void model_forget_waiting(struct actor *p);
/* Everything that moves has arrived: connections whose packets may have been skipped end, by the
 * broker or by their client. True if one did by its client. */
bool model_ends_skipped(struct model *m);

/* --- subscriptions (model_subscribe.c) --- */

void subs_end(struct actor *p, bool dead); /* ended: for good, else a CONNECT may be refused */
void subs_revive(struct actor *p);         /* it was */
void subs_bury(struct actor *p);           /* the ended ones are gone by now */
void model_subscribes(struct actor *p, uint16_t packet_id, const struct subscribe_request *requests,
                      size_t count);
void model_unsubscribes(struct actor *p, uint16_t packet_id, const char *const *filters,
                        size_t count);
void model_answered(struct actor *p, const struct answer *a);

/* --- publications (model_publish.c) --- */

/* `extras`: seed of extras_draw. */
struct pub *model_pub(struct actor *p, const char *topic, const char *payload, uint32_t extras);
void model_sent(struct actor *p, struct pub *pub);
void model_acked(struct actor *p, struct pub *pub, enum packet_type type, enum reason reason);
void model_will_published(struct pub *will, enum certainty certain);
/* It may have ended, but did not: the CONNECT that would have ended its session was refused. */
void model_will_not_published(struct pub *will);
void model_quiet_publications(struct model *m);
void model_crash_publications(struct model *m);

/* --- retained values (model_retain.c) --- */

struct retained_topic *model_retained_topic(struct model *m, const char *topic);
void value_add(struct model *m, struct pub *pub); /* it may be the value from now on */
bool value_has(struct model *m, const struct pub *pub);
void value_remove(struct model *m, const struct pub *pub); /* it never was */
void value_settle(struct model *m, struct pub *pub);       /* it was: older ones are not any more */
void values_quiet(struct model *m);
void values_crash(struct model *m);
/* Would a crash at this moment have lost it? */
bool pub_is_lost(const struct model *m, const struct pub *pub);
/* Would it be sent to a new subscriber, by what was in force since then? */
enum certainty model_is_shown(const struct model *m, const struct pub *pub, uint64_t since);
/* What a new subscriber to everything was given. */
void model_retained(struct model *m, const struct received *values, size_t count);

/* --- deliveries (model_deliver.c) --- */

void model_received(struct actor *p, const struct received *r);
void model_again(struct actor *p, const struct received *r);

/* --- those that must come (model_owed.c) --- */

void model_quiet_deliveries(struct model *m);
void model_crash_deliveries(struct model *m, bool in_order);
void model_forget_owed(struct actor *p, bool qos0_only);
bool actor_is_blocked(const struct actor *p); /* does not read */

/* --- */

/* A quiet point: everything that is due has arrived. */
void model_quiet(struct model *m);
/* The broker crashed then (or was stopped), and another has just started on its store. */
void model_crash(struct model *m, uint64_t crashed_ms, bool in_order);

#endif
