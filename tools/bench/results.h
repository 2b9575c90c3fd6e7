/* What a run found out, and how it is told.  Thread: main. */
#ifndef BENCH_RESULTS_H
#define BENCH_RESULTS_H

#include <stdio.h>

#include "base/histogram.h"
#include "flow_check.h"
#include "self_check.h"
#include "usage.h"
#include "workload.h"

struct results {
	const struct workload *workload;
	char *failure; /* NULL: none */
	bool interrupted;

	/* In the measured time. */
	double seconds;
	uint64_t sent, received, connects;
	struct histogram latency, ack, late, connect;

	/* Of the whole run. */
	uint64_t sent_all, acked_all, expected, lost, unsent;
	uint64_t refused_acks, foreign, slow_received, full_window, full_socket;
	uint64_t connects_all, connect_fails, handshakes, resumed;
	struct flow_counts flow;

	/* Of the broker, where its process is known. */
	bool has_usage;
	uint64_t cpu_ns, resident_bytes;                    /* measured time; at its end */
	int64_t idle_bytes, subscribe_bytes, traffic_bytes; /* by how much it grew in these steps */
	uint64_t subscribe_cpu_ns;
	uint64_t replay_cpu_ns, replay_wall_ns; /* medians */

	struct self_check check;
	bool has_alone;          /* with --null-sink */
	struct self_check alone; /* before the run, against a null sink */
	bool is_limited;         /* the generator was the limit */
	struct buf reasons;
};

/* Exit statuses beside those of all tools. */
#define EXIT_BROKEN_PROMISE 3 /* messages were lost, came twice, or out of order */
#define EXIT_LIMITED        4

void results_init(struct results *r, const struct workload *w);
void results_fini(struct results *r);
/* Draw the conclusions, once everything else is filled in. */
void results_finish(struct results *r);
void results_print(const struct results *r, FILE *to);
/* Append one line of JSON, as broker-bench(1) describes it. */
void results_put_json(const struct results *r, struct buf *out);
int results_status(const struct results *r);

#endif
