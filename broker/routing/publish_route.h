/* Store, match, number: the one read section of a publish.  Thread: the publisher's worker. */
#ifndef ROUTING_PUBLISH_ROUTE_H
#define ROUTING_PUBLISH_ROUTE_H

#include "routing/publish_job.h"
#include "worker/worker.h"

/* Route it: to all subscribers, with its acknowledgement after everything that it promises.
 */
enum publish_outcome publish_route(struct worker *w, struct publish_job *job);

#endif
