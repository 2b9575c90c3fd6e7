/* What a process has used, and how much the calling thread got, from /proc.  Thread: any. */
#ifndef BENCH_USAGE_H
#define BENCH_USAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct usage_process {
	uint64_t cpu_ns; /* of all its threads, user and system, by the scheduler's own account */
	uint64_t resident_bytes;
};

/* False: there is no such process, or it may not be looked at. */
bool usage_read(pid_t pid, struct usage_process *out);
/* The same when it has gone to sleep and its memory has stopped changing, after some seconds in any
 * case: the account of a running thread is up to a tick old. Sleeps. */
bool usage_read_settled(pid_t pid, struct usage_process *out);

struct usage_thread {
	uint64_t cpu_ns;
	uint64_t waited_ns; /* ready to run, but something else ran */
};

void usage_read_thread(struct usage_thread *out);

#endif
