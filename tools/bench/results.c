/* The table for people, the line for programs, and the exit status. */
#include "results.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/json.h"
#include "base/require.h"
#include "program/command_line.h"

static const struct {
	const char *name;
	uint64_t percentile;
} percentiles[] = {
    {"p50", 50 * HISTOGRAM_PERCENT},
    {"p90", 90 * HISTOGRAM_PERCENT},
    {"p99", 99 * HISTOGRAM_PERCENT},
    {"p99_9", 99900},
    {"p99_99", 99990},
    {"max", 100 * HISTOGRAM_PERCENT},
};

void results_init(struct results *r, const struct workload *w)
{
	*r = (struct results){.workload = w};
	histogram_init(&r->latency, HISTOGRAM_FINE);
	histogram_init(&r->ack, HISTOGRAM_FINE);
	histogram_init(&r->late, HISTOGRAM_FINE);
	histogram_init(&r->connect, HISTOGRAM_FINE);
}

void results_fini(struct results *r)
{
	histogram_fini(&r->latency);
	histogram_fini(&r->ack);
	histogram_fini(&r->late);
	histogram_fini(&r->connect);
	buf_fini(&r->reasons);
	free(r->failure);
}

/* Of what follows when the last one is done, a second; 0 where a schedule says it. */
static double closed_rate(const struct results *r)
{
	const struct workload *w = r->workload;

	if (r->seconds <= 0)
		return 0;
	if (w->publishers > 0)
		return workload_is_closed(w) ? (double)r->sent / r->seconds : 0;
	return workload_has_closed_storm(w) ? (double)r->connects / r->seconds : 0;
}

void results_finish(struct results *r)
{
	struct self_check *c = &r->check;

	REQUIRE(r->check.begun <= r->check.due &&
	        r->latency.total <= r->flow.unique + r->flow.duplicates);
	r->lost = r->expected > r->flow.unique ? r->expected - r->flow.unique : 0;
	c->late_p99_ns = histogram_percentile(&r->late, 99 * HISTOGRAM_PERCENT);
	c->latency_p99_ns = histogram_percentile(r->latency.total > 0 ? &r->latency
	                                         : r->ack.total > 0   ? &r->ack
	                                                              : &r->connect,
	                                         99 * HISTOGRAM_PERCENT);
	c->rate = closed_rate(r);
	c->alone = r->has_alone ? &r->alone : NULL;
	r->is_limited = r->failure == NULL && self_check(c, &r->reasons);
}

/* QoS 0 promises nothing about loss. With shared subscriptions the order is that of a group's
 * members, who do not wait for each other. */
static bool is_promise_broken(const struct results *r)
{
	const struct workload *w = r->workload;

	return (w->qos > 0 && r->lost > 0) || (w->qos == 2 && r->flow.duplicates > 0) ||
	       (w->layout != LAYOUT_SHARED && r->flow.disordered > 0);
}

int results_status(const struct results *r)
{
	return r->failure != NULL || r->interrupted ? EXIT_FAILED
	       : is_promise_broken(r)               ? EXIT_BROKEN_PROMISE
	       : r->is_limited                      ? EXIT_LIMITED
	                                            : 0;
}

/* --- for people --- */

static void print_histogram(const char *name, const struct histogram *h, FILE *to)
{
	if (h->total == 0)
		return;
	fprintf(to, "%-24s", name);
	for (size_t i = 0; i < ARRAY_LEN(percentiles); i++)
		fprintf(to, " %10.3f",
		        (double)histogram_percentile(h, percentiles[i].percentile) / 1e6);
	fputc('\n', to);
}

static void print_histograms(const struct results *r, FILE *to)
{
	if (r->latency.total + r->ack.total + r->connect.total == 0)
		return;
	fprintf(to, "%-24s %10s %10s %10s %10s %10s %10s\n", "milliseconds", "p50", "p90", "p99",
	        "p99.9", "p99.99", "max");
	print_histogram("  until received", &r->latency, to);
	print_histogram("  until acknowledged", &r->ack, to);
	print_histogram("  until connected", &r->connect, to);
	print_histogram("  begun after it was due", &r->late, to);
}

static void print_messages(const struct results *r, FILE *to)
{
	double seconds = r->seconds > 0 ? r->seconds : 1;

	if (r->workload->publishers == 0)
		return;
	fprintf(to, "in %.1f s:  sent %" PRIu64 " (%.1f/s), received %" PRIu64 " (%.1f/s)\n",
	        r->seconds, r->sent, (double)r->sent / seconds, r->received,
	        (double)r->received / seconds);
	fprintf(to,
	        "in all:  sent %" PRIu64 ", expected %" PRIu64 ", lost %" PRIu64 ", twice %" PRIu64
	        ", out of order %" PRIu64 ", refused %" PRIu64 ", not sent %" PRIu64 "\n",
	        r->sent_all, r->expected, r->lost, r->flow.duplicates, r->flow.disordered,
	        r->refused_acks, r->unsent);
	if (r->full_window + r->full_socket > 0)
		fprintf(to,
		        "held up by the broker:  %" PRIu64 " by a full window, %" PRIu64
		        " by a full socket\n",
		        r->full_window, r->full_socket);
	if (r->foreign > 0)
		fprintf(to, "%" PRIu64 " messages of others came on these topics\n", r->foreign);
}

static void print_connects(const struct results *r, FILE *to)
{
	if (!workload_has_storm(r->workload))
		return;
	fprintf(to,
	        "connects:  %" PRIu64 " in %.1f s (%.1f/s); in all %" PRIu64 ", failed %" PRIu64
	        ", resumed %" PRIu64 " of %" PRIu64 "\n",
	        r->connects, r->seconds, r->seconds > 0 ? (double)r->connects / r->seconds : 0,
	        r->connects_all, r->connect_fails, r->resumed, r->handshakes);
}

/* Per thing, where there were some. */
static void print_each(FILE *to, const char *name, double value, const char *unit, uint64_t count)
{
	if (count > 0)
		fprintf(to, ", %.2f %s %s", value / (double)count, unit, name);
}

static void print_usage_of_broker(const struct results *r, FILE *to)
{
	const struct workload *w = r->workload;

	if (!r->has_usage)
		return;
	fprintf(to, "the broker:  %.1f MB resident", (double)r->resident_bytes / 1e6);
	if (r->seconds > 0)
		fprintf(to, ", %.1f%% of a core", (double)r->cpu_ns / 1e7 / r->seconds);
	print_each(to, "for a message", (double)r->cpu_ns / 1e3, "us", r->sent + r->received);
	if (r->sent + r->received == 0)
		print_each(to, "for a connect", (double)r->cpu_ns / 1e3, "us", r->connects);
	print_each(to, "for an idle client", (double)r->idle_bytes, "bytes", w->idle);
	if (w->filters > 1)
		print_each(to, "for a subscription", (double)r->subscribe_bytes, "bytes",
		           w->filters * w->subscribers);
	if (w->away)
		print_each(to, "for a queued message", (double)r->traffic_bytes, "bytes", r->sent);
	if (w->replays > 0)
		fprintf(to, ", %.2f ms for a replay", (double)r->replay_cpu_ns / 1e6);
	fputc('\n', to);
}

static void print_alone(const struct results *r, FILE *to)
{
	if (!r->has_alone)
		return;
	fprintf(to, "without the broker, against a null sink:  ");
	if (r->alone.rate > 0)
		fprintf(to, "%.1f/s, ", r->alone.rate);
	fprintf(to, "%.0f%% of a core, one in a hundred %.3f ms late or more\n",
	        r->alone.busy * 100, (double)r->alone.late_p99_ns / 1e6);
}

void results_print(const struct results *r, FILE *to)
{
	if (r->failure != NULL)
		return;
	print_messages(r, to);
	print_connects(r, to);
	print_histograms(r, to);
	print_usage_of_broker(r, to);
	print_alone(r, to);
	if (r->is_limited)
		fprintf(to,
		        "The figures say more about the generator than about the broker: %.*s.\n",
		        (int)r->reasons.len, (const char *)r->reasons.data);
}

/* --- for programs --- */

static void put_histogram(struct buf *out, const char *prefix, const struct histogram *h)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "%s_count", prefix);
	json_number(out, name, h->total);
	(void)snprintf(name, sizeof(name), "%s_mean_ns", prefix);
	json_number(out, name, histogram_mean(h));
	for (size_t i = 0; i < ARRAY_LEN(percentiles); i++) {
		(void)snprintf(name, sizeof(name), "%s_%s_ns", prefix, percentiles[i].name);
		json_number(out, name, histogram_percentile(h, percentiles[i].percentile));
	}
}

static void put_workload(struct buf *out, const struct workload *w)
{
	for (size_t i = 0; i < WORKLOAD_KEYS; i++) {
		struct buf value = {0};
		char name[64];

		workload_format(w, (enum workload_key)i, &value);
		(void)snprintf(name, sizeof(name), "workload_%s",
		               workload_name((enum workload_key)i));
		json_text(out, name, buf_slice(&value));
		buf_fini(&value);
	}
}

static uint64_t grown(int64_t bytes)
{
	return bytes > 0 ? (uint64_t)bytes : 0;
}

static void put_alone(struct buf *out, const struct self_check *alone)
{
	json_number(out, "alone_rate", (uint64_t)alone->rate);
	json_number(out, "alone_due", alone->due);
	json_number(out, "alone_begun", alone->begun);
	json_number(out, "alone_busy_permille", (uint64_t)(alone->busy * 1000));
	json_number(out, "alone_late_p99_ns", alone->late_p99_ns);
}

static void put_broker(struct buf *out, const struct results *r)
{
	json_number(out, "broker_cpu_ns", r->cpu_ns);
	json_number(out, "broker_resident_bytes", r->resident_bytes);
	json_number(out, "broker_idle_bytes", grown(r->idle_bytes));
	json_number(out, "broker_subscribe_bytes", grown(r->subscribe_bytes));
	json_number(out, "broker_subscribe_cpu_ns", r->subscribe_cpu_ns);
	json_number(out, "broker_traffic_bytes", grown(r->traffic_bytes));
	json_number(out, "broker_replay_cpu_ns", r->replay_cpu_ns);
	json_number(out, "replay_wall_ns", r->replay_wall_ns);
}

void results_put_json(const struct results *r, struct buf *out)
{
	struct {
		const char *name;
		uint64_t value;
	} const numbers[] = {
	    {"measured_ns", (uint64_t)(r->seconds * 1e9)},
	    {"sent", r->sent},
	    {"received", r->received},
	    {"connects", r->connects},
	    {"sent_all", r->sent_all},
	    {"acknowledged_all", r->acked_all},
	    {"expected", r->expected},
	    {"lost", r->lost},
	    {"duplicates", r->flow.duplicates},
	    {"out_of_order", r->flow.disordered},
	    {"refused", r->refused_acks},
	    {"not_sent", r->unsent},
	    {"foreign", r->foreign},
	    {"slow_received", r->slow_received},
	    {"held_up_window", r->full_window},
	    {"held_up_socket", r->full_socket},
	    {"connects_all", r->connects_all},
	    {"connects_failed", r->connect_fails},
	    {"handshakes", r->handshakes},
	    {"resumed", r->resumed},
	    {"due", r->check.due},
	    {"begun", r->check.begun},
	    {"generator_busy_permille", (uint64_t)(r->check.busy * 1000)},
	    {"generator_waited_permille", (uint64_t)(r->check.waited * 1000)},
	};

	REQUIRE(r->check.busy >= 0 && r->check.waited >= 0 && r->seconds >= 0);
	json_open(out);
	json_str(out, "version", VAKT_VERSION);
	json_str(out, "error", r->failure);
	json_bool(out, "interrupted", r->interrupted);
	json_bool(out, "generator_limited", r->is_limited);
	json_text(out, "generator_limited_by", buf_slice(&r->reasons));
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		json_number(out, numbers[i].name, numbers[i].value);
	put_histogram(out, "latency", &r->latency);
	put_histogram(out, "ack", &r->ack);
	put_histogram(out, "connect", &r->connect);
	put_histogram(out, "late", &r->late);
	if (r->has_usage)
		put_broker(out, r);
	if (r->has_alone)
		put_alone(out, &r->alone);
	put_workload(out, r->workload);
	json_close(out);
}
