/* A server that does nothing: it lets everybody in, acknowledges what has to be, and discards. What
 * a generator achieves with it is what it can do alone.  It runs in processes of its own, as a
 * broker does, as many as the generator has threads.  Thread: main, before there are others. */
#ifndef BENCH_NULL_SINK_H
#define BENCH_NULL_SINK_H

#include <sys/types.h>

#include "link_settings.h"

struct null_sink {
	pid_t *pids;
	unsigned count;
};

/* Start it, and set *own: how to get there as `broker` says, TLS or not, on a loopback address or
 * an abstract Unix socket. *own borrows from *broker. 0, or the exit status after an error was
 * reported. */
int null_sink_start(struct null_sink *s, const struct link_settings *broker, unsigned processes,
                    struct link_settings *own);
/* End the processes; zeroed or half started, too. */
void null_sink_stop(struct null_sink *s);

#endif
