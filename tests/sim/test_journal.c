/* A journal that answers late, or that fails: nothing is acknowledged that is not kept, and what
 * was not acknowledged comes again and is delivered once.  D1, D2, D7 */
#include "scenario.h"

#define MESSAGES 30

static const struct connect_options clean = {0};
static const struct connect_options kept = {.keep = true, .expiry_s = 100000};

static void release_all(struct world *w, int status)
{
	world_run(w);
	while (world_release(w, SIZE_MAX, status) > 0)
		world_run(w);
}

static void join_held(struct world *w, struct client *c, const struct connect_options *options)
{
	client_connect(c, options);
	world_run(w);
	release_all(w, 0);
	assert_true(c->accepted);
}

/* CONNACK, SUBACK, UNSUBACK of a session that is kept wait for the journal; the others' do not. */
static void promises_wait(struct world *w)
{
	struct client *c = client_new(w, "c", MQTT_5_0), *other = client_new(w, "o", MQTT_5_0);

	client_connect(other, &clean);
	client_subscribe(other, "x", 2);
	client_connect(c, &kept);
	world_run(w);
	assert_true(other->accepted);
	assert_int_equal(client_answers(other, PACKET_SUBACK, NULL), 1);
	assert_false(c->accepted);
	release_all(w, 0);
	assert_true(c->accepted);
	client_subscribe(c, "x", 2);
	world_run(w);
	assert_int_equal(client_answers(c, PACKET_SUBACK, NULL), 0);
	release_all(w, 0);
	assert_int_equal(client_answers(c, PACKET_SUBACK, NULL), 1);
	client_unsubscribe(c, "x");
	world_run(w);
	assert_int_equal(client_answers(c, PACKET_UNSUBACK, NULL), 0);
	release_all(w, 0);
	assert_int_equal(client_answers(c, PACKET_UNSUBACK, NULL), 1);
}

/* PUBACK and PUBREC wait for the queues of those who are away. */
static void acknowledgements_wait(struct world *w)
{
	struct client *sub = client_new(w, "sub", MQTT_5_0), *pub = client_new(w, "pub", MQTT_5_0);
	size_t acknowledged;

	join_held(w, sub, &kept);
	client_subscribe(sub, "x", 2);
	release_all(w, 0);
	client_drop(sub);
	join_held(w, pub, world_random(w, 2) == 0 ? &clean : &kept);
	for (unsigned n = 1; n <= 5; n++) {
		publish_numbered(pub, "x", 1, n);
		publish_numbered(pub, "x", 2, n + 5);
	}
	world_run(w);
	assert_int_equal(client_answers(pub, PACKET_PUBACK, NULL), 0);
	assert_int_equal(client_answers(pub, PACKET_PUBREC, NULL), 0);
	assert_int_equal(world_release(w, 3, 0), 3);
	world_run(w);
	acknowledged =
	    client_answers(pub, PACKET_PUBACK, NULL) + client_answers(pub, PACKET_PUBREC, NULL);
	assert_int_equal(acknowledged, 3);
	release_all(w, 0);
	assert_true(client_is_done(pub));
	join_held(w, sub, &kept);
	assert_int_equal(sub->received_count, 10);
}

/* It fails: no acknowledgement, the connection ends, nobody got anything; sent again, it arrives
 * once. [MQTT3-4.8.0-2] */
static void failure_closes(struct world *w)
{
	struct client *sub = client_new(w, "sub", MQTT_5_0), *pub = client_new(w, "pub", MQTT_5_0);
	struct client *live = client_new(w, "live", MQTT_5_0);

	join_held(w, sub, &kept);
	join_held(w, pub, &kept);
	join_held(w, live, &clean);
	client_subscribe(sub, "x", 2);
	client_subscribe(live, "x", 2);
	release_all(w, 0);
	publish_numbered(pub, "x", 2, 1);
	world_run(w);
	assert_int_equal(live->received_count + sub->received_count, 0);
	release_all(w, -28);
	assert_true(pub->closed);
	assert_int_equal(client_answers(pub, PACKET_PUBREC, NULL), 0);
	assert_int_equal(live->received_count + sub->received_count, 0);
	join_held(w, pub, &kept);
	assert_true(pub->session_present);
	release_all(w, 0);
	assert_true(client_is_done(pub));
	require_exactly(sub, "pub", "x", 1, 1);
	require_exactly(live, "pub", "x", 1, 1);
}

static void break_now_and_then(struct world *w, struct client *c)
{
	if (c->wire == NULL || c->closed)
		client_connect(c, &kept);
	else if (world_random(w, 6) == 0)
		client_drop(c);
}

/* Resent while its group is held: not routed again, and its PUBREC waits too. [MQTT3-4.3.3-2]
 * [MQTT5-4.3.3-10] */
static void resent_while_held(struct world *w)
{
	struct client *sub = client_new(w, "sub", MQTT_5_0),
		      *pub = client_new(w, "pub", MQTT_3_1_1);
	const struct slice publish = SLICE("\x34\x06\x00\x01x\x00\x09v");
	const struct slice again = SLICE("\x3c\x06\x00\x01x\x00\x09v");
	unsigned times = 1 + (unsigned)world_random(w, 3);

	join_held(w, sub, &kept);
	client_subscribe(sub, "x", 2);
	release_all(w, 0);
	join_held(w, pub, world_random(w, 2) == 0 ? &clean : &kept);
	pub->manual = true;
	client_send(pub, publish);
	for (unsigned i = 0; i < times; i++)
		client_send(pub, again);
	world_run(w);
	assert_int_equal(client_answers(pub, PACKET_PUBREC, NULL), 0);
	release_all(w, 0);
	assert_int_equal(client_answers(pub, PACKET_PUBREC, NULL),
	                 2); /* one for all that came again */
	assert_false(pub->closed);
	assert_int_equal(sub->received_count, 1);
}

static unsigned times_received(const struct client *c, const char *topic, long number)
{
	unsigned times = 0;

	for (size_t i = 0; i < c->received_count; i++)
		times += strcmp(c->received[i].topic, topic) == 0 &&
		         number_of(&c->received[i], "pub") == number;
	return times;
}

/* A group that failed comes again behind those that did not: then only the number of times counts.
 */
static void require_all(const struct client *sub, bool in_order)
{
	if (in_order) {
		require_at_least(sub, "pub", "b/1", 1, MESSAGES);
		require_exactly(sub, "pub", "b/2", 1, MESSAGES);
		return;
	}
	for (long n = 1; n <= MESSAGES; n++) {
		assert_true(times_received(sub, "b/1", n) > 0);
		assert_int_equal(times_received(sub, "b/2", n), 1);
	}
}

/* A slow disk that fails now and then, under connections that break: exactly once all the same. */
static void late_and_failing(struct world *w)
{
	struct client *sub = client_new(w, "sub", MQTT_5_0),
		      *pub = client_new(w, "pub", MQTT_3_1_1);
	bool fails = world_random(w, 2) == 0;

	w->hold = false;
	client_join(sub, &kept);
	client_join(pub, &kept);
	client_subscribe(sub, "#", 2);
	world_run(w);
	w->fail_one_in = fails ? 20 : 0;
	for (unsigned n = 1; n <= MESSAGES; n++) {
		publish_numbered(pub, "b/1", 1, n);
		publish_numbered(pub, "b/2", 2, n);
		world_steps(w, (unsigned)world_random(w, 30));
		break_now_and_then(w, pub);
		break_now_and_then(w, sub);
	}
	w->fail_one_in = 0;
	world_run(w);
	client_join(sub, &kept);
	client_join(pub, &kept);
	assert_true(client_is_done(pub));
	require_all(sub, !fails);
}

/* Stopped while groups are held: world_free completes and frees them. */
static void stop_while_held(struct world *w)
{
	struct client *sub = client_new(w, "sub", MQTT_5_0), *pub = client_new(w, "pub", MQTT_5_0);

	join_held(w, sub, &kept);
	client_subscribe(sub, "#", 2);
	release_all(w, 0);
	client_connect(pub, &kept);
	release_all(w, 0);
	for (unsigned n = 1; n <= 10; n++)
		publish_numbered(pub, "x", (uint8_t)(n % 3), n);
	world_steps(w, (unsigned)world_random(w, 100));
	if (world_random(w, 2) == 0)
		client_drop(pub);
	world_steps(w, (unsigned)world_random(w, 100));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO_WITH(promises_wait, .held = true),
	    SCENARIO_WITH(acknowledgements_wait, .held = true),
	    SCENARIO_WITH(failure_closes, .held = true),
	    SCENARIO_WITH(resent_while_held, .held = true),
	    SCENARIO_WITH(late_and_failing, .held = true),
	    SCENARIO_WITH(stop_while_held, .held = true),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
