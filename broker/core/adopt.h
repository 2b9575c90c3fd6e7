/* A worker takes over a policy: the one it starts with (its listeners open) or a new one (reload):
 * swap, then sweep. Thread: adopt_start on main; the rest on the worker. */
#ifndef CORE_ADOPT_H
#define CORE_ADOPT_H

#include "core/server.h"

struct adoption;

/* All workers have taken it over. */
typedef void adopt_done_fn(void *arg);

/* Descriptors of listeners that are new: [worker][slot], -1: none. Taken over, the arrays too. */
struct adopt_sockets {
	int **fds;
	unsigned workers;
};
struct adopt_sockets adopt_sockets_new(unsigned workers);
void adopt_sockets_close(struct adopt_sockets *sockets); /* those that were not dispatched */

/* Post `policy` to every worker; `done` runs on main_executor when all have answered. */
void adopt_start(struct server *server, struct executor *main_executor, struct policy *policy,
                 struct adopt_sockets *sockets, adopt_done_fn *done, void *arg);

#endif
