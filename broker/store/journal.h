/* The journal: facts that must survive, in groups.  A group is all or nothing, groups of one home
 * are kept in the order they were appended, and each is completed exactly once, by a post to the
 * home that appended it: status 0 means durable.  Nothing that a completion promises may leave
 * before it.  This interface has one implementation that keeps nothing (persistence off: complete
 * as soon as the turn ends) and, for tests, one that completes late, out of step with other homes,
 * or fails. Thread: any home appends. */
#ifndef STORE_JOURNAL_H
#define STORE_JOURNAL_H

#include "base/home.h"
#include "store/msg.h"

enum record_kind {
	RECORD_SESSION,        /* session_id: exists, expiry and identity in value */
	RECORD_SESSION_END,    /* session_id: and everything of it is gone */
	RECORD_SUBSCRIPTION,   /* session_id, name: filter, value: options */
	RECORD_UNSUBSCRIPTION, /* session_id, name: filter */
	RECORD_INBOUND, /* session_id, number: packet identifier of a QoS 2 PUBLISH received */
	RECORD_INBOUND_DONE,
	RECORD_QUEUE,      /* session_id, number: position; msg */
	RECORD_QUEUE_DONE, /* session_id, number: position: acknowledged or dropped */
	RECORD_SENT, /* session_id, number: position, value: packet identifier and stage (PUBLISH,
	                PUBREL) of a QoS 2 message sent */
	RECORD_RETAINED, /* name: topic, number; msg NULL: deleted; value: owner */
	RECORD_WILL,     /* session_id; msg; value: delay */
	RECORD_WILL_DONE,
};

struct record {
	enum record_kind kind;
	uint64_t session_id;
	uint64_t number;
	struct slice name;  /* copied by the group */
	struct slice value; /* copied by the group */
	struct msg *msg;    /* a reference of the group's own */
};

struct journal;
struct journal_group;

/* Runs on the home that appended, entered; frees nothing: the group is freed behind it. */
typedef void journal_done_fn(struct journal_group *group, int status, void *home_arg);

/* One group being built. `context` is the caller's, found again at completion. */
struct journal_group *journal_group_new(journal_done_fn *done, void *context);
void journal_group_add(struct journal_group *g, const struct record *record);
void *journal_group_context(const struct journal_group *g);
size_t journal_group_count(const struct journal_group *g);
const struct record *journal_group_at(const struct journal_group *g, size_t i);
void journal_group_free(struct journal_group *g); /* one that was never appended */

/* Append: never blocks, never fails; the journal owns the group from now on. `home`: the current
 * one. */
void journal_append(struct journal *j, struct home *home, struct journal_group **group);

/* Does anything survive at all? False: callers may leave out records, and treat what they would
 * wait for as done (but through the same path: an empty group completes too). */
bool journal_is_durable(const struct journal *j);

struct journal *journal_memory_new(void); /* keeps nothing */
/* Tests: holds every group until told. */
struct journal *journal_held_new(void);
size_t journal_held_count(const struct journal *j);
void journal_held_release(struct journal *j, size_t index,
                          int status); /* posts the completion of the index-th held group */
void journal_free(struct journal *j);

#endif
