/* Who is judged by time, and by which: clients that send slowly or take slowly, and a process that
 * stands still. R1, R2 */
#include "base/alloc.h"
#include "client/conn.h"
#include "client/keep_alive.h"
#include "proto/packet_publish.h"
#include "scenario.h"
#include "session/link_output.h"
#include "support/memory_stream.h"

#define KEEP_ALIVE_S 2
#define ALLOWED_MS   3000
#define PAUSE_MS     6000
#define CLIENTS      10

static const struct connect_options clean = {0};
static const struct connect_options lively = {.keep_alive_s = KEEP_ALIVE_S,
                                              .will = {.topic = "gone", .payload = "x"}};

static struct client *join(struct world *w, const char *name, const struct connect_options *options)
{
	struct client *c = client_new(w, name, world_random(w, 2) == 0 ? MQTT_3_1_1 : MQTT_5_0);

	client_join(c, options);
	return c;
}

static struct client *join_watch(struct world *w)
{
	struct client *watch = join(w, "watch", &clean);

	client_subscribe(watch, "gone", 0);
	world_run(w);
	return watch;
}

/* --- the process stands still --- */

/* Their pings wait in the socket. The silent one has its time again, and no more. */
static void pause_of_the_process_closes_no_client_that_pings(struct world *w)
{
	struct client *watch = join_watch(w), *clients[CLIENTS], *silent;
	char name[8];

	for (unsigned i = 0; i < CLIENTS; i++) {
		snprintf(name, sizeof(name), "c%u", i);
		clients[i] = join(w, name, &lively);
	}
	silent = join(w, "silent", &lively);
	for (unsigned i = 0; i < CLIENTS; i++)
		client_ping(clients[i]);
	world_pause(w, PAUSE_MS);
	for (unsigned i = 0; i < CLIENTS; i++) {
		assert_false(clients[i]->closed);
		assert_int_equal(client_answers(clients[i], PACKET_PINGRESP, NULL), 1);
	}
	world_advance(w, ALLOWED_MS - 100);
	for (unsigned i = 0; i < CLIENTS; i++)
		client_ping(clients[i]);
	world_run(w);
	assert_false(silent->closed);
	assert_int_equal(watch->received_count, 0);
	world_advance(w, 200);
	assert_true(silent->closed);
	assert_int_equal(watch->received_count, 1);
	for (unsigned i = 0; i < CLIENTS; i++)
		assert_false(clients[i]->closed);
}

/* A turn that is late by less than a second: what is there is read before anybody is judged. */
static void late_turn_reads_what_came_before_it_closes(struct world *w)
{
	struct client *c = join(w, "c", &lively), *silent = join(w, "silent", &lively);

	world_advance(w, ALLOWED_MS - 200);
	client_ping(c);
	world_pause(w, 900);
	assert_false(c->closed);
	assert_true(silent->closed);
}

/* The CONNECT that continues the session waits in the socket, or is on its way. */
static void pause_ends_no_session_whose_client_returns(struct world *w)
{
	const struct connect_options brief = {
	    .keep = true, .expiry_s = 5, .will = {.topic = "gone", .payload = "x", .delay_s = 4}};
	struct client *watch = join_watch(w), *early = client_new(w, "early", MQTT_5_0);
	struct client *late = client_new(w, "late", MQTT_5_0),
		      *gone = client_new(w, "gone", MQTT_5_0);

	client_join(early, &brief);
	client_join(late, &brief);
	client_join(gone, &brief);
	client_drop(early);
	client_drop(late);
	client_drop(gone);
	world_run(w);
	client_connect(early, &brief);
	world_pause(w, PAUSE_MS);
	world_advance(w, EXECUTOR_GRACE_MS - 100);
	assert_true(early->accepted && early->session_present);
	client_connect(late, &brief);
	world_run(w);
	assert_true(late->accepted && late->session_present);
	assert_int_equal(watch->received_count, 0);
	world_advance(w, 200);
	assert_int_equal(watch->received_count, 1); /* of the one that stayed away */
	client_connect(gone, &brief);
	world_run(w);
	assert_false(gone->session_present);
}

static void pause_gives_a_login_its_time(struct world *w)
{
	struct client *c = client_new(w, "c", MQTT_5_0), *half = client_new(w, "half", MQTT_5_0);

	client_connect(half, &clean);
	buf_clear(&half->out);
	client_send(half, SLICE("\x10\x10\x00\x04MQ"));
	client_connect(c, &clean);
	buf_clear(&c->out);
	world_run(w);
	world_pause(w, 60000);
	world_advance(w, EXECUTOR_GRACE_MS - 100);
	assert_false(c->closed || half->closed);
	client_connect(c, &clean);
	world_run(w);
	assert_true(c->accepted);
	world_advance(w, 200);
	assert_true(half->closed);
}

/* --- packets that come slowly --- */

static struct buf large_publish(const struct client *c, size_t size)
{
	char *payload = xcalloc(1, size);
	struct buf bytes = {0};
	struct publish_out p = {.version = c->version,
	                        .topic = SLICE("large"),
	                        .payload = slice_of((uint8_t *)payload, size)};

	packet_publish_encode(&bytes, &p);
	free(payload);
	return bytes;
}

/* Sends the packet in pieces, one each `every_ms`; how much was sent until it was closed. */
static size_t send_slowly(struct world *w, struct client *c, struct slice packet, size_t piece,
                          uint64_t every_ms)
{
	size_t sent = 0;

	while (sent < packet.len && !c->closed) {
		size_t n = packet.len - sent < piece ? packet.len - sent : piece;

		client_send(c, slice_of(packet.data + sent, n));
		sent += n;
		world_advance(w, every_ms);
	}
	return sent;
}

/* 250 kB at 20 kB each second. */
static void long_packet_counts_as_life_while_it_comes(struct world *w)
{
	struct client *sub = join(w, "sub", &clean), *c = join(w, "c", &lively);
	struct buf packet = large_publish(c, 250000);

	client_subscribe(sub, "large", 0);
	world_run(w);
	assert_int_equal(send_slowly(w, c, buf_slice(&packet), 20000, 1000), packet.len);
	assert_false(c->closed);
	assert_int_equal(sub->received_count, 1);
	world_advance(w, ALLOWED_MS);
	assert_true(c->closed);
	buf_fini(&packet);
}

/* In the middle of a packet, too. */
static void silence_within_a_packet_is_silence(struct world *w)
{
	struct client *c = join(w, "c", &lively);
	struct buf packet = large_publish(c, 250000);

	client_send(c, slice_of(packet.data, 100000));
	world_advance(w, ALLOWED_MS - 100);
	assert_false(c->closed);
	world_advance(w, 200);
	assert_true(c->closed);
	buf_fini(&packet);
}

/* A byte each second keeps nobody alive; KEEP_ALIVE_PACKET_RATE does. */
static void packet_slower_than_the_bound_ends_the_connection(struct world *w)
{
	struct client *trickle = join(w, "trickle", &lively), *slow = join(w, "slow", &lively);
	struct buf packet = large_publish(slow, 1000);
	size_t sent = send_slowly(w, trickle, buf_slice(&packet), 1, 1000);

	assert_true(trickle->closed);
	assert_in_range(sent, ALLOWED_MS / 1000, ALLOWED_MS / 1000 + 1);
	client_ping(slow);
	world_run(w);
	assert_int_equal(slow->closed, true); /* it was silent meanwhile */
	client_join(slow, &lively);
	(void)send_slowly(w, slow, buf_slice(&packet), KEEP_ALIVE_PACKET_RATE, 1000);
	assert_false(slow->closed);
	buf_fini(&packet);
}

/* --- clients that take slowly --- */

#define LARGE ((size_t)400000)

static void publish_large(struct client *pub, unsigned count)
{
	char *payload = xcalloc(1, LARGE + 1);

	memset(payload, 'x', LARGE);
	for (unsigned i = 0; i < count; i++)
		client_publish(pub, "large", 1, payload);
	free(payload);
}

/* What waits for a client is above LINK_OUTPUT_MAX: it is not read. */
static struct client *begin_slow_reader(struct world *w, const struct connect_options *options)
{
	struct client *pub = join(w, "pub", &clean), *c = client_new(w, "c", MQTT_5_0);

	client_join(c, options);
	client_subscribe(c, "large", 1);
	world_run(w);
	client_stall(c, true);
	publish_large(pub, 8);
	world_run(w);
	assert_true((connection_of(w, c)->link.pauses & PAUSE_OUTPUT) != 0);
	return c;
}

/* It takes some each second, and its pings are not read: nobody is silent. */
static void slow_reader_is_not_silent(struct world *w)
{
	struct client *c = begin_slow_reader(w, &lively);

	for (unsigned n = 0; n < 20; n++) {
		client_ping(c);
		world_advance(w, 1000);
		memory_accept(wire_peer(c->wire), 20000);
		assert_false(c->closed);
	}
	assert_true((connection_of(w, c)->link.pauses & PAUSE_OUTPUT) != 0);
	client_stall(c, false);
	world_run(w);
	assert_int_equal(c->received_count, 8);
	assert_int_equal(client_answers(c, PACKET_PINGRESP, NULL), 20);
}

static void reader_that_takes_nothing_is_silent(struct world *w)
{
	struct client *watch = join_watch(w), *c = begin_slow_reader(w, &lively);

	world_advance(w, 1000);
	memory_accept(wire_peer(c->wire), 20000);
	client_ping(c);
	world_advance(w, ALLOWED_MS - 100);
	assert_int_equal(watch->received_count, 0);
	world_advance(w, ALLOWED_MS / 4 + 200);
	assert_int_equal(watch->received_count, 1);
}

static void reader_without_keep_alive_has_a_longer_time(struct world *w)
{
	const struct connect_options options = {.will = {.topic = "gone", .payload = "x"}};
	struct client *watch = join_watch(w);

	(void)begin_slow_reader(w, &options);
	world_advance(w, KEEP_ALIVE_OUTPUT_MS - 1000);
	assert_int_equal(watch->received_count, 0);
	world_advance(w, KEEP_ALIVE_OUTPUT_MS / 4 + 1000);
	assert_int_equal(watch->received_count, 1);
}

/* Another worker cannot keep up: the publisher is not read, and nothing waits for it. */
static void time_stands_still_for_a_publisher_that_is_paused(struct world *w)
{
	struct client *c = join(w, "c", &lively);
	struct conn *conn = connection_of(w, c);

	world_advance(w, ALLOWED_MS - 1000);
	executor_enter(&conn->link.worker->executor);
	client_link_pause(&conn->link, PAUSE_PRESSURE);
	executor_leave();
	world_advance(w, 100 * ALLOWED_MS + 900); /* its timer fires soon after that */
	assert_false(c->closed);
	executor_enter(&conn->link.worker->executor);
	conn_resume(conn, PAUSE_PRESSURE);
	executor_leave();
	world_advance(w, 900);
	assert_false(c->closed);
	world_advance(w, 200);
	assert_true(c->closed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(pause_of_the_process_closes_no_client_that_pings),
	    SCENARIO(late_turn_reads_what_came_before_it_closes),
	    SCENARIO(pause_ends_no_session_whose_client_returns),
	    SCENARIO(pause_gives_a_login_its_time),
	    SCENARIO_WITH(long_packet_counts_as_life_while_it_comes, .seeds = 6),
	    SCENARIO_WITH(silence_within_a_packet_is_silence, .seeds = 6),
	    SCENARIO_WITH(packet_slower_than_the_bound_ends_the_connection, .seeds = 6),
	    SCENARIO_WITH(slow_reader_is_not_silent, .seeds = 6),
	    SCENARIO_WITH(reader_that_takes_nothing_is_silent, .seeds = 6),
	    SCENARIO_WITH(reader_without_keep_alive_has_a_longer_time, .seeds = 6),
	    SCENARIO_WITH(time_stands_still_for_a_publisher_that_is_paused, .seeds = 6),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
