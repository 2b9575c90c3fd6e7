/* What a packet costs: the worst repetition of each kind of packet, in two sizes.  Four times as
 * much costs at most five times as much, counted in steps: this test is built a second time with
 * the broker compiled so that every block of its code counts itself (COUNTED).  And no turn of the
 * loop takes long, in CPU time; that is asked for only where the build is one that users run.  A
 * turn is what a real loop does between two polls: what one read of a connection gave is handled,
 * then the executor's turn.  The journal's turns, and what the far end does, are other threads'
 * time.
 */
#include <time.h>

#include "base/clock.h"
#include "client/client_list.h"
#include "client/conn.h"
#include "peer.h"
#include "scenario.h"
#include "session/session.h"
#include "support/memory_stream.h"
#include "worker/worker.h"

#define TURN_MS 10.0
/* Four times as much may cost so many times as much: each slice costs something. What grows with
 * the square would cost sixteen times. */
#define GROWTH 5
#define TRIES  5

/* Otherwise only the results are checked, with less input. */
#if VAKT_SANITIZED || !defined(__OPTIMIZE__)
#define SHRINK 50
#else
#define SHRINK 1
#endif

static const struct who clean = {.id = "one"}, kept = {.id = "one", .expiry_s = 100000},
			other = {.id = "other"};

struct bench {
	struct world *w;
	struct peer one, other;
	struct cost sum;
	unsigned n;
};

static struct cost add(struct cost a, struct cost b)
{
	return (struct cost){.total_ms = a.total_ms + b.total_ms,
	                     .turn_ms = a.turn_ms > b.turn_ms ? a.turn_ms : b.turn_ms,
	                     .steps = a.steps + b.steps,
	                     .turns = a.turns + b.turns};
}

static struct cost of_one(struct bench *b)
{
	return peer_run(b->w, &b->one);
}

static void begin(struct bench *b, const struct who *who)
{
	peer_connect(&b->one, b->w, who);
	peer_run(b->w, &b->one);
}

static void begin_other(struct bench *b)
{
	peer_connect(&b->other, b->w, &other);
	peer_run(b->w, &b->other);
}

static struct cost same_filter(struct bench *b)
{
	begin(b, &clean);
	peer_subscribe_many(&b->one, "a/+", b->n, 0);
	return of_one(b);
}

static struct cost same_filter_kept(struct bench *b)
{
	begin(b, &kept);
	peer_subscribe_many(&b->one, "a/+", b->n, 1);
	return of_one(b);
}

static struct cost filters(struct bench *b)
{
	begin(b, &clean);
	peer_subscribe_many(&b->one, "a/%u/+", b->n, 0);
	return of_one(b);
}

static struct cost denied(struct bench *b)
{
	begin(b, &clean);
	peer_subscribe_many(&b->one, "a/+", b->n, 0);
	return of_one(b);
}

static struct cost filters_kept(struct bench *b)
{
	begin(b, &kept);
	peer_subscribe_many(&b->one, "a/%u/+", b->n, 1);
	return of_one(b);
}

static struct cost groups(struct bench *b)
{
	begin(b, &clean);
	peer_subscribe_many(&b->one, "$share/%08u/a", b->n, 1);
	return of_one(b);
}

static struct cost unsubscribe_groups(struct bench *b)
{
	begin(b, &clean);
	peer_subscribe_many(&b->one, "$share/%08u/a", b->n, 1);
	of_one(b);
	peer_unsubscribe_many(&b->one, "$share/%08u/a", b->n);
	return of_one(b);
}

static struct cost unsubscribe_nothing(struct bench *b)
{
	begin(b, &clean);
	peer_unsubscribe_many(&b->one, "a/+", b->n);
	return of_one(b);
}

static struct cost unsubscribe_all(struct bench *b)
{
	begin(b, &clean);
	peer_subscribe_many(&b->one, "a/%u/+", b->n, 0);
	of_one(b);
	peer_unsubscribe_many(&b->one, "a/%u/+", b->n);
	return of_one(b);
}

static struct cost unsubscribe_kept(struct bench *b)
{
	begin(b, &kept);
	peer_subscribe_many(&b->one, "a/%u/+", b->n, 1);
	of_one(b);
	peer_unsubscribe_many(&b->one, "a/%u/+", b->n);
	return of_one(b);
}

static struct cost end_of_session(struct bench *b)
{
	begin(b, &clean);
	peer_subscribe_many(&b->one, "a/%u/+", b->n, 0);
	of_one(b);
	memory_send_end(wire_peer(b->one.wire), STREAM_END_RESET);
	return of_one(b);
}

static struct cost clean_start(struct bench *b)
{
	begin(b, &kept);
	peer_subscribe_many(&b->one, "a/%u/+", b->n, 1);
	of_one(b);
	memory_send_end(wire_peer(b->one.wire), STREAM_END_RESET);
	of_one(b);
	peer_connect(&b->one, b->w, &clean);
	return of_one(b);
}

static struct cost takeover_shared(struct bench *b)
{
	struct who again = kept;

	again.resume = true;
	begin(b, &kept);
	peer_subscribe_many(&b->one, "$share/g/a/%u", b->n, 1);
	of_one(b);
	peer_connect(&b->one, b->w, &again);
	return of_one(b);
}

static struct cost pings(struct bench *b)
{
	struct buf out = {0};

	begin(b, &clean);
	for (unsigned i = 0; i < b->n; i++)
		buf_put(&out, "\xc0\0", 2);
	peer_send(&b->one, buf_slice(&out));
	buf_fini(&out);
	return of_one(b);
}

static struct cost small_subscribes(struct bench *b)
{
	struct buf out = {0};

	begin(b, &kept);
	for (unsigned i = 0; i < b->n; i++)
		buf_put(&out, "\x82\7\0\1\0\0\1a\1", 9);
	peer_send(&b->one, buf_slice(&out));
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
	peer_send_packet(&b->one, 0x30, &body);
	return of_one(b);
}

static struct cost end_with_properties(struct bench *b)
{
	struct buf body = {0}, properties = {0};

	begin(b, &clean);
	for (unsigned i = 0; i < b->n; i++)
		buf_put(&properties, "\x26\0\0\0\0", 5);
	buf_put_u8(&body, 0);
	buf_put_varint(&body, (uint32_t)properties.len);
	buf_put_slice(&body, buf_slice(&properties));
	buf_fini(&properties);
	peer_send_packet(&b->one, 0xe0, &body);
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
	peer_send_packet(&b->one, 0x30, &body);
	return of_one(b);
}

static struct cost publishes(struct bench *b, uint8_t qos, bool retain)
{
	begin(b, &clean);
	begin_other(b);
	peer_subscribe_many(&b->one, "a/#", 1, qos);
	of_one(b);
	peer_publish_many(&b->other, "a/%u", b->n, qos, retain);
	return peer_run(b->w, &b->other);
}

/* Each exchange is completed, and then the same identifiers again. */
static struct cost publishes_2(struct bench *b)
{
	struct buf out = {0};

	begin(b, &clean);
	for (unsigned i = 0; i < b->n; i++) {
		peer_put_publish(&out, "a", 2, false, (uint16_t)(i % 10 + 1));
		peer_put_publish(&out, "a", 2, false, (uint16_t)(i % 10 + 1));
		buf_put(&out, "\x62\2\0", 3);
		buf_put_u8(&out, (uint8_t)(i % 10 + 1));
	}
	peer_send(&b->one, buf_slice(&out));
	buf_fini(&out);
	return of_one(b);
}

static struct cost publishes_for_who_is_away(struct bench *b)
{
	begin(b, &kept);
	peer_subscribe_many(&b->one, "a", 1, 1);
	of_one(b);
	memory_send_end(wire_peer(b->one.wire), STREAM_END_RESET);
	of_one(b);
	begin_other(b);
	for (unsigned i = 0; i < b->n; i += 10) {
		peer_publish_many(&b->other, "a", 10, 1, false);
		b->sum = add(b->sum, peer_run(b->w, &b->other));
	}
	return b->sum;
}

static struct cost aliases_set(struct bench *b)
{
	struct buf out = {0};
	char topic[32];

	begin(b, &clean);
	for (unsigned i = 0; i < b->n; i++) {
		struct publish_out p = {.version = MQTT_5_0,
		                        .topic_alias = (uint16_t)(i % 10 + 1),
		                        .payload = SLICE("x")};

		snprintf(topic, sizeof(topic), "topic/%08u", i);
		p.topic = slice_of_str(topic);
		packet_publish_encode(&out, &p);
	}
	peer_send(&b->one, buf_slice(&out));
	buf_fini(&out);
	return of_one(b);
}

/* Filters of one client that all match one topic. */
static struct cost overlapping(struct bench *b)
{
	struct buf body = {0};
	char filter[64];

	begin(b, &clean);
	begin_other(b);
	peer_begin_request(&body, 1);
	for (unsigned i = 0; i < b->n; i++) {
		for (size_t level = 0; level < 14; level++) {
			filter[2 * level] = (i >> level & 1) != 0 ? '+' : 'a';
			filter[2 * level + 1] = level == 13 ? '\0' : '/';
		}
		buf_put_string(&body, slice_of_str(filter));
		buf_put_u8(&body, 0);
	}
	peer_send_packet(&b->one, 0x82, &body);
	of_one(b);
	peer_publish_many(&b->other, "a/a/a/a/a/a/a/a/a/a/a/a/a/a", 50, 0, false);
	return peer_run(b->w, &b->other);
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
	peer_subscribe_many(&b->one, filter, 1, qos);
	of_one(b);
	for (unsigned i = 0; i < b->n; i += 10) {
		peer_publish_many(&b->other, "a", 10, qos, false);
		peer_run(b->w, &b->other);
		if (qos == 2) {
			peer_acknowledge_many(&b->other, 0x62, 10, false);
			peer_run(b->w, &b->other);
		}
		of_one(b);
	}
}

static struct cost pubacks(struct bench *b)
{
	in_flight(b, &clean, 1, "a");
	peer_acknowledge_many(&b->one, 0x40, b->n, true);
	return of_one(b);
}

static struct cost pubacks_kept(struct bench *b)
{
	in_flight(b, &kept, 1, "a");
	peer_acknowledge_many(&b->one, 0x40, b->n, true);
	return of_one(b);
}

static struct cost pubrecs_kept(struct bench *b)
{
	in_flight(b, &kept, 2, "a");
	peer_acknowledge_many(&b->one, 0x50, b->n, true);
	return of_one(b);
}

static struct cost pubcomps(struct bench *b)
{
	in_flight(b, &kept, 2, "a");
	peer_acknowledge_many(&b->one, 0x50, b->n, true);
	of_one(b);
	peer_acknowledge_many(&b->one, 0x70, b->n, true);
	return of_one(b);
}

static struct cost pubrels_unknown(struct bench *b)
{
	begin(b, &kept);
	peer_acknowledge_many(&b->one, 0x62, b->n, true);
	return of_one(b);
}

static struct cost end_in_flight(struct bench *b)
{
	in_flight(b, &kept, 1, "a");
	memory_send_end(wire_peer(b->one.wire), STREAM_END_RESET);
	return of_one(b);
}

/* QoS 2 messages that are never released: only MQTT 3.1.1 has no Receive Maximum. */
static struct cost end_unreleased(struct bench *b)
{
	const struct who old = {.id = "one", .is_311 = true};
	const _Atomic uint64_t *bytes = &b->w->server->workers[0]->counters.memory_bytes;
	struct cost cost = {0};

	begin(b, &old);
	peer_publish_many(&b->one, "a", b->n, 2, false);
	of_one(b);
	assert_int_equal(
	    HASH_COUNT(b->w->server->workers[0]->clients->conns->link.session->inbound), b->n);
	memory_send_end(wire_peer(b->one.wire), STREAM_END_RESET);
	peer_turn(b->w, &b->one, &cost);
	if (SHRINK == 1) /* not all of them in one turn */
		assert_true(*bytes > b->n * INBOUND_COST / 2);
	cost = add(cost, of_one(b));
	assert_true(*bytes < INBOUND_COST);
	return cost;
}

static struct cost end_of_all(struct bench *b)
{
	struct cost cost = {0};

	in_flight(b, &clean, 1, "a");
	peer_subscribe_many(&b->one, "a/%u/+", b->n / 6 - 1, 0);
	of_one(b);
	memory_send_end(wire_peer(b->one.wire), STREAM_END_RESET);
	peer_turn(b->w, &b->one, &cost);
	if (SHRINK == 1) /* not all of it in one turn, however fast that is */
		assert_true(b->w->server->workers[0]->counters.subscriptions > 0);
	cost = add(cost, of_one(b));
	assert_int_equal(b->w->server->workers[0]->counters.subscriptions, 0);
	return cost;
}

static struct cost end_in_flight_shared(struct bench *b)
{
	in_flight(b, &kept, 1, "$share/g/a");
	peer_subscribe_many(&b->other, "$share/g/a", 1, 1);
	peer_run(b->w, &b->other);
	memory_send_end(wire_peer(b->one.wire), STREAM_END_RESET);
	return of_one(b);
}

static struct cost resume(struct bench *b, uint8_t qos, bool released)
{
	struct who again = kept;
	struct cost cost;

	again.resume = true;
	in_flight(b, &kept, qos, "a");
	if (released)
		peer_acknowledge_many(&b->one, 0x50, b->n, true);
	of_one(b);
	memory_send_end(wire_peer(b->one.wire), STREAM_END_RESET);
	of_one(b);
	peer_connect(&b->one, b->w, &again);
	cost = of_one(b);
	if (SHRINK == 1) /* not all of it in a few turns, however fast that is */
		assert_true(cost.turns > b->n / 1000);
	return cost;
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
	peer_subscribe_many(&b->one, "#", 1, 0);
	of_one(b);
	peer_publish_many(&b->other, "topic/%08u", b->n, 0, false);
	return peer_run(b->w, &b->other);
}

/* All filters of `+` and `a` by the bits of a number: all match one topic of 100 levels. */
static struct cost deep(struct bench *b)
{
	struct buf body = {0};
	char filter[256], topic[256];

	begin(b, &clean);
	begin_other(b);
	peer_begin_request(&body, 1);
	for (unsigned i = 0; i < b->n; i++) {
		for (size_t level = 0; level < 120; level++) {
			filter[2 * level] = (i >> (level % 16) & 1) != 0 ? '+' : 'a';
			filter[2 * level + 1] = level == 119 ? '\0' : '/';
		}
		buf_put_string(&body, slice_of_str(filter));
		buf_put_u8(&body, 0);
	}
	peer_send_packet(&b->one, 0x82, &body);
	of_one(b);
	for (size_t level = 0; level < 120; level++) {
		topic[2 * level] = 'a';
		topic[2 * level + 1] = level == 119 ? '\0' : '/';
	}
	peer_publish_many(&b->other, topic, 100, 0, false);
	return peer_run(b->w, &b->other);
}

static void retained(struct bench *b, unsigned n)
{
	begin_other(b);
	for (unsigned i = 0; i < n; i += 1000) {
		struct buf out = {0};
		char topic[32];

		for (unsigned k = i; k < i + 1000 && k < n; k++) {
			snprintf(topic, sizeof(topic), "r/%u", k);
			peer_put_publish(&out, topic, 1, true, (uint16_t)(k % 10 + 1));
			if (k % 10 == 9) {
				peer_send(&b->other, buf_slice(&out));
				buf_clear(&out);
				peer_run(b->w, &b->other);
			}
		}
		buf_fini(&out);
	}
}

static struct cost replay(struct bench *b)
{
	retained(b, b->n);
	begin(b, &clean);
	peer_subscribe_many(&b->one, "r/#", 1, 1);
	return of_one(b);
}

static struct cost replay_kept(struct bench *b)
{
	retained(b, b->n);
	begin(b, &kept);
	peer_subscribe_many(&b->one, "r/#", 1, 1);
	return of_one(b);
}

static struct cost end_in_replay(struct bench *b, const struct who *who)
{
	struct cost cost = {0};

	retained(b, 10000);
	begin(b, who);
	peer_subscribe_many(&b->one, "r/#", 1, 1);
	peer_subscribe_many(&b->one, "+/%08u/#", b->n, 1);
	for (unsigned i = 0; i < 60; i++)
		peer_turn(b->w, &b->one, &cost);
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

/* Replays are in the journal, and have not ended. Nobody waits for a turn here. */
static struct cost restart(struct bench *b)
{
	struct cost cost = {0};
	uint64_t before;

	begin(b, &kept);
	peer_subscribe_many(&b->one, "+/%08u/#", b->n, 1);
	b->one.got_bytes = 0;
	while (b->one.got_bytes < b->n) /* SUBACK */
		peer_turn(b->w, &b->one, &cost);
	before = peer_steps();
	world_restart(b->w);
	return (struct cost){.steps = peer_steps() - before};
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
	unsigned n;      /* the larger one */
	const char *acl; /* NULL: all is allowed */
} rows[] = {
    {"the same filter", same_filter, 300000, NULL},
    {"the same filter, kept", same_filter_kept, 300000, NULL},
    {"filters", filters, 10000, NULL},
    {"filters, kept", filters_kept, 10000, NULL},
    {"$share groups of one filter", groups, 10000, NULL},
    {"UNSUBSCRIBE of $share groups", unsubscribe_groups, 10000, NULL},
    {"filters that are denied", denied, 200000,
     "anonymous: { rules: ['deny subscribe a/#', 'allow all #'] }\n"},
    {"UNSUBSCRIBE of nothing", unsubscribe_nothing, 300000, NULL},
    {"UNSUBSCRIBE", unsubscribe_all, 10000, NULL},
    {"UNSUBSCRIBE, kept", unsubscribe_kept, 10000, NULL},
    {"the end of a session with subscriptions", end_of_session, 10000, NULL},
    {"Clean Start over subscriptions", clean_start, 10000, NULL},
    {"takeover with shared subscriptions", takeover_shared, 10000, NULL},
    {"PINGREQ", pings, 200000, NULL},
    {"SUBSCRIBE of one filter, many", small_subscribes, 40000, NULL},
    {"User Properties", user_properties, 400000, NULL},
    {"User Properties of DISCONNECT", end_with_properties, 400000, NULL},
    {"a payload of text", text_payload, 2000000, NULL},
    {"PUBLISH", publishes_0, 40000, NULL},
    {"PUBLISH retained", publishes_retained, 40000, NULL},
    {"PUBLISH of QoS 2, twice, released", publishes_2, 20000, NULL},
    {"PUBLISH for who is away", publishes_for_who_is_away, 20000, NULL},
    {"topic aliases set", aliases_set, 40000, NULL},
    {"overlapping filters of one client", overlapping, 8192, NULL},
    {"PUBACK backwards", pubacks, 60000, NULL},
    {"PUBACK backwards, kept", pubacks_kept, 60000, NULL},
    {"PUBREC backwards, kept", pubrecs_kept, 60000, NULL},
    {"PUBCOMP backwards, kept", pubcomps, 60000, NULL},
    {"PUBREL of nothing", pubrels_unknown, 60000, NULL},
    {"the end with messages in flight", end_in_flight, 60000, NULL},
    {"the end with shared messages in flight", end_in_flight_shared, 60000, NULL},
    {"the end with QoS 2 unreleased", end_unreleased, 60000, NULL},
    {"the end of a session with all of it", end_of_all, 60000, NULL},
    {"resume with QoS 1 in flight", resume_1, 60000, NULL},
    {"resume with QoS 2 in flight", resume_2, 60000, NULL},
    {"resume with PUBRELs owed", resume_released, 60000, NULL},
    {"topic aliases given out", aliases, 40000, NULL},
    {"deep filters that match", deep, 500, NULL},
    {"replay", replay, 40000, NULL},
    {"replay, kept", replay_kept, 40000, NULL},
    {"the end in many replays", end_in_replay_clean, 10000, NULL},
    {"the end in many replays, kept", end_in_replay_kept, 10000, NULL},
    {"sessions that expire together", expiries, 1000, NULL},
    {"the broker's start with replays", restart, 10000, NULL},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* Time budgets read the clock: it advances. */
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

	return (int64_t)w->now_ms + 1800000000000;
}

static struct cost measure(const struct row *row, unsigned n)
{
	const struct world_settings settings = {
	    .seed = 1, .workers = 1, .durable = true, .acl = row->acl};
	struct world *w = world_new(&settings);
	struct clock_source clock = {.monotonic_ns = running_ns, .wall_ms = wall_ms, .arg = w};
	struct bench b = {.w = w, .n = n};
	struct cost cost;

	if (SHRINK == 1 && !IS_COUNTED) /* otherwise a step takes longer, and turns are many */
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
