/* The two text formats that Prometheus reads: its own (0.0.4), and OpenMetrics 1.0.  Pure: values
 * in, bytes out.  Thread: any. */
#ifndef ADMIN_METRICS_TEXT_H
#define ADMIN_METRICS_TEXT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/bytes.h"

enum metric_type {
	METRIC_TYPE_COUNTER, /* its name ends in _total */
	METRIC_TYPE_GAUGE,
	METRIC_TYPE_HISTOGRAM,
};

struct metrics_text {
	struct buf *out;
	bool is_open_metrics;
	/* The family whose samples follow. */
	const char *name;
};

void metrics_text_family(struct metrics_text *t, enum metric_type type, const char *name,
                         const char *help);
/* A sample of it. Labels: names and values in turn, at the end NULL. */
void metrics_text_number(struct metrics_text *t, uint64_t value, ...) __attribute__((sentinel));
void metrics_text_seconds(struct metrics_text *t, double value, ...) __attribute__((sentinel));

/* A histogram of cells (base/latency.h), whose unit is so many seconds; `sum` in units. */
void metrics_text_histogram(struct metrics_text *t, const uint64_t *cells, uint64_t sum,
                            double unit_s);
/* Cells that another thread counts, to those of a sum. */
void metrics_text_add_cells(uint64_t *cells, const _Atomic uint64_t *from);
/* After the last family. */
void metrics_text_end(struct metrics_text *t);

#endif
