/* A connection that owes as much as it may while the store is slow or full: it is not read, or
 * it is drained (session/inflight/input_limit.h). What ends that, and when; and how much waits. R1,
 * D3, D7
 */
#include <errno.h>
#include <limits.h>

#include "base/alloc.h"
#include "client/conn.h"
#include "proto/packet_publish.h"
#include "scenario.h"
#include "session/inflight/input_limit.h"
#include "session/session.h"

#define QUEUED  5
#define FLOOD   200
#define IDLE_MS 5000
#define MOST_MS 300000

static const struct connect_options clean = {0};
static const struct connect_options kept = {.keep = true, .expiry_s = 100000};

static struct client *join(struct world *w, const char *name, enum mqtt_version version,
                           const struct connect_options *options)
{
	struct client *c = client_new(w, name, version);

	client_connect(c, options);
	commit_all(w);
	assert_true(c->accepted);
	return c;
}

static void send_publish(struct client *c, const char *topic, uint16_t packet_id, uint8_t qos,
                         size_t size)
{
	char *payload = xcalloc(1, size + 8);
	struct publish_out p = {.version = c->version,
	                        .qos = qos,
	                        .packet_id = packet_id,
	                        .topic = slice_of_str(topic),
	                        .payload = slice_of((uint8_t *)payload, size)};
	struct buf bytes = {0};

	snprintf(payload, size, "%u", packet_id);
	packet_publish_encode(&bytes, &p);
	client_send(c, buf_slice(&bytes));
	buf_fini(&bytes);
	free(payload);
}

#define STORE_BYTES ((uint64_t)512 << 10)

/* Not more than the reserve and a little; the broker sees that with its next commit. */
static void fill_store(struct world *w, struct client *pub)
{
	uint64_t bytes = store_image_bytes(w->image);

	store_image_bound(w->image, STORE_BYTES, STORE_BYTES - STORE_BYTES / 8 - 3000 - bytes);
	world_advance(w, 1000);
	client_publish(pub, "other", 1, "x");
	commit_all(w);
}

static void make_space(struct world *w)
{
	store_image_bound(w->image, 0, 0);
	for (unsigned i = 0; i < 3; i++) {
		world_advance(w, 1000);
		commit_all(w);
	}
}

/* The start of each test: a client with deliveries that it does not acknowledge, which floods a
 * full store with PUBLISH packets for an offline session. */
struct flood {
	struct client *c, *live;
	struct conn *conn;
	uint16_t sent; /* QoS 2 */
};

static struct flood flood_prepare(struct world *w, const struct connect_options *options,
                                  bool deliveries)
{
	enum mqtt_version version = world_random(w, 2) == 0 ? MQTT_3_1_1 : MQTT_5_0;
	struct flood f = {.c = join(w, "c", version, options),
	                  .live = join(w, "live", MQTT_5_0, &clean)};
	struct client *away = join(w, "away", MQTT_5_0, &kept),
		      *pub = join(w, "pub", MQTT_5_0, &clean);

	f.c->manual = true;
	client_subscribe(f.c, "queue", 1);
	client_subscribe(away, "mine", 1);
	client_subscribe(away, "other", 1);
	client_subscribe(f.live, "mine", 1);
	client_subscribe(f.live, "zero", 1);
	commit_all(w);
	client_drop(away);
	for (unsigned n = 1; deliveries && n <= QUEUED; n++)
		publish_numbered(pub, "queue", 1, n);
	commit_all(w);
	assert_int_equal(f.c->received_count, deliveries ? QUEUED : 0);
	fill_store(w, pub);
	return f;
}

static struct flood flood_begin(struct world *w, const struct connect_options *options,
                                bool deliveries)
{
	struct flood f = flood_prepare(w, options, deliveries);

	for (uint16_t n = 1; n <= FLOOD; n++)
		send_publish(f.c, "mine", n, 1, 1000);
	commit_all(w);
	f.conn = connection_of(w, f.c);
	assert_false(f.c->closed);
	assert_true(input_limit_owed(&f.conn->link) <= 100);
	return f;
}

static void acknowledge_deliveries(struct world *w, struct flood *f)
{
	for (unsigned n = 0; n < QUEUED; n++)
		client_ack(f->c, PACKET_PUBACK, f->c->received[n].packet_id, REASON_SUCCESS);
	commit_all(w);
}

static void require_told(const struct flood *f)
{
	assert_true(f->c->closed);
	if (f->c->version == MQTT_5_0)
		assert_int_equal(f->c->disconnect_reason, REASON_QUOTA_EXCEEDED);
}

/* What was acknowledged is a prefix of what was sent, and exactly that was delivered. D3 */
static void require_beginning(const struct flood *f)
{
	size_t acknowledged = client_answers(f->c, PACKET_PUBACK, NULL);

	assert_true(acknowledged < FLOOD);
	assert_int_equal(count_received(f->live, "mine"), acknowledged);
	for (size_t i = 0; i < acknowledged; i++)
		assert_int_equal(strtol(f->live->received[i].payload, NULL, 10), i + 1);
}

/* A client whose packets cannot free space is not read, and loses nothing. */
static void full_store_stops_reading_and_loses_nothing(struct world *w)
{
	struct flood f = flood_begin(w, &kept, false);

	assert_true((f.conn->link.pauses & PAUSE_STORE) != 0);
	world_advance(w, MOST_MS + IDLE_MS);
	assert_false(f.c->closed);
	make_space(w);
	assert_false(f.c->closed);
	assert_int_equal(client_answers(f.c, PACKET_PUBACK, NULL), FLOOD);
	assert_int_equal(count_received(f.live, "mine"), FLOOD);
}

/* Its deliveries arrive while it waits: from then on it is read. */
static void late_deliveries_start_the_drain(struct world *w)
{
	struct flood f = flood_begin(w, &clean, false);
	struct client *pub = join(w, "pub2", MQTT_5_0, &clean);

	for (unsigned n = 1; n <= QUEUED; n++)
		publish_numbered(pub, "queue", 1, n);
	commit_all(w);
	assert_int_equal(f.c->received_count, QUEUED);
	assert_true((f.conn->link.pauses & PAUSE_STORE) == 0);
	acknowledge_deliveries(w, &f);
	require_told(&f);
}

/* From the first skipped packet on only acknowledgements are processed, even when there is space
 * again. */
static void drain_skips_all_but_acknowledgements(struct world *w)
{
	struct flood f = flood_begin(w, &kept, true);
	uint64_t dropped = 0;

	assert_true((f.conn->link.pauses & PAUSE_STORE) == 0);
	client_ping(f.c);
	client_subscribe(f.c, "other", 0);
	send_publish(f.c, "zero", 0, 0, 10);
	commit_all(w);
	make_space(w);
	client_ping(f.c);
	send_publish(f.c, "mine", FLOOD + 1, 1, 10);
	send_publish(f.c, "zero", 0, 0, 10);
	commit_all(w);
	assert_false(f.c->closed);
	assert_int_equal(client_answers(f.c, PACKET_PINGRESP, NULL), 0);
	assert_int_equal(client_answers(f.c, PACKET_SUBACK, NULL), 1);
	assert_int_equal(count_received(f.live, "zero"), 0);
	for (unsigned i = 0; i < w->workers; i++)
		dropped += count_dropped(w->server->workers[i]);
	assert_int_equal(dropped, 2);
	acknowledge_deliveries(w, &f);
	require_told(&f);
	require_beginning(&f);
}

#define BEHIND_FIT 16 /* packets of 1,000 bytes, in the 16 kB after a deferred one */

/* QoS 2 PUBLISH packets until one waits for space, and so many of QoS 0 after it. */
static struct flood flood_behind(struct world *w, bool deliveries, unsigned behind)
{
	struct flood f = flood_prepare(w, &kept, deliveries);

	f.conn = connection_of(w, f.c);
	while (f.conn->deferred == NULL && f.sent < FLOOD) {
		send_publish(f.c, "mine", ++f.sent, 2, 1000);
		commit_all(w);
	}
	assert_non_null(f.conn->deferred);
	for (unsigned n = 0; n < behind; n++)
		send_publish(f.c, "zero", 0, 0, 1000);
	commit_all(w);
	assert_false(f.c->closed);
	return f;
}

/* All of it is handled, in order, when there is space. */
static void bytes_behind_a_deferred_publish_wait_up_to_their_bound(struct world *w)
{
	struct flood f = flood_behind(w, true, BEHIND_FIT);

	acknowledge_deliveries(w, &f);
	make_space(w);
	assert_false(f.c->closed);
	assert_int_equal(client_answers(f.c, PACKET_PUBREC, NULL), f.sent);
	assert_int_equal(count_received(f.live, "zero"), BEHIND_FIT);
}

/* Nothing is skipped of a client whose packets cannot free space: it is not read. */
static void bytes_behind_a_deferred_publish_stop_reading(struct world *w)
{
	struct flood f = flood_behind(w, false, 2 * BEHIND_FIT);

	assert_true((f.conn->link.pauses & PAUSE_STORE) != 0);
	make_space(w);
	assert_false(f.c->closed);
	assert_int_equal(count_received(f.live, "zero"), 2 * BEHIND_FIT);
}

/* The explorer found this: many bytes in few packets. */
static void bytes_behind_a_deferred_publish_start_the_drain(struct world *w)
{
	struct flood f = flood_behind(w, true, BEHIND_FIT + 2);

	assert_true((f.conn->link.pauses & PAUSE_STORE) == 0);
	acknowledge_deliveries(w, &f);
	require_told(&f);
	assert_int_equal(client_answers(f.c, PACKET_PUBREC, NULL), f.sent - 1);
	assert_int_equal(count_received(f.live, "zero"), 0);
}

/* Nothing arrives for five seconds. */
static void drain_ends_after_idle_time(struct world *w)
{
	struct flood f = flood_begin(w, &kept, true);

	world_advance(w, IDLE_MS - 1200);
	client_ping(f.c);
	commit_all(w);
	world_advance(w, IDLE_MS - 100);
	assert_false(f.c->closed);
	world_advance(w, 200);
	require_told(&f);
	require_beginning(&f);
}

/* Packets arrive all the time, but no acknowledgement. */
static void drain_ends_at_its_maximum_time(struct world *w)
{
	struct flood f = flood_begin(w, &kept, true);
	uint64_t until = w->now_ms + MOST_MS;

	while (w->now_ms + IDLE_MS < until) {
		client_ping(f.c);
		world_advance(w, IDLE_MS - 500);
		assert_false(f.c->closed);
	}
	client_ping(f.c);
	world_advance(w, 1000);
	client_ping(f.c);
	world_advance(w, IDLE_MS - 500);
	require_told(&f);
}

/* DISCONNECT is processed. */
static void drain_processes_disconnect(struct world *w)
{
	struct flood f = flood_begin(w, &kept, true);

	client_send(f.c, SLICE("\xe0\x00"));
	commit_all(w);
	assert_true(f.c->closed);
	assert_int_equal(f.c->disconnect_reason, REASON_SUCCESS);
}

/* The file system has no space: the same, and the acknowledgements are owed in the journal. */
static void full_file_system_drains_too(struct world *w)
{
	struct client *c = join(w, "c", MQTT_3_1_1, &kept),
		      *away = join(w, "away", MQTT_5_0, &kept);
	struct client *pub = join(w, "pub", MQTT_5_0, &clean);

	c->manual = true;
	client_subscribe(c, "queue", 1);
	client_subscribe(away, "mine", 1);
	commit_all(w);
	for (unsigned n = 1; n <= QUEUED; n++)
		publish_numbered(pub, "queue", 1, n);
	commit_all(w);
	client_drop(away);
	commit_all(w);
	store_image_fail(w->image, UINT_MAX, -ENOSPC);
	for (uint16_t n = 1; n <= FLOOD; n++)
		send_publish(c, "mine", n, 1, 100);
	commit_all(w);
	assert_false(c->closed);
	assert_true(input_limit_owed(&connection_of(w, c)->link) <= 20);
	for (unsigned n = 0; n < QUEUED; n++)
		client_ack(c, PACKET_PUBACK, c->received[n].packet_id, REASON_SUCCESS);
	commit_all(w);
	assert_true(c->closed);
	assert_int_equal(client_answers(c, PACKET_PUBACK, NULL), 0);
	store_image_fail(w->image, 0, 0);
	world_advance(w, 1000);
	commit_all(w);
	c->manual = false;
	client_connect(c, &kept);
	commit_all(w);
	assert_true(c->session_present);
	assert_int_equal(c->received_count, QUEUED); /* no delivery is repeated */
}

#define LARGE ((size_t)200000)

/* Nobody waits for the disk (durability: interval), and it is slow: the publisher is not read. */
static void slow_disk_stops_publishers_nobody_waits_for(struct world *w)
{
	struct client *away = join(w, "away", MQTT_5_0, &kept), *c = join(w, "c", MQTT_5_0, &clean);
	char *payload = xcalloc(1, LARGE + 1);
	struct journal_health health;

	client_subscribe(away, "mine", 1);
	commit_all(w);
	client_drop(away);
	memset(payload, 'x', LARGE);
	for (unsigned n = 0; n < 100; n++)
		client_publish(c, "mine", 1, payload);
	free(payload);
	world_run(w);
	journal_health(w->journal, &health);
	assert_true(health.pending_bytes > JOURNAL_HIGH);
	assert_true(health.pending_bytes < JOURNAL_HIGH + 2 * LARGE);
	commit_all(w);
	for (unsigned i = 0; i < 10; i++) {
		world_advance(w, 1000);
		commit_all(w);
	}
	assert_true(client_is_done(c));
}

/* Wills of those who come and go: above the mark they are refused. Whoever brings nothing to keep
 * comes in. */
static void slow_journal_bounds_wills(struct world *w)
{
	struct connect_options with_will = {.will = {.topic = "gone", .qos = 1}};
	struct client *away = join(w, "away", MQTT_5_0, &kept), *c = client_new(w, "c", MQTT_5_0);
	char *payload = xcalloc(1, 60001);
	struct journal_health health;
	unsigned refused = 0;

	client_subscribe(away, "gone", 1);
	commit_all(w);
	memset(payload, 'x', 60000);
	with_will.will.payload = payload;
	for (unsigned n = 0; n < 300; n++) {
		client_connect(c, &with_will);
		world_run(w);
		refused += !c->accepted;
		client_drop(c);
		world_run(w);
	}
	free(payload);
	journal_health(w->journal, &health);
	assert_true(refused > 0 && health.pending_bytes < JOURNAL_HIGH + 500000);
	assert_int_equal(c->connack_reason, REASON_SERVER_BUSY);
	client_connect(c, &clean);
	world_run(w);
	assert_true(c->accepted);
	client_connect(away, &kept);
	commit_all(w);
	assert_true(away->accepted);
}

#define READERS 6

/* Replays into queues on disk, of all that is retained: one after the other, not all at once. */
static void slow_journal_bounds_replays(struct world *w)
{
	struct client *pub = join(w, "pub", MQTT_5_0, &clean), *readers[READERS];
	char *payload = xcalloc(1, LARGE + 1), topic[16];
	struct journal_health health;

	memset(payload, 'x', LARGE);
	for (unsigned n = 0; n < 45; n++) {
		snprintf(topic, sizeof(topic), "value/%u", n);
		client_publish_retained(pub, topic, 1, payload);
		commit_all(w);
	}
	free(payload);
	for (unsigned i = 0; i < READERS; i++) {
		snprintf(topic, sizeof(topic), "reader-%u", i);
		readers[i] = join(w, topic, MQTT_5_0, &kept);
	}
	for (unsigned i = 0; i < READERS; i++)
		client_subscribe(readers[i], "value/#", 1);
	world_run(w);
	world_commit(w); /* the SUBACKs; what they begin is not committed */
	world_run(w);
	journal_health(w->journal, &health);
	assert_true(health.pending_bytes > JOURNAL_HIGH);
	assert_true(health.pending_bytes < JOURNAL_HIGH + (size_t)w->workers * 50 * LARGE);
	for (unsigned i = 0; i < 2 * READERS; i++) {
		commit_all(w);
		world_advance(w, 1000);
	}
	for (unsigned i = 0; i < READERS; i++)
		assert_int_equal(readers[i]->received_count, 45);
}

static const char lazy[] = "listeners:\n"
			   "  - bind: unix:/run/sim.sock\n"
			   "authentication: { anonymous: true, anonymous_sessions: true }\n"
			   "authorization: { acl_file: acl.yaml }\n"
			   "persistence: { directory: store, durability: interval }\n"
			   "limits: { queue_bytes: 64M, receive_maximum: 1000 }\n";

static const char narrow[] = "listeners:\n"
			     "  - bind: unix:/run/sim.sock\n"
			     "authentication: { anonymous: true, anonymous_sessions: true }\n"
			     "authorization: { acl_file: acl.yaml }\n"
			     "limits: { receive_maximum: 20 }\n";

static const char wide[] = "listeners:\n"
			   "  - bind: unix:/run/sim.sock\n"
			   "authentication: { anonymous: true, anonymous_sessions: true }\n"
			   "authorization: { acl_file: acl.yaml }\n"
			   "limits: { receive_maximum: 1000 }\n";

#define LEVELS     5
#define LONG_TOPIC "a/a/a/a/a"

/* All of them match LONG_TOPIC. */
static void subscribe_overlapping(struct client *c)
{
	char filter[2 * LEVELS];

	for (unsigned i = 0; i < 1 << LEVELS; i++) {
		for (size_t level = 0; level < LEVELS; level++) {
			filter[2 * level] = (i >> level & 1) != 0 ? '+' : 'a';
			filter[2 * level + 1] = level == LEVELS - 1 ? '\0' : '/';
		}
		client_subscribe(c, filter, 1);
	}
}

/* Messages whose receivers take many turns to find wait for space: that ends, both where they come
 * from the connection and where they are looked at again because there may be space. */
static void long_match_waits_for_space(struct world *w)
{
	struct client *c = join(w, "c", MQTT_5_0, &clean), *pub = join(w, "pub", MQTT_5_0, &clean);
	struct client *away = join(w, "away", MQTT_5_0, &kept);
	static char payload[10001];
	struct answer answer;

	subscribe_overlapping(away);
	client_subscribe(away, "other", 1);
	commit_all(w);
	client_drop(away);
	fill_store(w, pub);
	for (unsigned i = 0; i < w->workers; i++)
		w->server->workers[i]->turn_steps = 1;
	memset(payload, 'x', sizeof(payload) - 1);
	for (unsigned n = 0; n < 3; n++)
		client_publish(c, LONG_TOPIC, 1, payload);
	commit_all(w); /* with a limit to what may move */
	assert_true(world_has_deferred(w));
	client_ping(c);
	for (unsigned i = 0; i < 3; i++) { /* each commit looks for space */
		world_advance(w, 1000);
		client_publish(pub, "nobody", 1, "x");
		commit_all(w);
	}
	assert_int_equal(client_answers(c, PACKET_PUBACK, &answer), 0);
	make_space(w);
	assert_int_equal(client_answers(c, PACKET_PUBACK, &answer), 3);
	client_connect(away, &kept);
	commit_all(w);
	assert_int_equal(count_received(away, LONG_TOPIC), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO_WITH(full_store_stops_reading_and_loses_nothing, .durable = true, .conf = wide,
	                  .seeds = 6),
	    SCENARIO_WITH(late_deliveries_start_the_drain, .durable = true, .conf = wide,
	                  .seeds = 6),
	    SCENARIO_WITH(drain_skips_all_but_acknowledgements, .durable = true, .conf = wide,
	                  .seeds = 10),
	    SCENARIO_WITH(bytes_behind_a_deferred_publish_wait_up_to_their_bound, .durable = true,
	                  .conf = wide, .seeds = 6),
	    SCENARIO_WITH(bytes_behind_a_deferred_publish_stop_reading, .durable = true,
	                  .conf = wide, .seeds = 6),
	    SCENARIO_WITH(bytes_behind_a_deferred_publish_start_the_drain, .durable = true,
	                  .conf = wide, .seeds = 6),
	    SCENARIO_WITH(drain_ends_after_idle_time, .durable = true, .conf = wide, .seeds = 6),
	    SCENARIO_WITH(drain_ends_at_its_maximum_time, .durable = true, .conf = wide,
	                  .seeds = 2),
	    SCENARIO_WITH(drain_processes_disconnect, .durable = true, .conf = wide, .seeds = 6),
	    SCENARIO_WITH(full_file_system_drains_too, .durable = true, .conf = narrow,
	                  .seeds = 10),
	    SCENARIO_WITH(slow_disk_stops_publishers_nobody_waits_for, .durable = true,
	                  .conf = lazy, .seeds = 3),
	    SCENARIO_WITH(slow_journal_bounds_replays, .durable = true, .conf = lazy, .seeds = 2),
	    SCENARIO_WITH(slow_journal_bounds_wills, .durable = true, .conf = narrow, .seeds = 2),
	    SCENARIO_WITH(long_match_waits_for_space, .durable = true, .conf = wide, .seeds = 6),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
