/* The part of a publish that has to be durable: one journal group with everything that its
 * acknowledgement promises, and what waits for it.  DESIGN.md section 5, points 7 to 9; D1, D2, D4,
 * D6.  Thread: the publisher's owner. */
#ifndef ROUTING_PUBLISH_GROUP_H
#define ROUTING_PUBLISH_GROUP_H

#include "conf/conf.h"
#include "routing/publish_job.h"
#include "tree/route_match.h"

struct commit {
	struct msg *msg;
	struct pending_ack *pending_ack; /* NULL: nobody is owed one, or has it already */
	enum reason reason;              /* of the acknowledgement */
	enum conf_durability durability;
	uint64_t session_id;     /* the publisher's */
	uint16_t packet_id;      /* the inbound identifier that waits for it; 0: none */
	bool records_identifier; /* and is kept with it */
	bool holds_live;         /* live subscribers wait for the commit too */
	bool reports_reason;     /* the publisher hears whether anybody took it */
	bool taken;              /* somebody has it, whatever the store does */
	struct route_match live; /* filters only */
	size_t item_count;
	struct journal_group
	    *queued;               /* their records, where they were prepared; until it is built */
	struct target_item *items; /* the sessions to which it goes by name */
};

/* Is there something to keep besides what waits for sessions? */
bool commit_is_wanted(const struct worker *w, const struct publish_job *job);
/* By how many bytes, about, it would make the store larger. Its match is at hand; a retained one's
 * change is begun. */
size_t commit_adds(const struct worker *w, const struct publish_job *job);
/* Takes what the job's match has of items. */
struct commit *commit_new(struct worker *w, struct publish_job *job);
void commit_free(struct commit *commit); /* NULL is fine */
/* Store what must be stored and dispatch what waits for nothing. True: the acknowledgement waits
 * with the rest, and *commit is the journal's now (NULL). */
bool commit_append(struct worker *w, struct publish_job *job, struct commit **commit);

#endif
