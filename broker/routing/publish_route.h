/* Store, match, number: the one read section of a publish.  Thread: the publisher's worker. */
#ifndef ROUTING_PUBLISH_ROUTE_H
#define ROUTING_PUBLISH_ROUTE_H

#include "routing/publish_job.h"
#include "worker/worker.h"

/* Route it: to all subscribers, with its acknowledgement after everything that it promises.
 */
enum publish_outcome publish_route(struct worker *w, struct publish_job *job);
/* One without link, of ORDERED_PUBLISHES (ordered_work.h), until worker->work has come so far.
 * False: it goes on in a later turn, with the same message. */
bool publish_route_slices(struct worker *w, struct publish_job *job, uint64_t until,
                          enum publish_outcome *outcome);

#endif
