/* The load generator: what its parts share.  One thread, one epoll, any number of TLS clients; the
 * broker is another process, whose CPU and memory are read from /proc around the measured phase.
 * Not a test and not part of the broker: it ends with a message and status 1 when anything is not
 * as it should be. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Command-line words NAME=VALUE; the table of them is in load.c. */
struct options {
	const char *host, *ca, *user, *password;
	const char *certificate, *key; /* of a server made here, without a broker */
	uint64_t port, pid, version;   /* version: 4 or 5 */
	uint64_t limit_s;              /* after so long everything ends with an error */
	uint64_t payload_bytes, subscribers, depth; /* depth: messages on their way */
	uint64_t warm_ms, measure_ms;               /* of continuous traffic */
	uint64_t count, at_once, clients; /* things made in all; of them at a time; by how many */
	uint64_t rounds;                  /* repetitions of something short */
	uint64_t rate;                    /* messages a second, of all; 0: as many as go */
	const char *note;                 /* the store's; of `disk`: a file to write */
};

/* Everything is measured with the same TLS 1.3. */
#define LOAD_CIPHER "TLS_AES_128_GCM_SHA256"
extern char load_group[];

_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* CPU time of all threads of the broker, user and system. */
uint64_t usage_cpu_ns(pid_t pid);
/* The same when the broker has gone to sleep: a running thread's account is up to a tick old. */
uint64_t usage_cpu_settled_ns(pid_t pid);
/* Resident memory, once it has stopped changing. */
uint64_t usage_resident_bytes(pid_t pid);

/* Results go to stdout, one a line: NAME VALUE. */
void report(const char *name, double value);

/* The scenarios. */
void run_retained(const struct options *o);
void run_queue(const struct options *o);
void run_floor(const struct options *o);
void run_kept(const struct options *o);
void run_disk(const struct options *o);

#endif
