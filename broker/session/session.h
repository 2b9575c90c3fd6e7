/* A session: (user, client id) and the state that MQTT defines for it.  DESIGN.md sections 1
 * and 5. Thread: the executor worker of its client id; nobody else touches it. */
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H

#include "auth/identity.h"
#include "base/hash.h"
#include "base/recent.h"
#include "base/table.h"
#include "proto/packet_subscribe.h"
#include "tree/msg.h"
#include "tree/subscription_ids.h"
#include "worker/charge.h"
#include "worker/ordered_work.h"

struct client_link;
struct worker;
struct pending_ack;
struct disk_queue;

#define EXPIRY_NEVER UINT32_MAX

enum subscription_permit {
	PERMIT_UNKNOWN, /* restored */
	PERMIT_WHOLE,
	PERMIT_PART, /* partial_subscriptions: filter */
};

/* One subscription of one session: in its table by the whole filter as the client wrote it. */
struct subscription {
	struct subscription *prev,
	    *next; /* among the live subscribers of the filter at this executor */
	struct session *session;
	struct replay *replay; /* of its retained values, unfinished; NULL: none */
	uint64_t filter_id;    /* of the filter whose live subscribers it is among; 0: durable, or
	                          shared */
	uint64_t since;        /* clock at its beginning */
	uint64_t number;       /* what the journal calls it; 0: not kept */
	uint32_t id;           /* Subscription Identifier, 0: none */
	bool changed;          /* since it was written down: by the request at hand */
	/* enum subscription_permit: how much of it could be read when it was made, or first asked.
	 */
	uint8_t permit;
	uint16_t share_skip; /* length of "$share/GROUP/", 0: not shared */
	uint16_t filter_len;
	struct subscription_options options;
	char filter[];
};

/* By which subscriptions a message came, where there is something to say of them. */
struct delivery_info {
	uint64_t group_id; /* of the $share group, 0: none */
	struct subscription_ids ids;
};

/* A message that is queued for this session, or in flight to it. */
struct inflight {
	struct inflight *prev, *next;
	struct msg *msg;
	struct delivery_info *info; /* NULL: neither a group nor identifiers */
	uint64_t position;          /* in the session's queue on disk; 0: it is not there */
	uint32_t cost;              /* of memory, without the message */
	uint16_t packet_id;         /* 0: not sent yet */
	uint8_t qos;                /* effective */
	bool retain;
	bool in_flight; /* counts in the window of the present connection */
	bool storing;   /* QoS 2: leaves when its packet identifier is durable */
	bool sent;      /* was written to a connection, this one or an earlier one */
	bool noted;     /* QoS 1: on disk, its packet identifier is taken */
	bool released;  /* QoS 2: PUBREC is here, PUBREL is owed or sent */
};

struct inflight_list {
	struct inflight *head; /* utlist DL */
	uint32_t count;
	uint32_t qos0_count; /* among them */
	size_t bytes;
};

/* A QoS 2 PUBLISH received and not yet released. */
struct inbound {
	UT_hash_handle hh;
	uint16_t packet_id;
	bool pending;                    /* its group is not yet durable */
	enum conf_durability durability; /* of its message */
	struct pending_ack *again;       /* PUBREC of a resent PUBLISH that waits for the group */
};

/* What one takes, with its part of the hash table. */
#define INBOUND_COST (sizeof(struct inbound) + CHARGE_ALLOC + 40)

struct replay;

/* Whose shared messages are being given away; in which list. */
enum giving_stage {
	GIVING_NOTHING,
	GIVING_SENT,
	GIVING_WAITING,
};

struct denial {
	uint32_t rule;
	struct log_limit limit;
};
#define SESSION_DENIALS 8

/* What was logged about a session recently, so that it is not logged too often. */
struct log_limits {
	struct denial denials[SESSION_DENIALS];
	struct log_limit dropped;
};

struct pending_will {
	struct session *session;
	struct msg *msg;
	struct timer delay;
	struct ordered_work publishing; /* while it is due */
	uint32_t delay_s;
	bool recorded; /* the journal has it */
	bool is_due;   /* it is being published: until it is, its client cannot come back */
};

/* In worker->sessions by user key and client id, and by id. One per client,
 * most of them idle: what few sessions need is made when they do. */
struct session {
	uint64_t id;
	struct worker *worker;
	struct client_link *link; /* NULL: away */
	struct identity *identity;
	struct origin *origin;
	struct acl_subject *subject;
	uint64_t subject_generation; /* of the configuration it was made from */
	uint64_t arrival;            /* of the newest CONNECT that was attached */
	uint64_t away_since_ms;      /* while conn is NULL */
	uint64_t removed_since_ms;
	struct session *work_prev, *work_next; /* in the table, while there is work */
	struct session *memory_prev, *memory_next;
	struct session *list_prev, *list_next; /* in the table */
	struct charge charge;                  /* what it takes of memory; its user pays */
	struct table subscriptions;
	struct table_walk
	    ending; /* of its subscriptions, when it has ended: the next slice goes on */
	size_t subscription_bytes; /* what their filters take */
	size_t pending_bytes;      /* what its groups_pending take */
	struct inbound *inbound;
	struct inflight_list waiting; /* not sent */
	struct inflight_list sent;    /* sent, in order; window */
	struct inflight **slots;      /* sent, by packet id & (slot_count - 1) */
	struct inflight *next_resend; /* in `sent`: the first that the present connection has not
	                               seen;   NULL: none */
	struct inflight
	    *unreleased;         /* in `sent`: from here on PUBRELs are owed again; NULL: none */
	struct inflight *noting; /* inflight_end.c: the next one to be written down */
	struct inflight *giving; /* the next one to be given away */
	struct disk_queue *disk_queue; /* the part of its queue that is on disk only; NULL: there
	                            never was one */
	struct replay *replays;        /* utlist DL */
	struct pending_will *will;
	struct timer expiry_timer;
	struct log_limits *log_limits; /* made with the first denial or drop */
	uint64_t dropped;
	uint64_t merge_serial;
	uint64_t own_batch;   /* dispatch.c: of what it published, the newest with a message */
	uint32_t merge_index; /* local_delivery.c: place among the merges, valid while merge_serial
	                         is the router's */
	uint32_t slot_count;
	uint32_t in_flight_count; /* of `sent`, on the present connection: within the client's
	                        Receive Maximum */
	uint32_t expiry_s; /* Session Expiry Interval; 0: ends with the connection; EXPIRY_NEVER */
	uint32_t next_subscription;  /* number of the newest */
	uint32_t groups_pending;     /* of its messages, not yet durable */
	uint32_t filters_left;       /* how often it left the live subscribers of a filter */
	uint32_t set_aside_messages; /* when it was set aside */
	uint32_t fan_outs;           /* workers that still deliver what it published */
	uint16_t next_packet_id;
	bool durable;
	bool ended;         /* it is in no table any more, gets nothing, and is being freed */
	bool ended_another; /* by Clean Start, one that was kept: its CONNACK says that that is gone
	                     */
	bool removed;       /* its user is not in the password file any more */
	bool set_aside;     /* nobody's: its user has another id now (session_user.h) */
	bool grants_in_part;    /* some subscription was granted in part, or restored */
	uint8_t giving_stage;   /* enum giving_stage */
	uint8_t work;           /* enum session_work bits */
	uint8_t ignored_limits; /* bits of enum ignored_limit: the log has named it */
	bool waits_for_memory;  /* in the table */
};

struct session_attach;

/* The sessions of a worker, and what they share. */
struct session_table {
	/* session_attach_here, or what else attaches a session. */
	void (*attach)(struct session_attach *attach);
	struct table by_key; /* user key and client id */
	struct table by_id;
	struct table filters; /* by id: the first of its live subscribers here (utlist DL) */
	struct subscriber_cursor *cursors; /* that rest at one of those; utlist DL */
	struct session *all;               /* utlist DL, the oldest first */
	struct session *working;           /* session_work.c; utlist DL */
	struct session *ended;             /* the same */
	/* Of those by user key and client id that must not begin anew yet: shared messages are left
	 * to give away, or the will is being published. */
	struct table leaving;
	struct session_attach *attaching; /* wait for those, or for a will; utlist DL */
	struct session *next_to_check;    /* admission.h goes through all of them */
	struct session *memory_waits;     /* memory_wait.c */
	struct timer memory_timer;
	unsigned memory_wait_count;
	uint64_t next_id;
	/* Of the last writer checked during a replay. */
	struct acl_subject *writer_subject;
	struct origin *writer_origin;
	uint64_t writer_generation;
	struct recent denials;                                      /* denials.h */
	struct recent losses;                                       /* losses.h */
	struct log_limit message_limit, expired_limit, ended_limit; /* session_report.c */
	/* By a session for which there was hardly memory: one at a time. */
	bool page_asked;
};

/* What a session is found by. The names are borrowed. */
struct session_key {
	struct slice user_key, client_id;
	uint64_t hash;
};

struct session_key session_key_of(struct slice user_key, struct slice client_id);
struct session *session_find(struct worker *w, const struct session_key *key);
struct session *session_find_by_id(struct worker *w, uint64_t id);
/* Must its client wait? Its will is being published, or it has ended and gives messages away. */
bool session_is_leaving(struct worker *w, const struct session_key *key);
/* It belongs to this identity from now on, which has no session of its client id. */
void session_rename(struct session *s, struct identity *identity);
/* The limits it lives by at this moment. */
const struct conf_limits *session_limits(const struct session *s);

/* The subject of the configuration in force at this moment. */
const struct acl_subject *session_subject(struct session *s);

/* What a session takes with nothing in it. */
size_t session_cost(const struct identity *identity, struct slice client_id);

struct slice session_client_id(const struct session *s);
struct slice session_user(const struct session *s);

/* Without $share/GROUP/. */
static inline struct slice subscription_filter(const struct subscription *sub)
{
	return slice_of(sub->filter + sub->share_skip, sub->filter_len - sub->share_skip);
}
static inline bool subscription_is_shared(const struct subscription *sub)
{
	return sub->share_skip > 0;
}

#endif
