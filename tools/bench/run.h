/* A run: threads that each have a part of the clients, and the main thread that leads them from
 * step to step, measures the broker between and during steps, and prints progress.
 *
 * A step is one function that every thread runs (run_steps.h); between steps the threads go on
 * serving their clients.  What main reads while a thread runs is atomic and has one writer; all
 * else of a thread main reads only after its end. */
#ifndef BENCH_RUN_H
#define BENCH_RUN_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/histogram.h"
#include "flow_check.h"
#include "link.h"
#include "schedule.h"
#include "usage.h"
#include "workload.h"

struct bench_run;
struct publisher;
struct subscriber;
struct storm;

/* Written by one thread, read by main. */
struct run_counters {
	_Atomic uint64_t sent, received, acked, waiting; /* messages */
	_Atomic uint64_t wanted;                         /* received, of those not slow, once */
	_Atomic uint64_t opened;                         /* clients */
	_Atomic uint64_t dials, connects, connect_fails; /* of the storm */
	_Atomic uint64_t latency_ns;                     /* the largest since main looked */
	_Atomic bool idle; /* nothing more becomes due: it came to all of it */
};

static inline void count_up(_Atomic uint64_t *counter, uint64_t by)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + by,
	                      memory_order_relaxed);
}

struct run_thread {
	struct bench_run *run;
	unsigned index;
	pthread_t thread;
	struct link_pool pool;
	struct run_counters counters;

	struct publisher *publishers;
	struct subscriber *subscribers;
	struct link *idle;
	size_t publisher_count, subscriber_count, idle_count, idle_opened;
	struct storm *storm;
	struct flow_check *flows;
	struct schedule schedule;
	bool has_schedule;
	struct prng prng;
	uint8_t *payload;
	void (*tick)(struct run_thread *t, uint64_t now_ns); /* sets tick_ns: when it is next */
	uint64_t tick_ns;
	uint32_t ticks;
	size_t opening; /* links that are on their way */
	size_t subacks; /* that are expected */
	size_t leaving;

	/* Results. */
	struct histogram latency, ack, late, connect;
	struct flow_counts flow;
	uint64_t due, begun;               /* messages or connects, in the measured time */
	uint64_t full_window, full_socket; /* messages that had to wait */
	uint64_t foreign, slow_received, refused_acks;
	struct usage_thread usage;
};

/* What is going on in a step; set by main before it begins. */
struct run_phase {
	uint64_t start_ns;
	uint64_t from_ns, until_ns;  /* what is due between is measured */
	uint64_t messages, connects; /* of each thread; 0: until until_ns */
	bool has_traffic;
};

struct bench_run {
	const struct workload *workload;
	const struct link_settings *settings;
	uint32_t id;
	unsigned thread_count;
	struct run_thread *threads;
	struct run_phase phase;
	_Atomic unsigned step, arrived; /* step: counts up, its kind is in step_kind */
	unsigned step_kind;
	_Atomic bool stop; /* end the step of traffic */
	_Atomic bool failed;
	pthread_mutex_t lock; /* of failure */
	char failure[400];
};

/* The first one counts. Any thread. */
void run_fail(struct bench_run *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

enum run_step {
	STEP_CONNECT, /* publishers, subscribers, and idle clients that are not measured */
	STEP_IDLE,    /* the other idle clients */
	STEP_SUBSCRIBE,
	STEP_AWAY, /* subscribers leave */
	STEP_TRAFFIC,
	STEP_REPLAY_CONNECT,
	STEP_REPLAY,
	STEP_END,
};

/* Do what goes on all the time, wait until then at most, and send what was put. */
void run_serve(struct run_thread *t, uint64_t until_ns);
/* The thread whose link it is. */
struct run_thread *run_thread_of(const struct link *l);
/* A connection that nobody wanted to end ends the run. */
void run_on_closed(struct link *l, const char *why);

/* May a step go on? */
static inline bool run_goes_on(const struct bench_run *r)
{
	return !atomic_load_explicit(&r->failed, memory_order_relaxed) &&
	       !atomic_load_explicit(&r->stop, memory_order_relaxed);
}

/* Is something measured that was due then? */
static inline bool run_is_measured(const struct bench_run *r, uint64_t due_ns)
{
	return due_ns >= r->phase.from_ns && due_ns < r->phase.until_ns;
}

#endif
