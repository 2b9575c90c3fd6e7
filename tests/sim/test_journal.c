/* A journal that answers late, has no space, or fails, and a broker that crashes: nothing is
 * acknowledged that is not stored, and what was not acknowledged is sent again and delivered
 * once. D1 to D7 */
#include <errno.h>

#include "scenario.h"

#define MESSAGES 30

static const struct connect_options clean = {0};
static const struct connect_options kept = {.keep = true, .expiry_s = 100000};

static void join_held(struct world *w, struct client *c, const struct connect_options *options)
{
	client_connect(c, options);
	world_run(w);
	commit_all(w);
	assert_true(c->accepted);
}

/* CONNACK, SUBACK and UNSUBACK of a stored session wait for the journal; those of others do not. */
static void answers_of_stored_sessions_wait_for_the_commit(struct world *w)
{
	struct client *c = client_new(w, "c", MQTT_5_0), *other = client_new(w, "o", MQTT_5_0);

	client_connect(other, &clean);
	client_subscribe(other, "x", 2);
	client_connect(c, &kept);
	world_run(w);
	assert_true(other->accepted);
	assert_int_equal(client_answers(other, PACKET_SUBACK, NULL), 1);
	assert_false(c->accepted);
	commit_all(w);
	assert_true(c->accepted);
	client_subscribe(c, "x", 2);
	world_run(w);
	assert_int_equal(client_answers(c, PACKET_SUBACK, NULL), 0);
	commit_all(w);
	assert_int_equal(client_answers(c, PACKET_SUBACK, NULL), 1);
	client_unsubscribe(c, "x");
	world_run(w);
	assert_int_equal(client_answers(c, PACKET_UNSUBACK, NULL), 0);
	commit_all(w);
	assert_int_equal(client_answers(c, PACKET_UNSUBACK, NULL), 1);
}

/* PUBACK and PUBREC wait for the queues of offline clients. */
static void puback_and_pubrec_wait_for_the_commit(struct world *w)
{
	struct client *sub = client_new(w, "sub", MQTT_5_0), *pub = client_new(w, "pub", MQTT_5_0);

	join_held(w, sub, &kept);
	client_subscribe(sub, "x", 2);
	commit_all(w);
	client_drop(sub);
	join_held(w, pub, world_random(w, 2) == 0 ? &clean : &kept);
	for (unsigned n = 1; n <= 5; n++) {
		publish_numbered(pub, "x", 1, n);
		publish_numbered(pub, "x", 2, n + 5);
	}
	world_run(w);
	assert_int_equal(client_answers(pub, PACKET_PUBACK, NULL), 0);
	assert_int_equal(client_answers(pub, PACKET_PUBREC, NULL), 0);
	commit_all(w);
	assert_true(client_is_done(pub));
	join_held(w, sub, &kept);
	assert_int_equal(sub->received_count, 10);
}

/* No space: nothing is acknowledged, messages that wait for the store are not delivered,
 * everything else continues; and all of it is completed when there is space again. */
static void full_disk_delays_acknowledgements(struct world *w)
{
	struct client *sub = client_new(w, "sub", MQTT_5_0), *pub = client_new(w, "pub", MQTT_5_0);
	struct client *live = client_new(w, "live", MQTT_5_0);

	join_held(w, sub, &kept);
	join_held(w, pub, &kept);
	join_held(w, live, &clean);
	client_subscribe(sub, "x", 2);
	client_subscribe(live, "#", 2);
	commit_all(w);
	store_image_fail(w->image, 2, -ENOSPC);
	publish_numbered(pub, "x", 2, 1);
	publish_numbered(pub, "y", 0, 2);
	world_run(w);
	assert_false(world_commit(w));
	world_advance(w, 1000);
	assert_false(world_commit(w));
	assert_int_equal(client_answers(pub, PACKET_PUBREC, NULL), 0);
	assert_int_equal(sub->received_count, 0);
	require_exactly(live, "pub", "y", 2, 2);
	world_advance(w, 1000);
	commit_all(w);
	assert_false(pub->closed);
	assert_true(client_is_done(pub));
	require_exactly(sub, "pub", "x", 1, 1);
	require_exactly(live, "pub", "x", 1, 1);
}

/* The store fails for good: nothing more is acknowledged, clients that ask for a session are
 * refused, others continue. The next start has what was acknowledged, and the rest is sent
 * again. [MQTT3-4.8.0-2] */
static void failed_disk_acknowledges_nothing(struct world *w)
{
	struct client *sub = client_new(w, "sub", MQTT_5_0), *pub = client_new(w, "pub", MQTT_5_0);
	struct client *late = client_new(w, "late", MQTT_5_0);

	join_held(w, sub, &kept);
	join_held(w, pub, &kept);
	client_subscribe(sub, "x", 2);
	commit_all(w);
	store_image_fail(w->image, 1, -EIO);
	publish_numbered(pub, "x", 2, 1);
	world_run(w);
	assert_false(world_commit(w));
	world_advance(w, 10000);
	assert_false(world_commit(w));
	assert_int_equal(client_answers(pub, PACKET_PUBREC, NULL), 0);
	client_connect(late, &kept);
	world_run(w);
	assert_false(late->accepted);
	assert_int_equal(late->connack_reason, REASON_SERVER_UNAVAILABLE);
	client_connect(late, &clean);
	client_subscribe(late, "y", 1);
	publish_numbered(late, "y", 1, 1);
	world_run(w);
	require_exactly(late, "late", "y", 1, 1);
	world_crash(w);
	join_held(w, sub, &kept);
	assert_true(sub->session_present);
	join_held(w, pub, &kept);
	assert_true(pub->session_present);
	commit_all(w);
	assert_true(client_is_done(pub));
	require_exactly(sub, "pub", "x", 1, 1);
}

/* Crashes now and then, at any moment: QoS 1 at least once, QoS 2 exactly once. */
static void crashes_lose_nothing_acknowledged(struct world *w)
{
	struct client *sub = client_new(w, "sub", MQTT_5_0),
		      *pub = client_new(w, "pub", MQTT_3_1_1);

	w->journal_paused = false;
	client_join(sub, &kept);
	client_join(pub, &kept);
	client_subscribe(sub, "#", 2);
	world_run(w);
	for (unsigned n = 1; n <= MESSAGES; n++) {
		publish_numbered(pub, "b/1", 1, n);
		publish_numbered(pub, "b/2", 2, n);
		world_steps(w, (unsigned)world_random(w, 60));
		if (world_random(w, 5) == 0)
			world_crash(w);
		if (sub->wire == NULL || sub->closed)
			client_connect(sub, &kept);
		if (pub->wire == NULL || pub->closed)
			client_connect(pub, &kept);
	}
	world_run(w);
	client_join(sub, &kept);
	client_join(pub, &kept);
	assert_true(sub->session_present && pub->session_present);
	assert_true(client_is_done(pub));
	require_at_least(sub, "pub", "b/1", 1, MESSAGES);
	require_exactly(sub, "pub", "b/2", 1, MESSAGES);
}

static void break_now_and_then(struct world *w, struct client *c)
{
	if (c->wire == NULL || c->closed)
		client_connect(c, &kept);
	else if (world_random(w, 6) == 0)
		client_drop(c);
}

/* Sent again while its group is held: not routed again, and its PUBREC waits too.
 * [MQTT3-4.3.3-2] [MQTT5-4.3.3-10] */
static void resent_publish_is_not_routed_again(struct world *w)
{
	struct client *sub = client_new(w, "sub", MQTT_5_0),
		      *pub = client_new(w, "pub", MQTT_3_1_1);
	const struct slice publish = SLICE("\x34\x06\x00\x01x\x00\x09v");
	const struct slice again = SLICE("\x3c\x06\x00\x01x\x00\x09v");
	unsigned times = 1 + (unsigned)world_random(w, 3);

	join_held(w, sub, &kept);
	client_subscribe(sub, "x", 2);
	commit_all(w);
	join_held(w, pub, world_random(w, 2) == 0 ? &clean : &kept);
	pub->manual = true;
	client_send(pub, publish);
	for (unsigned i = 0; i < times; i++)
		client_send(pub, again);
	world_run(w);
	assert_int_equal(client_answers(pub, PACKET_PUBREC, NULL), 0);
	commit_all(w);
	assert_int_equal(client_answers(pub, PACKET_PUBREC, NULL),
	                 2); /* one for all that came again */
	assert_false(pub->closed);
	assert_int_equal(sub->received_count, 1);
}

/* A slow disk that has no space now and then, with connections that break: exactly once all the
 * same, and in order. */
static void slow_full_disk_keeps_order_and_count(struct world *w)
{
	struct client *sub = client_new(w, "sub", MQTT_5_0),
		      *pub = client_new(w, "pub", MQTT_3_1_1);
	bool fails = world_random(w, 2) == 0;

	w->journal_paused = false;
	client_join(sub, &kept);
	client_join(pub, &kept);
	client_subscribe(sub, "#", 2);
	world_run(w);
	w->fail_one_in = fails ? 20 : 0;
	for (unsigned n = 1; n <= MESSAGES; n++) {
		publish_numbered(pub, "b/1", 1, n);
		publish_numbered(pub, "b/2", 2, n);
		world_steps(w, (unsigned)world_random(w, 30));
		if (world_random(w, 8) == 0)
			world_advance(w, 1000);
		break_now_and_then(w, pub);
		break_now_and_then(w, sub);
	}
	w->fail_one_in = 0;
	store_image_fail(w->image, 0, 0);
	world_advance(w, 1000);
	client_join(sub, &kept);
	client_join(pub, &kept);
	assert_true(client_is_done(pub));
	require_at_least(sub, "pub", "b/1", 1, MESSAGES);
	require_exactly(sub, "pub", "b/2", 1, MESSAGES);
}

/* QoS 1 (even numbers) at least once, QoS 2 exactly once, each in order. */
static void require_each(const struct client *c, long last)
{
	long next[2] = {2, 1};

	for (size_t i = 0; i < c->received_count; i++) {
		long number = number_of(&c->received[i], "pub"), *due = &next[number % 2];

		if (number != *due && !(number % 2 == 0 && number < *due))
			fail_msg("%s: %ld came where %ld was next", c->id, number, *due);
		*due = number == *due ? number + 2 : *due;
	}
	assert_true(next[0] > last && next[1] > last);
}

/* A queue larger than memory is on disk: it is read in pages, in order, while more arrives,
 * across connections that break and a broker that crashes. */
static void queue_on_disk_is_read_in_pages(struct world *w)
{
	struct client *sub = client_new(w, "sub", MQTT_5_0), *pub = client_new(w, "pub", MQTT_5_0);
	struct connect_options slow = kept;
	unsigned n = 1, most = 400;

	slow.receive_maximum = (uint16_t)(1 + world_random(w, 40));
	w->journal_paused = false;
	client_join(sub, &slow);
	client_subscribe(sub, "#", 2);
	client_join(pub, &kept);
	client_drop(sub);
	for (; n <= most; n++)
		publish_numbered(pub, "b", 1 + n % 2, n);
	world_run(w);
	assert_true(client_is_done(pub));
	for (; n <= most + 60; n++) {
		if (sub->wire == NULL || sub->closed)
			client_connect(sub, &slow);
		if (pub->wire == NULL || pub->closed)
			client_connect(pub, &kept);
		publish_numbered(pub, "b", 1 + n % 2, n);
		world_steps(w, (unsigned)world_random(w, 200));
		if (world_random(w, 20) == 0)
			client_drop(sub);
		if (world_random(w, 20) == 0)
			world_crash(w);
	}
	client_join(sub, &slow);
	client_join(pub, &kept);
	world_run(w);
	assert_true(client_is_done(pub));
	require_each(sub, most + 60);
}

/* The clock is wrong when the session is stored, while it waits, or at the start: it is as old as
 * the broker's running time, and what it would have expired by is as far away as before.  D5 */
static void wrong_clock_ends_no_session(struct world *w)
{
	static const int64_t wrong_ms[] = {0, 100000 - WORLD_WALL_MS, 315360000000, -86400000};
	const struct connect_options hour = {.keep = true, .expiry_s = 3600};
	struct client *sub = client_new(w, "sub", MQTT_5_0), *pub = client_new(w, "pub", MQTT_5_0);

	w->clock_wrong_ms = wrong_ms[world_random(w, 4)];
	join_held(w, sub, &hour);
	client_subscribe(sub, "x", 2);
	commit_all(w);
	client_drop(sub);
	join_held(w, pub, &kept);
	publish_numbered(pub, "x", 1, 1);
	commit_all(w);
	if (world_random(w, 2) == 0) {
		w->clock_wrong_ms = wrong_ms[world_random(w, 3)];
		world_advance(w, 10000); /* the journal notices */
		commit_all(w);
	}
	w->next_clock_wrong_ms = wrong_ms[1 + world_random(w, 2)];
	world_restart(w);
	w->next_clock_wrong_ms = w->clock_wrong_ms;
	join_held(w, sub, &hour);
	assert_true(sub->session_present);
	assert_int_equal(sub->received_count, 1);
	client_drop(sub);
	world_advance(w, 3700000); /* nor does it live for ever */
	commit_all(w);
	join_held(w, sub, &hour);
	assert_false(sub->session_present);
}

/* Stopped while groups are held: world_free completes and frees them. */
static void stop_completes_held_groups(struct world *w)
{
	struct client *sub = client_new(w, "sub", MQTT_5_0), *pub = client_new(w, "pub", MQTT_5_0);

	join_held(w, sub, &kept);
	client_subscribe(sub, "#", 2);
	commit_all(w);
	client_connect(pub, &kept);
	commit_all(w);
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
	    SCENARIO_WITH(answers_of_stored_sessions_wait_for_the_commit, .durable = true),
	    SCENARIO_WITH(puback_and_pubrec_wait_for_the_commit, .durable = true),
	    SCENARIO_WITH(full_disk_delays_acknowledgements, .durable = true),
	    SCENARIO_WITH(failed_disk_acknowledges_nothing, .durable = true),
	    SCENARIO_WITH(crashes_lose_nothing_acknowledged, .durable = true),
	    SCENARIO_WITH(resent_publish_is_not_routed_again, .durable = true),
	    SCENARIO_WITH(slow_full_disk_keeps_order_and_count, .durable = true),
	    SCENARIO_WITH(queue_on_disk_is_read_in_pages, .durable = true, .seeds = 10),
	    SCENARIO_WITH(wrong_clock_ends_no_session, .durable = true),
	    SCENARIO_WITH(stop_completes_held_groups, .durable = true),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
