/* The queue records of a PUBLISH that goes to very many kept sessions, built in slices before it is
 * acted on; the group is appended as a whole, with everything else that the acknowledgement
 * promises (publish_group.h). D1.  Thread: the publisher's worker. */
#ifndef ROUTING_GROUP_PREPARE_H
#define ROUTING_GROUP_PREPARE_H

#include "conf/conf.h"
#include "durability/delivery_target.h"
#include "routing/publish_job.h"
#include "worker/worker.h"

/* Fewer are built when they are needed. */
#define GROUP_PREPARE_MIN 256

/* Zeros: nothing is prepared. */
struct prepared_group {
	struct journal_group *group;
	const struct target_item *items; /* publish_match's */
	size_t item_count, done;
	enum conf_durability durability;
};

/* By how it has to be kept at this moment. */
enum conf_durability group_durability(const struct worker *w, const struct publish_job *job);
/* Go on until worker->work has come so far. True: all records are there, or none are needed.
 * The items are set. */
bool group_prepare(struct worker *w, const struct publish_job *job, struct prepared_group *p,
                   uint64_t until);
void group_prepare_forget(struct prepared_group *p);

#endif
