/* A message's way from its publisher to everybody who wants it: store, match, journal, dispatch.
 * DESIGN.md section 5. Thread: the publisher's home. */
#ifndef ROUTING_PUBLISH_H
#define ROUTING_PUBLISH_H

#include "durability/record_codec.h"
#include "tree/route.h"
#include "tree/route_match.h"
#include "tree/subscription_ids.h"
#include "worker/worker.h"

enum publish_outcome {
	PUBLISH_ROUTED,
	PUBLISH_FULL,   /* to be retained, and a limit is reached; told already */
	PUBLISH_LATER,  /* the store has no space for it now: nothing was done */
	PUBLISH_DENIED, /* another user owns the topic, and no other rule allows it */
};

struct publish_job {
	struct session *session;    /* whose rules decide about ownership */
	struct msg *msg;            /* borrowed */
	enum acl_action action;     /* ACL_PUBLISH or ACL_WILL */
	struct acl_verdict verdict; /* by which it was admitted so far; the deciding one when it
	                               comes back denied */
	struct client_link *link;   /* whom the acknowledgement is owed; NULL: nobody */
	uint16_t packet_id;
	const char *full;        /* with PUBLISH_FULL: which limit */
	struct inbound *inbound; /* the QoS 2 identifier to keep with it; NULL: none */
	bool ends_will;          /* the session's will is kept: with this message it is no more */
	struct retain_change *change; /* of a retained one, made, its shard still held; else NULL */
};

/* Route it: to everybody who wants it, with its acknowledgement behind everything that it promises.
 */
enum publish_outcome publish_route(struct worker *w, struct publish_job *job);

/* What the ACL is asked about a message. */
struct acl_request publish_access_request(enum acl_action action, const struct msg *msg);
/* Its verdict, with the topic's present owner looked up where `own` decides. */
struct acl_verdict publish_access_check(struct worker *w, const struct acl_subject *subject,
                                        struct slice user_key, const struct acl_request *request);
/* The group of a QoS 2 identifier is durable (or failed): PUBRECs that wait go out. */
void inbound_stored(struct session *s, uint16_t packet_id, bool kept);
/* Nobody took the message: its identifier is free (kept: on disk, too), and PUBRECs that wait say
 * so. */
void inbound_refused(struct session *s, uint16_t packet_id, bool kept);
/* One that was received before the broker started. */
void inbound_restore(struct session *s, uint16_t packet_id);

struct fault on_publish(struct client_link *link, const struct frame *f);
struct fault on_pubrel(struct client_link *link, const struct frame *f);

/* --- handing over (handover.c) --- */

enum item_kind {
	ITEM_LIVE,   /* every live subscriber of these filters */
	ITEM_TARGET, /* one session */
	ITEM_SHARE,  /* one member of a group */
};

/* One session a message goes to, with what its subscriptions asked for, merged. */
struct target_item {
	uint64_t session_id;
	uint64_t group_id; /* ITEM_SHARE */
	uint64_t position; /* in the session's queue on disk, 0: not there */
	uint16_t executor;
	uint8_t qos;
	bool retain_as_published;
	bool durable;
	bool stored;                 /* it is in that queue already */
	struct subscription_ids ids; /* owned by whoever holds the item: subscription_ids_ref where
	                                it is copied to stay */
	uint32_t tried_count;
	uint64_t tried[RECORD_TRIED_MAX]; /* members of the group that did not take it */
};

/* Give the live part of a match to all executors: the own one at once where the order permits,
 * others with the next batch. */
void dispatch_live(struct worker *w, struct msg *msg, const struct route_match *match,
                   bool through_mailbox);
void dispatch_target(struct worker *w, struct msg *msg, const struct target_item *item,
                     bool through_mailbox);
/* Send all batches that were begun; before the shard of a retained change is released, and at the
 * end of each turn. */
void dispatch_flush(struct worker *w);
/* Is another member of the group online? */
bool dispatch_share_has_online(struct worker *w, uint64_t group_id, uint64_t but);
/* Another member of the group, for a message that its member did not take. */
void dispatch_next_member(struct worker *w, struct msg *msg, struct target_item *item,
                          uint64_t tried);

#endif
