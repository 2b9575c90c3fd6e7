/* To whom a message goes: the match of its topic, and the sessions that it names, each once.
 * Filters may overlap so much that finding them takes many turns: a client's PUBLISH rests
 * meanwhile, unread, and is handled again (client_link.goes_on), and so is what no connection
 * publishes: wills, $SYS. It has to be as if all was found
 * in one moment, so it begins anew when the tree has changed; after a few times it is done in one
 * piece.  Thread: the publisher's worker. */
#ifndef ROUTING_PUBLISH_MATCH_H
#define ROUTING_PUBLISH_MATCH_H

#include "base/table.h"
#include "durability/delivery_target.h"
#include "routing/group_prepare.h"
#include "routing/publish_job.h"
#include "routing/waiting_publisher.h"
#include "tree/route_match.h"
#include "worker/worker.h"

/* Zero-initialised; used again. */
struct publish_match {
	struct route_match match;
	/* By name, merged; whoever needs them takes them. */
	struct target_item *items;
	size_t item_count, item_cap;
	size_t merged;           /* of match.targets */
	struct table by_session; /* of the items, where there are several filters */
	unsigned begun;          /* so often; 0: not under way */
	bool is_collected;
	bool is_complete;               /* the items are */
	struct prepared_group prepared; /* where they are very many */
	struct msg *msg;                /* while it rests: what its records have */
};

/* What no connection publishes (wills, $SYS): one at a time. */
struct resting_publish {
	struct publish_match *match; /* NULL: it has not begun */
	struct waiting_publisher from;
};

void publish_match_fini(struct publish_match *p);

/* Go on with it, inside a read section. True: it is complete, and valid in this section. False: the
 * rest is for a later turn, or there is no memory for it (job->full). */
bool publish_match_go_on(struct worker *w, struct publish_job *job);
/* The message of the PUBLISH that rests, a reference; NULL: none does. */
struct msg *publish_match_msg(const struct client_link *link);
/* The PUBLISH that rests is not handled again. */
void publish_match_forget(struct client_link *link);
void publish_match_forget_own(struct worker *w, struct resting_publish *own);

#endif
