/* The workers with everything that they share, without threads and sockets: a simulation drives
 * these itself.  Thread: main. */
#ifndef SERVER_WORKERS_H
#define SERVER_WORKERS_H

#include "worker/shared.h"
#include "worker/worker.h"

/* Takes its own reference of the snapshot; takes over the journal. */
struct shared *workers_new(struct config_snapshot *snapshot, unsigned workers,
                           struct journal *journal);
/* NULL is fine. */
void workers_free(struct shared *shared);

#endif
