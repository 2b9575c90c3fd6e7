/* OpenMetrics calls a counter by its name without _total, and its samples with it. */
#include "admin/metrics_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/latency.h"
#include "base/require.h"

static const char *const type_names[] = {
    [METRIC_TYPE_COUNTER] = "counter",
    [METRIC_TYPE_GAUGE] = "gauge",
    [METRIC_TYPE_HISTOGRAM] = "histogram",
};

void metrics_text_family(struct metrics_text *t, enum metric_type type, const char *name,
                         const char *help)
{
	struct slice family = slice_of_str(name), total = SLICE("_total");
	bool has_total = family.len > total.len &&
	                 strcmp(name + family.len - total.len, (const char *)total.data) == 0;

	REQUIRE(has_total == (type == METRIC_TYPE_COUNTER));
	if (t->is_open_metrics && has_total)
		family.len -= total.len;
	t->name = name;
	buf_printf(t->out, "# HELP %.*s ", (int)family.len, name);
	for (const char *c = help; *c != '\0'; c++) {
		if (*c == '\\' || (*c == '"' && t->is_open_metrics))
			buf_put_u8(t->out, '\\');
		buf_put_u8(t->out, (uint8_t)*c);
	}
	buf_printf(t->out, "\n# TYPE %.*s %s\n", (int)family.len, name, type_names[type]);
}

static void put_label(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "%s=\"", name);
	for (const char *c = value; *c != '\0'; c++) {
		if (*c == '\\' || *c == '"')
			buf_put_u8(out, '\\');
		if (*c == '\n')
			buf_put_slice(out, SLICE("\\n"));
		else
			buf_put_u8(out, (uint8_t)*c);
	}
	buf_put_u8(out, '"');
}

static void put_labels(struct metrics_text *t, va_list labels)
{
	bool any = false;
	const char *name;

	buf_put_slice(t->out, slice_of_str(t->name));
	while ((name = va_arg(labels, const char *)) != NULL) {
		buf_put_u8(t->out, any ? ',' : '{');
		any = true;
		put_label(t->out, name, va_arg(labels, const char *));
	}
	if (any)
		buf_put_u8(t->out, '}');
}

void metrics_text_number(struct metrics_text *t, uint64_t value, ...)
{
	va_list labels;

	va_start(labels, value);
	put_labels(t, labels);
	va_end(labels);
	buf_printf(t->out, " %" PRIu64 "\n", value);
}

void metrics_text_seconds(struct metrics_text *t, double value, ...)
{
	va_list labels;

	va_start(labels, value);
	put_labels(t, labels);
	va_end(labels);
	buf_printf(t->out, " %.15g\n", value);
}

void metrics_text_histogram(struct metrics_text *t, const uint64_t *cells, uint64_t sum,
                            double unit_s)
{
	uint64_t below = 0;

	for (unsigned i = 0; i < LATENCY_BOUNDS; i++) {
		below += cells[i];
		buf_printf(t->out, "%s_bucket{le=\"%.15g\"} %" PRIu64 "\n", t->name,
		           (double)latency_bound(i) * unit_s, below);
	}
	below += cells[LATENCY_BOUNDS];
	buf_printf(t->out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", t->name, below);
	buf_printf(t->out, "%s_sum %.15g\n", t->name, (double)sum * unit_s);
	buf_printf(t->out, "%s_count %" PRIu64 "\n", t->name, below);
}

void metrics_text_add_cells(uint64_t *cells, const _Atomic uint64_t *from)
{
	REQUIRE(cells != NULL && from != NULL);
	for (unsigned i = 0; i < LATENCY_CELLS; i++)
		cells[i] += atomic_load_explicit(&from[i], memory_order_relaxed);
}

void metrics_text_end(struct metrics_text *t)
{
	if (t->is_open_metrics)
		buf_put_slice(t->out, SLICE("# EOF\n"));
}
