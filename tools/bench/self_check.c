/* The limits are where a figure begins to mislead: a loop that is busy nine tenths of the time
 * queues by itself, and lateness below a quarter of what is measured is not what is seen.  Against
 * a null sink the generator does less than against a broker, which also delivers: one that comes
 * near to that would hardly do more with a faster broker. */
#include "self_check.h"

#include <inttypes.h>

#include "base/array.h"

#define BUSY_MAX     0.9
#define WAITED_MAX   0.1
#define LATE_NS_MAX  1000000
#define LATE_SHARE   4
#define MISSED_SHARE 100
#define NEAR_SHARE   0.8

static void check_busy(const struct self_check *c, struct buf *out)
{
	if (c->busy >= BUSY_MAX)
		buf_printf(out,
		           "one of its threads used %.0f%% of a core: lower the rate, or use more "
		           "--threads",
		           c->busy * 100);
}

static void check_waited(const struct self_check *c, struct buf *out)
{
	if (c->waited >= WAITED_MAX)
		buf_printf(out,
		           "a thread of it was ready to run but waited for a core %.0f%% of the "
		           "time: other processes, the broker perhaps, use the same cores",
		           c->waited * 100);
}

static void check_late(const struct self_check *c, struct buf *out)
{
	if (c->late_p99_ns >= LATE_NS_MAX && c->late_p99_ns >= c->latency_p99_ns / LATE_SHARE)
		buf_printf(out, "one in a hundred was begun %.1f ms or more after it was due",
		           (double)c->late_p99_ns / 1e6);
}

static void check_missed(const struct self_check *c, struct buf *out)
{
	if (c->due > c->begun && (c->due - c->begun) * MISSED_SHARE > c->due)
		buf_printf(out, "of %" PRIu64 " that were due it came to only %" PRIu64, c->due,
		           c->begun);
}

static void check_alone(const struct self_check *c, struct buf *out)
{
	static void (*const checks[])(const struct self_check *c,
	                              struct buf *out) = {check_busy, check_late, check_missed};
	struct self_check alone;

	if (c->alone == NULL)
		return;
	/* mutant: bench_null_sink_rate */
	if (c->rate > 0 && c->rate >= c->alone->rate * NEAR_SHARE)
		buf_printf(out,
		           "with a null sink in place of the broker it comes to %.0f a second, and "
		           "here it came to %.0f",
		           c->alone->rate, c->rate);
	if (c->rate > 0)
		return;
	alone = *c->alone;
	alone.latency_p99_ns = c->latency_p99_ns;
	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		struct buf one = {0};

		checks[i](&alone, &one);
		if (one.len > 0)
			buf_printf(out, "%s%.*s",
			           out->len == 0 ? "also with a null sink in place of the broker, "
			                         : ", and ",
			           (int)one.len, (const char *)one.data);
		buf_fini(&one);
	}
}

bool self_check(const struct self_check *c, struct buf *reasons)
{
	static void (*const checks[])(const struct self_check *c, struct buf *out) = {
	    check_busy, check_waited, check_late, check_missed, check_alone};
	bool found = false;

	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		struct buf one = {0};

		checks[i](c, &one);
		if (one.len > 0) {
			buf_printf(reasons, "%s%.*s", found ? "; " : "", (int)one.len,
			           (const char *)one.data);
			found = true;
		}
		buf_fini(&one);
	}
	return found;
}
