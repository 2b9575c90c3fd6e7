/* Limits, both ways: keep alive, Receive Maximum, queues, packet sizes, and readers and workers
 * that stand still. R1, R2, R3 */
#include "base/alloc.h"
#include "client/conn.h"
#include "proto/packet_publish.h"
#include "routing/router.h"
#include "scenario.h"
#include "session/client_link.h"
#include "session/link_output.h"
#include "session/session.h"
#include "worker/shared.h"
#include "worker/worker.h"

static const struct connect_options clean = {0};
static const struct connect_options kept = {.keep = true, .expiry_s = 100000};

static struct client *join(struct world *w, const char *name, const struct connect_options *options)
{
	struct client *c = client_new(w, name, MQTT_5_0);

	client_join(c, options);
	return c;
}

/* One and a half intervals of silence. [MQTT3-3.1.2-24] [MQTT5-3.1.2-22] */
static void keep_alive_ends_a_silent_client(struct world *w)
{
	struct connect_options ten = {.keep_alive_s = 10,
	                              .will = {.topic = "gone", .payload = "x"}};
	struct client *watch = join(w, "watch", &clean), *c = join(w, "c", &ten);

	client_subscribe(watch, "gone", 0);
	world_advance(w, 14000);
	client_ping(c);
	world_run(w);
	assert_int_equal(client_answers(c, PACKET_PINGRESP, NULL), 1);
	world_advance(w, 14900);
	assert_false(c->closed);
	world_advance(w, 101);
	assert_true(c->closed);
	assert_int_equal(c->disconnect_reason, REASON_KEEP_ALIVE_TIMEOUT);
	assert_int_equal(watch->received_count, 1);
	assert_false(watch->closed);
}

/* No CONNECT within limits.connect_timeout; half a CONNECT does not count. S2 */
static void connect_timeout_ends_half_a_connect(struct world *w)
{
	struct client *silent = client_new(w, "silent", MQTT_5_0);

	client_connect(silent, &clean);
	buf_clear(&silent->out);
	if (world_random(w, 2) == 0)
		client_send(silent, SLICE("\x10\x10\x00\x04MQ"));
	world_advance(w, 9900);
	assert_false(silent->closed);
	world_advance(w, 200);
	assert_true(silent->closed);
	assert_int_equal(atomic_load(&w->server->unauthenticated), 0);
}

/* Not more in flight than the client takes; PUBREC is not the end of a flow. [MQTT5-3.3.4-9] */
static void receive_maximum_of_the_client_is_kept(struct world *w)
{
	struct connect_options five = {.keep = true, .expiry_s = 1000, .receive_maximum = 5};
	struct client *sub = join(w, "sub", &five), *pub = join(w, "pub", &clean);
	uint8_t qos = (uint8_t)(1 + world_random(w, 2));

	sub->manual = true;
	client_subscribe(sub, "x", 2);
	world_run(w);
	for (unsigned n = 1; n <= 12; n++)
		publish_numbered(pub, "x", qos, n);
	world_run(w);
	assert_int_equal(sub->received_count, 5);
	if (world_random(w, 2) == 0) { /* the same window after a reconnect */
		client_join(sub, &five);
		assert_true(sub->session_present);
		assert_int_equal(sub->received_count, qos == 1 ? 10 : 5);
		client_forget(sub);
	}
	client_ack(sub, qos == 1 ? PACKET_PUBACK : PACKET_PUBREC, 1, REASON_SUCCESS);
	client_ack(sub, qos == 1 ? PACKET_PUBACK : PACKET_PUBREC, 2, REASON_SUCCESS);
	client_send(sub, SLICE_EMPTY);
	world_run(w); /* PUBREL is answered with PUBCOMP by itself */
	assert_int_equal(client_answers(sub, PACKET_PUBREL, NULL), qos == 2 ? 2 : 0);
	assert_int_equal(number_of(&sub->received[sub->received_count - 1], "pub"), 7);
}

static void send_publish(struct client *c, uint16_t packet_id, uint8_t qos, struct slice payload)
{
	struct publish_out p = {.version = c->version,
	                        .qos = qos,
	                        .packet_id = packet_id,
	                        .topic = SLICE("x"),
	                        .payload = payload};
	struct buf bytes = {0};

	packet_publish_encode(&bytes, &p);
	client_send(c, buf_slice(&bytes));
	buf_fini(&bytes);
}

#define ANNOUNCES_20(more)                                                                         \
	"listeners:\n"                                                                             \
	"  - bind: unix:/run/sim.sock\n"                                                           \
	"authentication: { anonymous: true, anonymous_sessions: true }\n"                          \
	"authorization: { acl_file: acl.yaml }\n"                                                  \
	"limits: { receive_maximum: 20" more " }\n"

#define MORE 300

/* Clients that never look at Receive Maximum lose nothing. */
static void receive_maximum_of_the_broker_may_be_exceeded(struct world *w)
{
	struct client *sub = join(w, "sub", &kept), *c = client_new(w, "c", MQTT_5_0);
	uint8_t qos = (uint8_t)(1 + world_random(w, 2));
	enum packet_type answer = qos == 1 ? PACKET_PUBACK : PACKET_PUBREC;

	client_subscribe(sub, "x", 2);
	client_join(c, &clean);
	assert_int_equal(c->server_receive_maximum, 20);
	c->manual = true; /* sends PUBREL only when it is told to */
	for (uint16_t id = 1; id <= MORE; id++)
		send_publish(c, id, qos, SLICE("v"));
	world_run(w);
	assert_false(c->closed);
	assert_int_equal(client_answers(c, answer, NULL), MORE);
	for (uint16_t id = 1; id <= MORE && qos == 2; id++)
		client_ack(c, PACKET_PUBREL, id, REASON_SUCCESS);
	world_run(w);
	assert_false(c->closed);
	assert_int_equal(client_answers(c, PACKET_PUBCOMP, NULL), qos == 2 ? MORE : 0);
	assert_int_equal(sub->received_count, MORE);
}

/* While the disk is slow, it is read as acknowledgements leave: what waits is bounded. */
static void exceeded_receive_maximum_is_read_as_answers_leave(struct world *w)
{
	struct client *sub = client_new(w, "sub", MQTT_5_0), *c = client_new(w, "c", MQTT_5_0);
	const struct client_link *link;

	w->journal_paused = false;
	client_join(sub, &kept);
	client_subscribe(sub, "x", 1);
	client_join(c, &clean);
	c->manual = true;
	w->journal_paused = true;
	for (uint16_t id = 1; id <= MORE; id++)
		send_publish(c, id, (uint8_t)(1 + world_random(w, 2)), SLICE("v"));
	world_run(w);
	link = &connection_of(w, c)->link;
	assert_in_range(link->limit.publishes, 1, 21);
	w->journal_paused = false;
	world_run(w);
	assert_false(c->closed);
	assert_int_equal(sub->received_count, MORE);
}

#define SMALL_PACKETS(more)                                                                        \
	"listeners:\n"                                                                             \
	"  - bind: unix:/run/sim.sock\n"                                                           \
	"authentication: { anonymous: true, anonymous_sessions: true }\n"                          \
	"authorization: { acl_file: acl.yaml }\n"                                                  \
	"limits: { max_packet_size: 2k, max_connect_size: 1k" more " }\n"

#define LARGE_BYTES 300000

/* In pieces of any size. */
static void send_large(struct client *c, uint16_t packet_id, uint8_t qos)
{
	uint8_t *payload = xcalloc(1, LARGE_BYTES);

	send_publish(c, packet_id, qos, slice_of(payload, LARGE_BYTES));
	free(payload);
}

/* A client that never looks at Maximum Packet Size would send it again after each reconnect. */
static void large_publish_is_dropped_and_acknowledged(struct world *w)
{
	struct client *sub = join(w, "sub", &clean);
	struct client *c = client_new(w, "c", world_random(w, 2) == 0 ? MQTT_3_1_1 : MQTT_5_0);
	uint8_t qos = (uint8_t)world_random(w, 3);
	struct answer answer = {0};

	client_subscribe(sub, "x", 2);
	client_join(c, &clean);
	c->manual = true;
	for (uint16_t id = 1; id <= 3; id++) {
		send_large(c, id, qos);
		send_publish(c, (uint16_t)(id + 10), 1, SLICE("small"));
	}
	world_run(w);
	assert_false(c->closed);
	assert_int_equal(sub->received_count, 3);
	assert_int_equal(client_answers(c, PACKET_PUBACK, &answer), qos == 1 ? 6 : 3);
	if (qos > 0)
		assert_int_equal(client_answers(c, qos == 1 ? PACKET_PUBACK : PACKET_PUBREC, NULL),
		                 qos == 1 ? 6 : 3);
	if (qos == 2 && client_answers(c, PACKET_PUBREC, &answer) > 0)
		assert_int_equal(answer.reasons[0],
		                 c->version == MQTT_5_0 ? REASON_QUOTA_EXCEEDED : REASON_SUCCESS);
}

/* It ends the connection: by the setting, or because not even its topic fits, or no PUBLISH. */
static void large_packet_ends_the_connection(struct world *w)
{
	bool strict = strstr(w->texts.conf, "strict") != NULL;
	struct client *c = client_new(w, "c", MQTT_5_0);
	struct publish_out p = {.version = MQTT_5_0, .payload = SLICE("v")};
	struct buf bytes = {0};
	uint8_t topic[4000];

	client_join(c, &clean);
	memset(topic, 'x', sizeof(topic));
	if (strict) {
		send_large(c, 1, 1);
	} else if (world_random(w, 2) == 0) {
		p.topic = slice_of(topic, sizeof(topic));
		packet_publish_encode(&bytes, &p);
		client_send(c, buf_slice(&bytes));
	} else {
		client_send(c, SLICE("\x82\xff\xff\x03"));
	}
	buf_fini(&bytes);
	world_run(w);
	assert_true(c->closed);
	assert_int_equal(c->disconnect_reason, REASON_PACKET_TOO_LARGE);
}

/* A byte now and then does not keep it, however large it is. */
static void large_publish_comes_at_a_minimum_rate(struct world *w)
{
	struct connect_options lively = {.keep_alive_s = 2};
	struct client *c = client_new(w, "c", MQTT_5_0);
	unsigned seconds = 0;

	client_join(c, &lively);
	c->manual = true;
	client_send(c, SLICE("\x32\xff\xff\x7f\0\1x\0\1\0"));
	for (; seconds < 100 && !c->closed; seconds++) {
		client_send(c, SLICE("y"));
		world_advance(w, 1000);
	}
	assert_in_range(seconds, 3, 5);
}

/* One more than the broker announced. [MQTT5-3.3.4-8] */
static void receive_maximum_of_the_broker_is_enforced(struct world *w)
{
	struct client *c = join(w, "c", &clean);

	assert_int_equal(c->server_receive_maximum, 20);
	c->manual = true; /* never sends PUBREL */
	for (uint16_t id = 1; id <= 20; id++)
		send_publish(c, id, 2, SLICE("v"));
	world_run(w);
	assert_false(c->closed);
	assert_int_equal(client_answers(c, PACKET_PUBREC, NULL), 20);
	send_publish(c, 7, 2, SLICE("v")); /* again: not one more */
	world_run(w);
	assert_false(c->closed);
	assert_int_equal(client_answers(c, PACKET_PUBREC, NULL), 21);
	send_publish(c, 21, (uint8_t)(1 + world_random(w, 2)), SLICE("v"));
	world_run(w);
	assert_true(c->closed);
	assert_int_equal(c->disconnect_reason, REASON_RECEIVE_MAXIMUM_EXCEEDED);
}

/* 3.1.1 has no Receive Maximum: any number of identifiers may wait for PUBREL. */
static void unreleased_identifiers_of_311_are_unlimited(struct world *w)
{
	struct client *c = client_new(w, "c", MQTT_3_1_1);

	client_join(c, &kept);
	c->manual = true;
	for (uint16_t id = 1; id <= 2000; id++)
		send_publish(c, id, 2, SLICE("v"));
	world_run(w);
	assert_false(c->closed);
	assert_int_equal(client_answers(c, PACKET_PUBREC, NULL), 2000);
	for (uint16_t id = 1; id <= 2000; id++)
		client_ack(c, PACKET_PUBREL, id, REASON_SUCCESS);
	world_run(w);
	assert_false(c->closed);
	assert_int_equal(client_answers(c, PACKET_PUBCOMP, NULL), 2000);
}

/* A full queue drops the newest, and counts it. */
static void full_queue_drops_the_newest(struct world *w)
{
	struct client *sub = join(w, "sub", &kept), *pub = join(w, "pub", &clean);
	uint64_t dropped = 0;

	client_subscribe(sub, "x", 1);
	world_run(w);
	client_drop(sub);
	world_run(w);
	for (unsigned n = 1; n <= 30; n++)
		publish_numbered(pub, "x", 1, n);
	world_run(w);
	assert_true(client_is_done(pub));
	client_join(sub, &kept);
	require_exactly(sub, "pub", "x", 1, 10);
	for (unsigned i = 0; i < w->workers; i++)
		dropped += count_dropped(w->server->workers[i]);
	assert_int_equal(dropped, 20);
	publish_numbered(pub, "x", 1, 11);
	world_run(w);
	require_exactly(sub, "pub", "x", 1, 11);
}

/* Larger than the client accepts: left out, the others arrive. [MQTT5-3.1.2-24] [MQTT5-3.1.2-25] */
static void messages_above_the_packet_size_are_left_out(struct world *w)
{
	struct connect_options small = {.max_packet_bytes = 100};
	struct client *sub = join(w, "sub", &small), *pub = join(w, "pub", &clean);
	char large[200];

	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	client_subscribe(sub, "#", 1);
	world_run(w);
	client_publish(pub, "x", (uint8_t)world_random(w, 3), "one");
	client_publish(pub, "x", (uint8_t)world_random(w, 3), large);
	client_publish(pub, "x", 1, "two");
	world_run(w);
	assert_int_equal(sub->received_count, 2);
	assert_string_equal(last_received(sub, "x"), "two");
}

#define LARGE ((size_t)20000)

/* Bytes that wait for the client, above and below the stream. */
static size_t output_of(const struct conn *c)
{
	size_t n;

	executor_enter(&c->link.worker->executor);
	n = stream_backlog(c->link.stream) + c->link.out.len;
	executor_leave();
	return n;
}

/* A client that does not read: its output is bounded, the others get everything, and afterwards
 * it continues. */
static void client_that_does_not_read_is_bounded(struct world *w)
{
	struct client *slow = join(w, "slow", &clean), *fast = join(w, "fast", &clean);
	struct client *pub = join(w, "pub", &clean);
	char *payload = xcalloc(1, LARGE + 1);
	uint8_t qos = (uint8_t)world_random(w, 3);
	const struct conn *conn;

	memset(payload, 'x', LARGE);
	client_subscribe(slow, "#", qos);
	client_subscribe(fast, "#", qos);
	world_run(w);
	client_stall(slow, true);
	for (unsigned n = 0; n < 200; n++)
		client_publish(pub, "x", 2, payload);
	free(payload);
	world_run(w);
	assert_true(client_is_done(pub));
	assert_int_equal(fast->received_count, 200);
	conn = connection_of(w, slow);
	assert_true(output_of(conn) <= LINK_OUTPUT_MAX + 2 * LARGE);
	assert_true(conn->link.session->waiting.bytes <= 16 << 20);
	client_stall(slow, false);
	world_run(w);
	client_forget(slow);
	client_publish(pub, "x", 2, "afterwards");
	world_run(w);
	assert_int_equal(slow->received_count, 1);
}

/* A client that sends requests and does not read the answers is not read either. */
static void client_that_only_asks_is_not_read(struct world *w)
{
	struct client *c = join(w, "c", &clean);
	const unsigned pings = 700000;
	const struct conn *conn;
	unsigned answers;

	client_stall(c, true);
	for (unsigned i = 0; i < pings; i++)
		client_ping(c);
	world_run(w);
	conn = connection_of(w, c);
	assert_true(output_of(conn) <= 2 * LINK_OUTPUT_MAX);
	assert_true((conn->link.pauses & PAUSE_OUTPUT) != 0);
	client_stall(c, false);
	world_run(w);
	answers = (unsigned)client_answers(c, PACKET_PINGRESP, NULL);
	assert_int_equal(answers, pings);
}

static size_t bytes_in_flight(const struct world *w, unsigned to)
{
	size_t bytes = 0;

	for (unsigned i = 0; i < w->workers; i++)
		bytes += atomic_load(&w->server->workers[i]->router->flows.to[to].bytes);
	return bytes;
}

static struct client *client_at(struct world *w, unsigned executor, const char *prefix, unsigned n)
{
	char name[32];

	for (unsigned i = 0;; i++) {
		snprintf(name, sizeof(name), "%s%u-%u", prefix, n, i);
		if (shared_owner_of(w->server, slice_of_str(name)) == w->server->workers[executor])
			return join(w, name, &clean);
	}
}

#define PUBLISHERS 8
#define HUGE_BYTES ((size_t)1500000)
/* Below the mark, every client publishes once in the turn that passes it, and once more to be
 * paused. */
#define IN_FLIGHT_MAX (FLOW_HIGH + (2 * PUBLISHERS + 1) * (HUGE_BYTES + 1000))

/* A worker that stands still: clients that publish to it are not read, what is in flight is
 * bounded, and when it continues everything arrives. */
static void stalled_worker_stops_its_publishers(struct world *w)
{
	struct client *pubs[PUBLISHERS], *sub;
	char *payload = xcalloc(1, HUGE_BYTES + 1);
	unsigned last = w->workers - 1, sent = 0;

	memset(payload, 'x', HUGE_BYTES);
	sub = client_at(w, last, "sub", 0);
	for (unsigned i = 0; i < PUBLISHERS; i++)
		pubs[i] = client_at(w, 0, "pub", i);
	client_subscribe(sub, "#", 0);
	world_run(w);
	w->frozen = last == 0 ? 0 : 1u << last;
	for (unsigned n = 0; n < 3; n++) {
		for (unsigned i = 0; i < PUBLISHERS; i++, sent++) {
			if (w->seed % 2 == 0)
				client_publish(pubs[i], "x", 1, payload);
			else
				client_publish_retained(pubs[i], "x", 1, payload);
		}
		world_steps(w, (unsigned)world_random(w, 400));
		if (world_random(w, 3) == 0)
			w->frozen ^= last == 0 ? 0 : 1u << last;
		assert_true(bytes_in_flight(w, last) <= IN_FLIGHT_MAX);
	}
	free(payload);
	if (last != 0) {
		w->frozen = 1u << last;
		world_run(w);
		assert_true(bytes_in_flight(w, last) <= IN_FLIGHT_MAX);
	}
	w->frozen = 0;
	world_run(w);
	for (unsigned i = 0; i < PUBLISHERS; i++)
		assert_true(client_is_done(pubs[i]));
	assert_int_equal(bytes_in_flight(w, last), 0);
	assert_int_equal(w->server->workers[0]->router->flows.stalled, 0);
	if (last != 0)
		assert_int_equal(sub->received_count, sent);
}

/* All of it is in flight before the other worker runs. */
static void publish_huge(struct world *w, struct client **pubs, const char *payload)
{
	unsigned last = w->workers - 1;

	w->frozen = last == 0 ? 0 : 1u << last;
	for (unsigned i = 0; i < PUBLISHERS; i++)
		client_publish_retained(pubs[i], "x", 1, payload);
	world_run(w);
	w->frozen = 0;
	world_run(w);
}

/* While the notification that there is space again is in flight, other clients fill it again:
 * one notification at a time. */
static void refilled_worker_notifies_once(struct world *w)
{
	struct client *first[PUBLISHERS], *second[PUBLISHERS], *sub;
	char *payload = xcalloc(1, HUGE_BYTES + 1);
	unsigned last = w->workers - 1;

	memset(payload, 'x', HUGE_BYTES);
	sub = client_at(w, last, "sub", 0);
	for (unsigned i = 0; i < PUBLISHERS; i++) {
		first[i] = client_at(w, 0, "a", i);
		second[i] = client_at(w, 0, "b", i);
	}
	client_subscribe(sub, "#", 0);
	world_run(w);
	w->reading = last == 0 ? 0 : 1;
	publish_huge(w, first, payload);
	publish_huge(w, second, payload);
	w->reading = 0;
	world_run(w);
	publish_huge(w, first, payload);
	free(payload);
	assert_int_equal(sub->received_count, (size_t)3 * PUBLISHERS);
	assert_int_equal(w->server->workers[0]->router->flows.stalled, 0);
	for (unsigned i = 0; i < PUBLISHERS; i++)
		assert_true(client_is_done(first[i]) && client_is_done(second[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(keep_alive_ends_a_silent_client),
	    SCENARIO(connect_timeout_ends_half_a_connect),
	    SCENARIO(receive_maximum_of_the_client_is_kept),
	    SCENARIO_WITH(receive_maximum_of_the_broker_may_be_exceeded, .conf = ANNOUNCES_20("")),
	    SCENARIO_WITH(exceeded_receive_maximum_is_read_as_answers_leave,
	                  .conf = ANNOUNCES_20(""), .durable = true),
	    SCENARIO_WITH(receive_maximum_of_the_broker_is_enforced,
	                  .conf = ANNOUNCES_20(", receive_maximum_enforcement: strict")),
	    SCENARIO_WITH(large_publish_is_dropped_and_acknowledged, .conf = SMALL_PACKETS("")),
	    SCENARIO_WITH(large_packet_ends_the_connection, .conf = SMALL_PACKETS("")),
	    SCENARIO_WITH(large_packet_ends_the_connection,
	                  .conf = SMALL_PACKETS(", max_packet_size_enforcement: strict")),
	    SCENARIO_WITH(large_publish_comes_at_a_minimum_rate, .conf = SMALL_PACKETS("")),
	    SCENARIO_WITH(unreleased_identifiers_of_311_are_unlimited, .seeds = 3,
	                  .conf = SMALL_QUEUE),
	    SCENARIO_WITH(full_queue_drops_the_newest, .conf = SMALL_QUEUE),
	    SCENARIO(messages_above_the_packet_size_are_left_out),
	    SCENARIO_WITH(client_that_does_not_read_is_bounded, .seeds = 6),
	    SCENARIO_WITH(client_that_only_asks_is_not_read, .seeds = 2),
	    SCENARIO_WITH(stalled_worker_stops_its_publishers, .seeds = 3),
	    SCENARIO_WITH(refilled_worker_notifies_once, .seeds = 2),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
