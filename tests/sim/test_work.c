/* What a packet costs: the worst repetition of each kind of packet, in two sizes.  Four times as
 * much costs at most five times as much, counted in steps: this test is built a second time with
 * the broker compiled so that every block of its code counts itself (COUNTED).  And no turn of the
 * loop takes long, in CPU time; that is asked for only where the build is one that users run.  A
 * turn is what a real loop does between two polls: what one read of a connection gave is handled,
 * then the home's turn.  The journal's turns, and what the far end does, are other threads' time.
 */
#include <time.h>

#include "base/clock.h"
#include "net/memory.h"
#include "proto/publish.h"
#include "scenario.h"

#define READ_BYTES 65536 /* what one read of a connection gives, at most */
#define TURN_MS    10.0
#define GROWTH     5
#define TRIES      5
#define TURNS_MAX  2000000

/* Elsewhere only what comes of it is looked at, on less. */
#if VAKT_SANITIZED || !defined(__OPTIMIZE__)
#define SHRINK 50
#else
#define SHRINK 1
#endif

#ifdef COUNTED
static uint64_t steps_taken;

/* Called by every block of the broker's code. */
void __sanitizer_cov_trace_pc(void);
__attribute__((no_sanitize_coverage)) void __sanitizer_cov_trace_pc(void)
{
	steps_taken++;
}
#define IS_COUNTED true
#else
static const uint64_t steps_taken = 0;
#define IS_COUNTED false
#endif

/* --- a client that is nothing but bytes --- */

struct peer {
	struct world *w;
	struct wire *wire;
	size_t got_bytes;
	uint8_t last_type; /* of the packets that came: the first byte of the newest */
	struct buf got;    /* where it is kept */
	bool keeps;
};

struct cost {
	double total_ms, turn_ms; /* turn: the longest */
	uint64_t steps;
	unsigned turns;
};

static double cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void take_output(struct peer *p)
{
	struct buf *in = memory_received(wire_peer(p->wire));

	p->got_bytes += in->len;
	if (p->keeps)
		buf_put_slice(&p->got, buf_slice(in));
	buf_clear(in);
}

/* One turn of the worker's loop. False: nothing happened in it. */
static bool turn(struct world *w, struct peer *p, struct cost *cost)
{
	struct home *home = &w->server->workers[0]->home;
	double begin, ms;
	uint64_t before = steps_taken;
	bool moved;

	home_enter(home);
	home_update_now(home);
	begin = cpu_ms();
	moved = p != NULL && memory_run(wire_peer(p->wire), READ_BYTES);
	moved |= home_turn(home) == 0;
	ms = cpu_ms() - begin;
	home_leave();
	moved |= !inbox_is_empty(&home->inbox);
	cost->steps += steps_taken - before;
	cost->total_ms += ms;
	if (ms > cost->turn_ms)
		cost->turn_ms = ms;
	cost->turns++;
	if (p != NULL)
		take_output(p);
	return world_commit(w) || moved;
}

static struct cost run(struct world *w, struct peer *p)
{
	struct cost cost = {0};
	unsigned idle = 0;

	while (idle < 3) { /* what goes on being read is so in the next turn */
		idle = turn(w, p, &cost) ? 0 : idle + 1;
		assert_true(cost.turns < TURNS_MAX);
	}
	return cost;
}

static void put_packet(struct buf *out, uint8_t first, struct slice body)
{
	buf_put_u8(out, first);
	buf_put_varint(out, (uint32_t)body.len);
	buf_put_slice(out, body);
}

static void send(struct peer *p, struct slice bytes)
{
	memory_send(wire_peer(p->wire), bytes);
}

static void send_packet(struct peer *p, uint8_t first, struct buf *body)
{
	struct buf packet = {0};

	put_packet(&packet, first, buf_slice(body));
	send(p, buf_slice(&packet));
	buf_fini(&packet);
	buf_fini(body);
}

struct who {
	const char *id;
	uint32_t expiry_s;
	uint16_t receive_maximum, topic_aliases;
	bool resume;
};

static void connect_peer(struct peer *p, struct world *w, const struct who *who)
{
	struct buf body = {0}, properties = {0};

	*p = (struct peer){.w = w, .wire = world_connect(w, "peer", NULL)};
	buf_put_string(&body, SLICE("MQTT"));
	buf_put_u8(&body, 5);
	buf_put_u8(&body, who->resume ? 0 : 2);
	buf_put_u16(&body, 0);
	property_put_u32(&properties, PROPERTY_SESSION_EXPIRY, who->expiry_s);
	property_put_u16(&properties, PROPERTY_RECEIVE_MAXIMUM,
	                 who->receive_maximum == 0 ? 65535 : who->receive_maximum);
	property_put_u16(&properties, PROPERTY_TOPIC_ALIAS_MAXIMUM, who->topic_aliases);
	buf_put_varint(&body, (uint32_t)properties.len);
	buf_put_slice(&body, buf_slice(&properties));
	buf_fini(&properties);
	buf_put_string(&body, slice_of_str(who->id));
	send_packet(p, 0x10, &body);
}

static void peer_fini(struct peer *p)
{
	buf_fini(&p->got);
}

/* --- what is sent --- */

static void begin_request(struct buf *body, uint16_t packet_id)
{
	buf_put_u16(body, packet_id);
	buf_put_u8(body, 0); /* properties */
}

static void put_filter(struct buf *body, const char *format, unsigned i, int options)
{
	char filter[200];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(filter, sizeof(filter), format, i);
#pragma GCC diagnostic pop
	buf_put_string(body, slice_of_str(filter));
	if (options >= 0)
		buf_put_u8(body, (uint8_t)options);
}

static void subscribe_many(struct peer *p, const char *format, unsigned n, int options)
{
	struct buf body = {0};

	begin_request(&body, 1);
	for (unsigned i = 0; i < n; i++)
		put_filter(&body, format, i, options);
	send_packet(p, 0x82, &body);
}

static void unsubscribe_many(struct peer *p, const char *format, unsigned n)
{
	struct buf body = {0};

	begin_request(&body, 2);
	for (unsigned i = 0; i < n; i++)
		put_filter(&body, format, i, -1);
	send_packet(p, 0xa2, &body);
}

static void put_publish(struct buf *out, const char *topic, uint8_t qos, bool retain, uint16_t id)
{
	struct publish_out p = {.version = MQTT_5_0,
	                        .qos = qos,
	                        .retain = retain,
	                        .packet_id = id,
	                        .topic = slice_of_str(topic),
	                        .payload = SLICE("x")};

	publish_encode(out, &p);
}

static void publish_many(struct peer *p, const char *format, unsigned n, uint8_t qos, bool retain)
{
	struct buf out = {0};
	char topic[200];

	for (unsigned i = 0; i < n; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(topic, sizeof(topic), format, i);
#pragma GCC diagnostic pop
		put_publish(&out, topic, qos, retain, (uint16_t)(i % 65535 + 1));
	}
	send(p, buf_slice(&out));
	buf_fini(&out);
}

static void acknowledge_many(struct peer *p, uint8_t first, unsigned n, bool backwards)
{
	struct buf out = {0};

	for (unsigned i = 1; i <= n; i++) {
		buf_put_u8(&out, first);
		buf_put_u8(&out, 2);
		buf_put_u16(&out, (uint16_t)(backwards ? n + 1 - i : i));
	}
	send(p, buf_slice(&out));
	buf_fini(&out);
}

/* --- the cases --- */

static const struct who clean = {.id = "one"}, kept = {.id = "one", .expiry_s = 100000},
			other = {.id = "other"};

struct bench {
	struct world *w;
	struct peer one, other;
	unsigned n;
};

static struct cost of_one(struct bench *b)
{
	return run(b->w, &b->one);
}

static void begin(struct bench *b, const struct who *who)
{
	connect_peer(&b->one, b->w, who);
	run(b->w, &b->one);
}

static void begin_other(struct bench *b)
{
	connect_peer(&b->other, b->w, &other);
	run(b->w, &b->other);
}

static struct cost same_filter(struct bench *b)
{
	begin(b, &clean);
	subscribe_many(&b->one, "a/+", b->n, 0);
	return of_one(b);
}

static struct cost same_filter_kept(struct bench *b)
{
	begin(b, &kept);
	subscribe_many(&b->one, "a/+", b->n, 1);
	return of_one(b);
}

static struct cost filters(struct bench *b)
{
	begin(b, &clean);
	subscribe_many(&b->one, "a/%u/+", b->n, 0);
	return of_one(b);
}

static struct cost filters_kept(struct bench *b)
{
	begin(b, &kept);
	subscribe_many(&b->one, "a/%u/+", b->n, 1);
	return of_one(b);
}

static struct cost groups(struct bench *b)
{
	begin(b, &clean);
	subscribe_many(&b->one, "$share/%08u/a", b->n, 1);
	return of_one(b);
}

static struct cost unsubscribe_nothing(struct bench *b)
{
	begin(b, &clean);
	unsubscribe_many(&b->one, "a/+", b->n);
	return of_one(b);
}

static struct cost unsubscribe_all(struct bench *b)
{
	begin(b, &clean);
	subscribe_many(&b->one, "a/%u/+", b->n, 0);
	of_one(b);
	unsubscribe_many(&b->one, "a/%u/+", b->n);
	return of_one(b);
}

static struct cost unsubscribe_kept(struct bench *b)
{
	begin(b, &kept);
	subscribe_many(&b->one, "a/%u/+", b->n, 1);
	of_one(b);
	unsubscribe_many(&b->one, "a/%u/+", b->n);
	return of_one(b);
}

static struct cost end_of_session(struct bench *b)
{
	begin(b, &clean);
	subscribe_many(&b->one, "a/%u/+", b->n, 0);
	of_one(b);
	memory_send_end(wire_peer(b->one.wire), STREAM_END_RESET);
	return of_one(b);
}

static struct cost clean_start(struct bench *b)
{
	begin(b, &kept);
	subscribe_many(&b->one, "a/%u/+", b->n, 1);
	of_one(b);
	memory_send_end(wire_peer(b->one.wire), STREAM_END_RESET);
	of_one(b);
	connect_peer(&b->one, b->w, &clean);
	return of_one(b);
}

static struct cost takeover_shared(struct bench *b)
{
	struct who again = kept;

	again.resume = true;
	begin(b, &kept);
	subscribe_many(&b->one, "$share/g/a/%u", b->n, 1);
	of_one(b);
	connect_peer(&b->one, b->w, &again);
	return of_one(b);
}

static struct cost pings(struct bench *b)
{
	struct buf out = {0};

	begin(b, &clean);
	for (unsigned i = 0; i < b->n; i++)
		buf_put(&out, "\xc0\0", 2);
	send(&b->one, buf_slice(&out));
	buf_fini(&out);
	return of_one(b);
}

static struct cost small_subscribes(struct bench *b)
{
	struct buf out = {0};

	begin(b, &kept);
	for (unsigned i = 0; i < b->n; i++)
		buf_put(&out, "\x82\7\0\1\0\0\1a\1", 9);
	send(&b->one, buf_slice(&out));
	buf_fini(&out);
	return of_one(b);
}

static struct cost user_properties(struct bench *b)
{
	struct buf body = {0}, properties = {0};

	begin(b, &clean);
	for (unsigned i = 0; i < b->n; i++)
		buf_put(&properties, "\x26\0\0\0\0", 5);
	buf_put_string(&body, SLICE("a"));
	buf_put_varint(&body, (uint32_t)properties.len);
	buf_put_slice(&body, buf_slice(&properties));
	buf_fini(&properties);
	send_packet(&b->one, 0x30, &body);
	return of_one(b);
}

static struct cost text_payload(struct bench *b)
{
	struct buf body = {0};

	begin(b, &clean);
	buf_put_string(&body, SLICE("a"));
	buf_put(&body, "\2\1\1", 3);
	buf_put_u8(&body, 0);
	for (unsigned i = 0; i < b->n / 3; i++)
		buf_put(&body, "\xe2\x82\xac", 3);
	send_packet(&b->one, 0x30, &body);
	return of_one(b);
}

static struct cost publishes(struct bench *b, uint8_t qos, bool retain)
{
	begin(b, &clean);
	begin_other(b);
	subscribe_many(&b->one, "a/#", 1, qos);
	of_one(b);
	publish_many(&b->other, "a/%u", b->n, qos, retain);
	return run(b->w, &b->other);
}

static struct cost publishes_0(struct bench *b)
{
	return publishes(b, 0, false);
}

static struct cost publishes_retained(struct bench *b)
{
	return publishes(b, 0, true);
}

/* The client has them all; none is acknowledged. */
static void in_flight(struct bench *b, const struct who *who, uint8_t qos, const char *filter)
{
	begin(b, who);
	begin_other(b);
	subscribe_many(&b->one, filter, 1, qos);
	of_one(b);
	for (unsigned i = 0; i < b->n; i += 10) {
		publish_many(&b->other, "a", 10, qos, false);
		run(b->w, &b->other);
		if (qos == 2) {
			acknowledge_many(&b->other, 0x62, 10, false);
			run(b->w, &b->other);
		}
		of_one(b);
	}
}

static struct cost pubacks(struct bench *b)
{
	in_flight(b, &clean, 1, "a");
	acknowledge_many(&b->one, 0x40, b->n, true);
	return of_one(b);
}

static struct cost pubacks_kept(struct bench *b)
{
	in_flight(b, &kept, 1, "a");
	acknowledge_many(&b->one, 0x40, b->n, true);
	return of_one(b);
}

static struct cost pubrecs_kept(struct bench *b)
{
	in_flight(b, &kept, 2, "a");
	acknowledge_many(&b->one, 0x50, b->n, true);
	return of_one(b);
}

static struct cost pubcomps(struct bench *b)
{
	in_flight(b, &kept, 2, "a");
	acknowledge_many(&b->one, 0x50, b->n, true);
	of_one(b);
	acknowledge_many(&b->one, 0x70, b->n, true);
	return of_one(b);
}

static struct cost pubrels_unknown(struct bench *b)
{
	begin(b, &kept);
	acknowledge_many(&b->one, 0x62, b->n, true);
	return of_one(b);
}

static struct cost end_in_flight(struct bench *b)
{
	in_flight(b, &kept, 1, "a");
	memory_send_end(wire_peer(b->one.wire), STREAM_END_RESET);
	return of_one(b);
}

static struct cost end_in_flight_shared(struct bench *b)
{
	in_flight(b, &kept, 1, "$share/g/a");
	subscribe_many(&b->other, "$share/g/a", 1, 1);
	run(b->w, &b->other);
	memory_send_end(wire_peer(b->one.wire), STREAM_END_RESET);
	return of_one(b);
}

static struct cost resume(struct bench *b, uint8_t qos, bool released)
{
	struct who again = kept;

	again.resume = true;
	in_flight(b, &kept, qos, "a");
	if (released)
		acknowledge_many(&b->one, 0x50, b->n, true);
	of_one(b);
	memory_send_end(wire_peer(b->one.wire), STREAM_END_RESET);
	of_one(b);
	connect_peer(&b->one, b->w, &again);
	return of_one(b);
}

static struct cost resume_1(struct bench *b)
{
	return resume(b, 1, false);
}

static struct cost resume_2(struct bench *b)
{
	return resume(b, 2, false);
}

static struct cost resume_released(struct bench *b)
{
	return resume(b, 2, true);
}

static struct cost aliases(struct bench *b)
{
	struct who who = clean;

	who.topic_aliases = 65535;
	begin(b, &who);
	begin_other(b);
	subscribe_many(&b->one, "#", 1, 0);
	of_one(b);
	publish_many(&b->other, "topic/%08u", b->n, 0, false);
	return run(b->w, &b->other);
}

/* All filters of `+` and `a` by the bits of a number: all match one topic of 100 levels. */
static struct cost deep(struct bench *b)
{
	struct buf body = {0};
	char filter[256], topic[256];

	begin(b, &clean);
	begin_other(b);
	begin_request(&body, 1);
	for (unsigned i = 0; i < b->n; i++) {
		for (unsigned level = 0; level < 120; level++) {
			filter[2 * level] = (i >> (level % 16) & 1) != 0 ? '+' : 'a';
			filter[2 * level + 1] = level == 119 ? '\0' : '/';
		}
		buf_put_string(&body, slice_of_str(filter));
		buf_put_u8(&body, 0);
	}
	send_packet(&b->one, 0x82, &body);
	of_one(b);
	for (unsigned level = 0; level < 120; level++) {
		topic[2 * level] = 'a';
		topic[2 * level + 1] = level == 119 ? '\0' : '/';
	}
	publish_many(&b->other, topic, 100, 0, false);
	return run(b->w, &b->other);
}

static void retained(struct bench *b, unsigned n)
{
	begin_other(b);
	for (unsigned i = 0; i < n; i += 1000) {
		struct buf out = {0};
		char topic[32];

		for (unsigned k = i; k < i + 1000 && k < n; k++) {
			snprintf(topic, sizeof(topic), "r/%u", k);
			put_publish(&out, topic, 1, true, (uint16_t)(k % 10 + 1));
			if (k % 10 == 9) {
				send(&b->other, buf_slice(&out));
				buf_clear(&out);
				run(b->w, &b->other);
			}
		}
		buf_fini(&out);
	}
}

static struct cost replay(struct bench *b)
{
	retained(b, b->n);
	begin(b, &clean);
	subscribe_many(&b->one, "r/#", 1, 1);
	return of_one(b);
}

static struct cost replay_kept(struct bench *b)
{
	retained(b, b->n);
	begin(b, &kept);
	subscribe_many(&b->one, "r/#", 1, 1);
	return of_one(b);
}

static struct cost end_in_replay(struct bench *b, const struct who *who)
{
	struct cost cost = {0};

	retained(b, 10000);
	begin(b, who);
	subscribe_many(&b->one, "r/#", 1, 1);
	subscribe_many(&b->one, "+/%08u/#", b->n, 1);
	for (unsigned i = 0; i < 60; i++)
		turn(b->w, &b->one, &cost);
	memory_send_end(wire_peer(b->one.wire), STREAM_END_RESET);
	return of_one(b);
}

static struct cost end_in_replay_clean(struct bench *b)
{
	return end_in_replay(b, &clean);
}

static struct cost end_in_replay_kept(struct bench *b)
{
	return end_in_replay(b, &kept);
}

static struct cost expiries(struct bench *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		char id[16];
		struct who who = {.id = id, .expiry_s = 60};

		snprintf(id, sizeof(id), "c%u", i);
		begin(b, &who);
		memory_send_end(wire_peer(b->one.wire), STREAM_END_RESET);
		of_one(b);
	}
	b->w->now_ms += 61000;
	return of_one(b);
}

static const struct row {
	const char *name;
	struct cost (*fn)(struct bench *b);
	unsigned n; /* the larger one */
} rows[] = {
    {"the same filter", same_filter, 300000},
    {"the same filter, kept", same_filter_kept, 300000},
    {"filters", filters, 10000},
    {"filters, kept", filters_kept, 10000},
    {"$share groups of one filter", groups, 10000},
    {"UNSUBSCRIBE of nothing", unsubscribe_nothing, 300000},
    {"UNSUBSCRIBE", unsubscribe_all, 10000},
    {"UNSUBSCRIBE, kept", unsubscribe_kept, 10000},
    {"the end of a session with subscriptions", end_of_session, 10000},
    {"Clean Start over subscriptions", clean_start, 10000},
    {"takeover with shared subscriptions", takeover_shared, 10000},
    {"PINGREQ", pings, 200000},
    {"SUBSCRIBE of one filter, many", small_subscribes, 40000},
    {"User Properties", user_properties, 400000},
    {"a payload of text", text_payload, 2000000},
    {"PUBLISH", publishes_0, 40000},
    {"PUBLISH retained", publishes_retained, 40000},
    {"PUBACK backwards", pubacks, 60000},
    {"PUBACK backwards, kept", pubacks_kept, 60000},
    {"PUBREC backwards, kept", pubrecs_kept, 60000},
    {"PUBCOMP backwards, kept", pubcomps, 60000},
    {"PUBREL of nothing", pubrels_unknown, 60000},
    {"the end with messages in flight", end_in_flight, 60000},
    {"the end with shared messages in flight", end_in_flight_shared, 60000},
    {"resume with QoS 1 in flight", resume_1, 60000},
    {"resume with QoS 2 in flight", resume_2, 60000},
    {"resume with PUBRELs owed", resume_released, 60000},
    {"topic aliases given out", aliases, 40000},
    {"deep filters that match", deep, 1000},
    {"replay", replay, 40000},
    {"replay, kept", replay_kept, 40000},
    {"the end in many replays", end_in_replay_clean, 10000},
    {"the end in many replays, kept", end_in_replay_kept, 10000},
    {"sessions that expire together", expiries, 1000},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* Budgets look at the clock: it goes on. */
static uint64_t running_ns(void *arg)
{
	const struct world *w = arg;
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return w->now_ms * 1000000u + (uint64_t)t.tv_nsec % 1000000000u +
	       (uint64_t)(t.tv_sec % 1000) * 1000000000u;
}

static int64_t wall_ms(void *arg)
{
	const struct world *w = arg;

	return (int64_t)w->now_ms + 1700000000000;
}

static struct cost measure(const struct row *row, unsigned n)
{
	const struct world_settings settings = {.seed = 1, .workers = 1, .held = true};
	struct world *w = world_new(&settings);
	struct clock_source clock = {.monotonic_ns = running_ns, .wall_ms = wall_ms, .arg = w};
	struct bench b = {.w = w, .n = n};
	struct cost cost;

	if (SHRINK == 1 && !IS_COUNTED) /* else a step takes longer, and turns are many */
		clock_use(&clock);
	cost = row->fn(&b);
	peer_fini(&b.one);
	peer_fini(&b.other);
	world_free(w);
	return cost;
}

static void one_row(void **state)
{
	const struct row *row = *state;
	struct cost few = measure(row, row->n / SHRINK / 4), many = measure(row, row->n / SHRINK);

	for (int i = 1; i < TRIES && SHRINK == 1 && !IS_COUNTED && many.turn_ms > TURN_MS; i++)
		many = measure(row, row->n);
	printf(
	    "# %-42s %7u: %8.2f ms, %8.2f ms; the longest of %u turns %.2f ms; %llu, %llu steps\n",
	    row->name, row->n / SHRINK, few.total_ms, many.total_ms, many.turns, many.turn_ms,
	    (unsigned long long)few.steps, (unsigned long long)many.steps);
	fflush(stdout);
	assert_true(many.steps <= GROWTH * few.steps);
	if (SHRINK == 1 && !IS_COUNTED)
		assert_true(many.turn_ms <= TURN_MS);
}

int main(void)
{
	struct CMUnitTest tests[ROWS];

	log_set_level(LOG_LEVEL_ERROR);
	for (size_t i = 0; i < ROWS; i++)
		tests[i] = (struct CMUnitTest){.name = rows[i].name,
		                               .test_func = one_row,
		                               .initial_state = (void *)(uintptr_t)&rows[i]};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	cmocka_set_test_filter(getenv("VAKT_WORK"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
