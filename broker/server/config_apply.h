/* A worker takes over a policy: the one it starts with (its listeners open) or a new one (reload):
 * swap, then sweep. Thread: config_apply_start on main; the rest on the worker. */
#ifndef SERVER_CONFIG_APPLY_H
#define SERVER_CONFIG_APPLY_H

#include "worker/shared.h"

struct config_application;

/* All workers have taken it over. */
typedef void config_apply_done_fn(void *arg);

/* Descriptors of listeners that are new: [worker][slot], -1: none. Taken over, the arrays too. */
struct config_sockets {
	int **fds;
	unsigned workers;
};
struct config_sockets config_sockets_new(unsigned workers);
void config_sockets_close(struct config_sockets *sockets); /* those that were not dispatched */

/* Post `policy` to every worker; `done` runs on main_executor when all have answered. */
void config_apply_start(struct shared *shared, struct executor *main_executor,
                        struct config_snapshot *snapshot, struct config_sockets *sockets,
                        config_apply_done_fn *done, void *arg);

#endif
