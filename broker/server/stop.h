/* Stops all workers, stage by stage (DESIGN.md section 6).  Thread: main's. */
#ifndef SERVER_STOP_H
#define SERVER_STOP_H

#include "worker/shared.h"
#include "worker/worker.h"

struct stop;

/* Begin. After the last stage every worker's loop and `loop` end; a simulation gives NULL and asks
 * stop_is_done. */
struct stop *stop_start(struct shared *shared, struct executor *main_executor, struct loop *loop);
bool stop_is_done(const struct stop *stop);
void stop_free(struct stop *stop);

#endif
