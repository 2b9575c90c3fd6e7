/* What the shared trees cost: matching, joining, storing, replaying; time and memory.  Built with
 * the tests, run by hand on a release build without sanitizers:
 *     meson setup release --buildtype=release -Dtests=enabled && ninja -C release &&
 * release/tests/bench/store_bench
 */
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "tree/retain.h"
#include "tree/retain_cursor.h"
#include "tree/route.h"
#include "tree/route_match.h"

enum { FILTERS = 100000, MATCHES = 1000000, VALUES = 10000, PUTS = 1000000 };

static size_t used_bytes(void)
{
	return mallinfo2().uordblks + mallinfo2().hblkhd;
}

static double since_ns(uint64_t start, size_t count)
{
	return (double)(clock_monotonic_ns() - start) / (double)count;
}

/* 100,000 devices of a large house: 250 floors, 20 rooms, 20 devices. */
static size_t device_text(char *out, size_t size, unsigned i)
{
	return (size_t)snprintf(out, size, "home/floor%u/room%u/device%u/state", i % 250,
	                        i / 250 % 20, i / 5000);
}

/* Ten that match device 0 and a little else. */
static const char *const wide[] = {
    "#",
    "home/#",
    "home/+/#",
    "home/floor0/#",
    "home/floor0/+/device0/state",
    "+/floor0/room0/+/state",
    "home/floor0/room0/#",
    "home/floor0/room0/device0/+",
    "+/+/+/+/state",
};

static void match_some(struct route *r, const char *what, unsigned spread)
{
	struct route_match m = {0};
	size_t found = 0;
	uint64_t start = clock_monotonic_ns();

	for (unsigned i = 0; i < MATCHES; i++) {
		char topic[64];
		size_t len = device_text(topic, sizeof(topic), spread == 0 ? 0 : i * 7919 % spread);

		route_read_begin(r, 0);
		route_match(r, slice_of(topic, len), &m);
		route_read_end(r, 0);
		found += m.filter_count;
	}
	printf("%-44s %8.0f ns, %.1f filters found\n", what, since_ns(start, MATCHES),
	       (double)found / MATCHES);
	route_match_fini(&m);
}

static void text_alone(void)
{
	uint64_t start = clock_monotonic_ns();
	size_t characters = 0;

	for (unsigned i = 0; i < MATCHES; i++) {
		char topic[64];

		characters += device_text(topic, sizeof(topic), i * 7919 % FILTERS);
	}
	printf("%-44s %8.0f ns, %.1f characters\n", "making a topic's text (contained below)",
	       since_ns(start, MATCHES), (double)characters / MATCHES);
}

static void bench_route(void)
{
	struct route *r = route_new(4);
	size_t before = used_bytes();
	uint64_t start = clock_monotonic_ns();
	char filter[64];

	for (unsigned i = 0; i < FILTERS; i++)
		route_join(r, i % 4, slice_of(filter, device_text(filter, sizeof(filter), i)));
	printf("%-44s %8.0f ns\n", "route_join, each a new filter", since_ns(start, FILTERS));
	printf("%-44s %8.0f bytes\n", "memory per filter",
	       (double)(used_bytes() - before) / FILTERS);
	text_alone();
	match_some(r, "route_match, 1 of 100,000, all topics", FILTERS);
	match_some(r, "route_match, 1 of 100,000, one topic", 0);
	for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++)
		route_join(r, 0, slice_of_str(wide[i]));
	match_some(r, "route_match, 10 of 100,000, one topic", 0);
	match_some(r, "route_match, with wildcards, all topics", FILTERS);
	start = clock_monotonic_ns();
	for (unsigned i = 0; i < FILTERS; i++)
		route_leave(r, i % 4, slice_of(filter, device_text(filter, sizeof(filter), i)));
	printf("%-44s %8.0f ns\n", "route_leave", since_ns(start, FILTERS));
	route_free(r);
}

static void bench_durable(void)
{
	static const _Atomic uint64_t clock = 0;
	struct route *r = route_new(4);
	size_t before = used_bytes();
	uint64_t start = clock_monotonic_ns();
	char filter[64];

	for (unsigned i = 0; i < FILTERS; i++) {
		struct route_target t = {.session_id = i + 1, .durable = true};

		route_target_put(r, slice_of(filter, device_text(filter, sizeof(filter), i)), &t,
		                 &clock);
	}
	printf("%-44s %8.0f ns, %.0f bytes\n", "route_target_put, each a new filter",
	       since_ns(start, FILTERS), (double)(used_bytes() - before) / FILTERS);
	before = used_bytes();
	start = clock_monotonic_ns();
	for (unsigned i = 0; i < FILTERS; i++) {
		struct route_target t = {.session_id = i + 1, .durable = true};

		route_target_put(r, SLICE("one/filter"), &t, &clock);
	}
	printf("%-44s %8.0f ns, %.0f bytes\n", "route_target_put, all of one filter",
	       since_ns(start, FILTERS), (double)(used_bytes() - before) / FILTERS);
	start = clock_monotonic_ns();
	for (unsigned i = 0; i < FILTERS; i++)
		route_target_remove(r, SLICE("one/filter"), i + 1);
	printf("%-44s %8.0f ns\n", "route_target_remove, all of one filter",
	       since_ns(start, FILTERS));
	route_free(r);
}

static void put(struct retain *r, struct slice topic, struct msg *m)
{
	struct retain_change c;

	retain_begin(r, 0, topic, 0, &c);
	retain_put(&c, m);
	retain_end(&c);
}

struct taken {
	struct msg *msg[VALUES];
	size_t count;
};

static bool take(void *arg, struct msg *msg, _Atomic uint32_t *writer_generation)
{
	struct taken *taken = arg;

	(void)writer_generation;
	taken->msg[taken->count++] = msg_ref(msg);
	return true;
}

static void replay(struct retain *r, const char *filter, size_t budget)
{
	static struct taken taken;
	uint64_t start = clock_monotonic_ns();
	struct retain_cursor *c = retain_cursor_new(r, slice_of_str(filter), UINT64_MAX);
	unsigned slices = 1;

	taken.count = 0;
	while (retain_cursor_visit(c, 0, 0, budget, take, &taken))
		slices++;
	retain_cursor_free(&c);
	printf("replay of %-10s %6zu values, %4u slices  %11.3f ms\n", filter, taken.count, slices,
	       since_ns(start, 1000000));
	for (size_t i = 0; i < taken.count; i++)
		msg_unref(&taken.msg[i]);
}

static void bench_retain(void)
{
	struct retain *r = retain_new(4);
	static struct msg *old[VALUES];
	struct retain_counts counts;
	size_t before = used_bytes();
	char topic[64];
	uint64_t start = clock_monotonic_ns();

	for (unsigned i = 0; i < VALUES; i++) {
		struct msg_parts parts = {.expires_ms = MSG_NEVER, .payload = SLICE("21.5")};
		struct msg *m;

		parts.topic = slice_of(topic, device_text(topic, sizeof(topic), i * 10));
		m = msg_new(NULL, &parts);
		put(r, parts.topic, m);
		old[i] = m;
	}
	printf("%-44s %8.0f ns\n", "retained put, each a new topic", since_ns(start, VALUES));
	retain_count(r, &counts);
	printf("%-44s %8.0f bytes\n", "memory per retained topic, without message",
	       (double)(used_bytes() - before - counts.bytes) / VALUES);
	start = clock_monotonic_ns();
	for (unsigned i = 0; i < PUTS; i++)
		put(r, msg_topic(old[i % VALUES]), old[i % VALUES]);
	printf("%-44s %8.0f ns\n", "retained put, the topic exists", since_ns(start, PUTS));
	start = clock_monotonic_ns();
	for (unsigned i = 0; i < PUTS; i++) {
		struct msg *m = retain_find(r, 0, msg_topic(old[i % VALUES]), 0);

		msg_unref(&m);
	}
	printf("%-44s %8.0f ns\n", "retain_find", since_ns(start, PUTS));
	for (unsigned i = 0; i < 3; i++)
		replay(r, "#", VALUES);
	replay(r, "#", 100);
	replay(r, "home/floor0/+/+/state", VALUES);
	for (unsigned i = 0; i < VALUES; i++)
		msg_unref(&old[i]);
	retain_free(r);
}

int main(void)
{
	hash_init();
	bench_route();
	bench_durable();
	bench_retain();
	return 0;
}
