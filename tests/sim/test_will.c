/* Wills: published at most once, exactly when the standard says, and never if cancelled. D6 */
#include "scenario.h"
#include "worker/worker.h"

static const struct connect_options clean = {0};

static struct client *watcher(struct world *w)
{
	struct client *c = client_new(w, "watcher", MQTT_5_0);

	client_join(c, &clean);
	client_subscribe(c, "will/#", 2);
	world_run(w);
	return c;
}

static struct connect_options with_will(uint32_t expiry_s, uint32_t delay_s)
{
	return (struct connect_options){
	    .keep = expiry_s > 0,
	    .expiry_s = expiry_s,
	    .will = {.topic = "will/x", .payload = "gone", .qos = 1, .delay_s = delay_s}};
}

/* A broken connection, a peer that closes without DISCONNECT, an invalid packet: each publishes
 * it, once. [MQTT3-3.1.2-8] [MQTT5-3.1.2-8] */
static void broken_connection_publishes_the_will(struct world *w)
{
	struct client *watch = watcher(w);
	struct client *c = client_new(w, "c", world_random(w, 2) == 0 ? MQTT_5_0 : MQTT_3_1_1);
	struct connect_options options = with_will(world_random(w, 2) == 0 ? 0 : 1000, 0);

	client_join(c, &options);
	switch (world_random(w, 3)) {
	case 0:
		client_drop(c);
		break;
	case 1:
		client_finish(c);
		break;
	default:
		client_send(c, SLICE("\xf0\x00")); /* AUTH without an exchange */
	}
	world_run(w);
	assert_int_equal(count_received(watch, "will/x"), 1);
	assert_int_equal(watch->received[0].qos, 1);
	world_advance(w, 2000000);
	assert_int_equal(count_received(watch, "will/x"), 1);
}

/* DISCONNECT 0x00 drops it; 0x04 does not. [MQTT5-3.1.2-10] [MQTT5-3.14.4-3] */
static void disconnect_cancels_the_will(struct world *w)
{
	struct client *watch = watcher(w), *c = client_new(w, "c", MQTT_5_0);
	struct connect_options options = with_will(world_random(w, 2) == 0 ? 0 : 1000, 0);

	client_join(c, &options);
	client_leave(c, REASON_SUCCESS);
	world_advance(w, 2000000);
	assert_int_equal(watch->received_count, 0);
	client_join(c, &options);
	client_leave(c, REASON_DISCONNECT_WITH_WILL);
	world_run(w);
	assert_int_equal(watch->received_count, 1);
	world_advance(w, 2000000);
	assert_int_equal(watch->received_count, 1);
}

/* After its delay, or at the session's end, whichever is first; not if the client has
 * reconnected before. [MQTT5-3.1.3-9] */
static void delayed_will_waits_or_is_cancelled(struct world *w)
{
	struct client *watch = watcher(w), *c = client_new(w, "c", MQTT_5_0);
	struct connect_options late = with_will(1000, 30), early = with_will(10, 30);

	client_join(c, &late);
	client_drop(c);
	world_advance(w, 29000);
	assert_int_equal(watch->received_count, 0);
	client_join(c, &late);
	world_advance(w, 100000);
	assert_int_equal(watch->received_count, 0);
	client_drop(c);
	world_advance(w, 29900);
	assert_int_equal(watch->received_count, 0);
	world_advance(w, 200);
	assert_int_equal(watch->received_count, 1);
	world_advance(w, 2000000);
	assert_int_equal(watch->received_count, 1);
	client_join(c, &early);
	client_drop(c);
	world_advance(w, 9900);
	assert_int_equal(watch->received_count, 1);
	world_advance(w, 200);
	assert_int_equal(watch->received_count, 2);
	world_advance(w, 100000);
	assert_int_equal(watch->received_count, 2);
}

/* Takeover ends a connection without DISCONNECT: a will without delay is published, one with a
 * delay is not since the session continues; a clean start ends the session and with it the
 * delay. [MQTT5-3.1.3-9] */
static void takeover_publishes_a_will_without_delay(struct world *w)
{
	struct client *watch = watcher(w), *one = client_new(w, "c", MQTT_5_0);
	struct client *two = client_new(w, "c", MQTT_5_0);
	struct connect_options now = with_will(1000, 0), later = with_will(1000, 30);

	client_join(one, &now);
	client_join(two, &later);
	assert_int_equal(watch->received_count, 1);
	client_join(one, &later);
	world_advance(w, 100000);
	assert_int_equal(watch->received_count, 1);
	client_join(two, &clean);
	assert_int_equal(watch->received_count, 2);
	world_advance(w, 2000000);
	assert_int_equal(watch->received_count, 2);
}

/* A retained will is sent to later subscribers, an expired one is not. */
static void retained_will_is_sent_to_later_subscribers(struct world *w)
{
	struct client *late = client_new(w, "late", MQTT_5_0), *c = client_new(w, "c", MQTT_5_0);
	struct connect_options options = with_will(0, 0);

	options.will.retain = true;
	options.will.expiry_s = 50;
	client_join(c, &options);
	world_advance(w, 100000);
	client_drop(c);
	world_advance(w, 20000);
	client_join(late, &clean);
	client_subscribe(late, "will/x", 1);
	world_run(w);
	assert_int_equal(late->received_count, 1);
	assert_true(late->received[0].retain);
	assert_int_equal(late->received[0].expiry_s, 30);
	world_advance(w, 30000);
	client_subscribe(late, "will/x", 1);
	world_run(w);
	assert_int_equal(late->received_count, 1);
}

/* A will that may not be published is refused at CONNECT, and the session is not touched. "What
 * is checked" in acl.yaml(5) */
static void denied_will_refuses_the_connect(struct world *w)
{
	struct client *c = client_new(w, "c", world_random(w, 2) == 0 ? MQTT_5_0 : MQTT_3_1_1);
	struct connect_options good = with_will(1000, 0), bad = with_will(1000, 0);
	struct client *watch = watcher(w);

	bad.will.topic = "desired/lamp";
	client_join(c, &good);
	client_connect(c, &bad);
	world_run(w);
	assert_false(c->accepted);
	assert_true(c->closed);
	assert_int_equal(c->connack_reason, c->version == MQTT_5_0 ? REASON_NOT_AUTHORIZED : 5);
	assert_int_equal(watch->received_count, 1); /* the first connection broke */
	client_join(c, &good);
	assert_true(c->session_present);
}

#define LEVELS     5
#define LONG_TOPIC "a/a/a/a/a"

/* Who gets a will takes many turns to find; its client is back at once, by a new connection or by
 * taking over, and what it says then comes after the will. D3 */
static void will_comes_before_what_its_client_says(struct world *w)
{
	struct client *watch = watcher(w), *c = client_new(w, "c", MQTT_5_0);
	struct connect_options options = with_will(world_random(w, 2) == 0 ? 0 : 1000, 0);
	char filter[2 * LEVELS];

	for (unsigned i = 0; i < 1 << LEVELS; i++) {
		for (size_t level = 0; level < LEVELS; level++) {
			filter[2 * level] = (i >> level & 1) != 0 ? '+' : 'a';
			filter[2 * level + 1] = level == LEVELS - 1 ? '\0' : '/';
		}
		client_subscribe(watch, filter, 1);
	}
	w->journal_paused = false;
	options.will.topic = LONG_TOPIC;
	options.will.retain = true;
	for (unsigned round = 0; round < 3; round++) {
		client_join(c, &options);
		for (unsigned i = 0; i < w->workers; i++)
			w->server->workers[i]->turn_steps = 1;
		client_forget(watch);
		if (round < 2)
			client_drop(c);
		options.keep = world_random(w, 2) == 0;
		if (round < 2)
			client_connect(c, &options);
		else
			client_connect_over(c, &options);
		client_publish_retained(c, LONG_TOPIC, 1, "back");
		world_advance(w, 1000);
		assert_true(c->accepted);
		assert_int_equal(watch->received_count, 2);
		assert_string_equal(watch->received[0].payload, "gone");
		assert_string_equal(watch->received[1].payload, "back");
		client_leave(c, REASON_SUCCESS);
		world_run(w);
	}
}

/* One that may not be retained, because a limit is reached, is done with: also for the next start,
 * when there would be room. D6 */
static void refused_will_does_not_come_back(struct world *w)
{
	struct client *writer = client_new(w, "writer", MQTT_5_0),
		      *c = client_new(w, "c", MQTT_5_0);
	struct client *late = client_new(w, "late", MQTT_5_0);
	struct connect_options options = with_will(0, 0);

	options.will.retain = true;
	client_join(writer, &clean);
	client_publish_retained(writer, "will/y", 1, "first");
	world_run(w);
	client_join(c, &options);
	commit_all(w);
	client_drop(c);
	commit_all(w);
	client_publish_retained(writer, "will/y", 1, "");
	commit_all(w);
	world_restart(w);
	world_advance(w, 1000);
	client_join(late, &clean);
	client_subscribe(late, "will/#", 1);
	world_advance(w, 1000);
	assert_int_equal(late->received_count, 0);
}

static const char one_retained[] = "listeners:\n  - bind: unix:/run/sim.sock\nauthentication:\n"
				   "  anonymous: true\nlimits: {retained_messages: 1}\n";

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(broken_connection_publishes_the_will),
	    SCENARIO(disconnect_cancels_the_will),
	    SCENARIO(delayed_will_waits_or_is_cancelled),
	    SCENARIO(takeover_publishes_a_will_without_delay),
	    SCENARIO(retained_will_is_sent_to_later_subscribers),
	    SCENARIO(denied_will_refuses_the_connect),
	    SCENARIO_WITH(refused_will_does_not_come_back, .conf = one_retained, .durable = true),
	    SCENARIO(will_comes_before_what_its_client_says),
	    SCENARIO_WITH(will_comes_before_what_its_client_says, .durable = true),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
