/* Puts a configuration snapshot into force on every worker: the first one, with all listeners, or
 * one of a reload.  Thread: config_apply_start on main; the rest on the worker. */
#ifndef SERVER_CONFIG_APPLY_H
#define SERVER_CONFIG_APPLY_H

#include "worker/shared.h"

struct config_application;

/* It is in force on all workers. */
typedef void config_apply_done_fn(void *arg);

/* Descriptors of new listeners: [worker][slot], -1: none. config_apply_start takes them over. */
struct config_sockets {
	int **fds;
	unsigned workers;
};
struct config_sockets config_sockets_new(unsigned workers);
void config_sockets_close(struct config_sockets *sockets); /* where they are not taken over */

/* Send `snapshot` to every worker; `done` runs on main_executor when all have answered. */
void config_apply_start(struct shared *shared, struct executor *main_executor,
                        struct config_snapshot *snapshot, struct config_sockets *sockets,
                        config_apply_done_fn *done, void *arg);

#endif
