/* Retained messages: replay and live together never go backwards, deletion, the options of
 * SUBSCRIBE. D4 */
#include "scenario.h"
#include "server/expire_retained.h"

#define TOPICS  3
#define WRITERS 3
#define READERS 12
#define CHANGES 60

static const char *const topics[TOPICS] = {"state/a", "state/b", "state/c"};
static const struct connect_options clean = {0};
static const struct connect_options kept = {.keep = true, .expiry_s = 100000};

static enum mqtt_version any_version(struct world *w)
{
	return world_random(w, 2) == 0 ? MQTT_5_0 : MQTT_3_1_1;
}

static struct client *join(struct world *w, const char *kind, unsigned n,
                           const struct connect_options *options)
{
	char name[16];
	struct client *c;

	snprintf(name, sizeof(name), "%s%u", kind, n);
	c = client_new(w, name, any_version(w));
	client_join(c, options);
	return c;
}

/* Every value of `topic` that the reader saw, in the order in which the witness saw it. A value
 * may arrive twice in a row: the path to the witness and that of the replay are not the
 * reader's. */
static void require_order_of(const struct client *witness, const struct client *reader,
                             const char *topic)
{
	size_t at = 0;

	for (size_t i = 0; i < reader->received_count; i++) {
		const struct received *r = &reader->received[i];

		if (strcmp(r->topic, topic) != 0 || r->dup)
			continue;
		while (at < witness->received_count &&
		       (strcmp(witness->received[at].topic, topic) != 0 ||
		        strcmp(witness->received[at].payload, r->payload) != 0))
			at++;
		if (at == witness->received_count)
			fail_msg("%s: %s of %s went backwards", reader->id, r->payload, topic);
		at++;
	}
	assert_string_equal(last_received(reader, topic), last_received(witness, topic));
}

static void require_all_in_order(const struct client *witness, struct client **readers,
                                 unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		for (unsigned t = 0; t < TOPICS; t++)
			require_order_of(witness, readers[i], topics[t]);
	}
}

static void change(struct world *w, struct client **writers, unsigned n, uint8_t min_qos)
{
	char payload[32];

	snprintf(payload, sizeof(payload), "%u", n);
	client_publish_retained(writers[world_random(w, WRITERS)], topics[world_random(w, TOPICS)],
	                        (uint8_t)(min_qos + world_random(w, 2u - min_qos)), payload);
	world_steps(w, (unsigned)world_random(w, 8));
}

/* Writers on several workers, readers that subscribe at random moments, and one that was there
 * before. */
static void live_and_replay_never_go_backwards(struct world *w)
{
	struct client *witness, *writers[WRITERS], *readers[READERS];
	unsigned reader_count = 0;

	witness = join(w, "witness", 0, &clean);
	client_subscribe(witness, "state/#", 2);
	for (unsigned i = 0; i < WRITERS; i++)
		writers[i] = join(w, "writer", i, &clean);
	world_run(w);
	for (unsigned n = 1; n <= CHANGES; n++) {
		change(w, writers, n, 0);
		if (reader_count == READERS || world_random(w, 4) != 0)
			continue;
		readers[reader_count] = client_new(w, "late", any_version(w));
		readers[reader_count]->id[0] = (char)('A' + reader_count);
		client_connect(readers[reader_count], &clean);
		client_subscribe(readers[reader_count], world_random(w, 2) == 0 ? "#" : "state/+",
		                 (uint8_t)world_random(w, 3));
		reader_count++;
	}
	world_run(w);
	require_all_in_order(witness, readers, reader_count);
}

/* Not before its SUBSCRIBE is answered. */
static void come_or_go(struct world *w, struct client *reader)
{
	if (reader->wire == NULL || reader->closed)
		client_connect(reader, &kept);
	else if (world_random(w, 3) == 0 &&
	         client_answers(reader, PACKET_SUBACK, NULL) == reader->subscribes)
		client_drop(reader);
}

/* The same with readers whose sessions are stored, which disconnect and reconnect. On one
 * worker: what waits for the journal on several workers may be completed in another order. */
static void live_and_replay_never_go_backwards_with_stored_sessions(struct world *w)
{
	static const char *const names[] = {"reader0", "reader1", "reader2", "reader3"};
	struct client *witness, *writers[WRITERS], *readers[4];

	witness = join(w, "witness", 0, &kept);
	client_subscribe(witness, "state/#", 1);
	for (unsigned i = 0; i < WRITERS; i++)
		writers[i] = join(w, "writer", i, &clean);
	for (unsigned i = 0; i < 4; i++) {
		readers[i] = client_new(w, names[i], MQTT_5_0);
		client_join(readers[i], &kept);
	}
	world_run(w);
	for (unsigned n = 1; n <= CHANGES; n++) {
		change(w, writers, n, 1);
		come_or_go(w, readers[world_random(w, 4)]);
		if (n % 15 == 0) {
			client_join(readers[n / 15 - 1], &kept);
			for (unsigned more = 0; more < 5; more++)
				change(w, writers, CHANGES + n + more, 1);
			client_subscribe(readers[n / 15 - 1], "state/+", 1);
		}
	}
	world_run(w);
	for (unsigned i = 0; i < 4; i++)
		client_join(readers[i], &kept);
	world_run(w);
	for (unsigned t = 0; t < TOPICS; t++) {
		struct msg *now =
		    retain_find(w->server->retain, 0, slice_of_str(topics[t]), w->now_ms);

		bool same =
		    now == NULL ||
		    slice_equal(msg_payload(now), slice_of_str(last_received(witness, topics[t])));

		msg_unref(&now);
		assert_true(same);
	}
	require_all_in_order(witness, readers, 4);
}

/* A deleted value is not replayed, and does not return. [MQTT3-3.3.1-10] [MQTT5-3.3.1-6]
 * [MQTT5-3.3.1-7] */
static void deleted_value_does_not_return(struct world *w)
{
	struct client *writer = join(w, "writer", 0, &clean), *early = join(w, "early", 0, &clean);
	struct client *late;

	client_subscribe(early, "#", 1);
	world_run(w);
	client_publish_retained(writer, "state/a", 1, "1");
	client_publish_retained(writer, "state/b", 0, "2");
	client_publish_retained(writer, "state/a", 1, "");
	world_steps(w, (unsigned)world_random(w, 60));
	late = client_new(w, "late", any_version(w));
	client_connect(late, &clean);
	client_subscribe(late, "state/#", 1);
	world_run(w);
	assert_string_equal(last_received(early, "state/a"), "");
	assert_int_equal(count_received(early, "state/a"), 2);
	assert_string_equal(last_received(late, "state/a"), "");
	assert_string_equal(last_received(late, "state/b"), "2");
	assert_int_equal(count_received(late, "state/b"), 1);
	late = join(w, "later", 0, &clean);
	client_subscribe(late, "+/+", 1);
	world_run(w);
	assert_int_equal(late->received_count, 1);
	assert_true(late->received[0].retain);
}

/* Retain Handling and Retain As Published. [MQTT5-3.3.1-9, -10, -11, -12, -13] */
static void retain_handling_and_retain_as_published(struct world *w)
{
	struct client *writer = join(w, "writer", 0, &clean);
	struct client *reader = client_new(w, "reader", MQTT_5_0);
	struct subscribe_request request = {.filter = "state/a", .qos = 1, .retain_handling = 2};

	client_publish_retained(writer, "state/a", 1, "1");
	world_run(w);
	client_join(reader, world_random(w, 2) == 0 ? &clean : &kept);
	client_subscribe_with(reader, &request);
	world_run(w);
	assert_int_equal(reader->received_count, 0);
	request.retain_handling = 1;
	client_subscribe_with(reader, &request);
	world_run(w);
	assert_int_equal(reader->received_count, 0);
	request.retain_handling = 0;
	request.retain_as_published = true;
	client_subscribe_with(reader, &request);
	world_run(w);
	assert_int_equal(reader->received_count, 1);
	assert_true(reader->received[0].retain);
	client_publish_retained(writer, "state/a", 1, "2");
	client_publish(writer, "state/a", 1, "3");
	world_run(w);
	assert_int_equal(reader->received_count, 3);
	assert_true(reader->received[1].retain);
	assert_false(reader->received[2].retain);
	client_unsubscribe(reader, "state/a");
	request.retain_handling = 1;
	request.retain_as_published = false;
	client_subscribe_with(reader, &request);
	world_run(w);
	assert_int_equal(reader->received_count, 4);
	assert_true(reader->received[3].retain);
	client_publish_retained(writer, "state/a", 1, "4");
	world_run(w);
	assert_false(reader->received[4].retain);
}

/* More values than the queue holds, to a client that is slow in every way. */
static void replay_larger_than_the_queue_is_complete(struct world *w)
{
	struct client *writer = join(w, "writer", 0, &clean);
	struct client *reader = client_new(w, "reader", MQTT_5_0);
	struct connect_options slow = {.receive_maximum = 3};
	static char large[20001];
	char topic[16];
	unsigned values = 300;

	memset(large, 'x', sizeof(large) - 1);
	for (unsigned i = 0; i < values; i++) {
		snprintf(topic, sizeof(topic), "wide/%u", i);
		client_publish_retained(writer, topic, 1, large);
	}
	world_run(w);
	assert_true(client_is_done(writer));
	client_join(reader, world_random(w, 2) == 0 ? &clean : &slow);
	client_stall(reader, true);
	client_subscribe(reader, "wide/#", (uint8_t)world_random(w, 3));
	world_run(w);
	client_stall(reader, false);
	world_run(w);
	assert_int_equal(reader->received_count, values);
}

#define WIDE 120

/* A reader that stops in the middle of a replay, and subscribes again. */
static struct client *half_way(struct world *w, uint8_t qos)
{
	struct client *writer = join(w, "writer", 0, &clean);
	struct client *reader = client_new(w, "reader", MQTT_5_0);
	struct subscribe_request request = {.filter = "wide/#", .qos = qos, .id = 1};
	static char large[20001];
	char topic[16];

	w->journal_paused = false;
	memset(large, 'x', sizeof(large) - 1);
	for (unsigned i = 0; i < WIDE; i++) {
		snprintf(topic, sizeof(topic), "wide/%u", i);
		client_publish_retained(writer, topic, 1, large);
	}
	world_run(w);
	client_join(reader, world_random(w, 2) == 0 ? &clean : &kept);
	client_stall(reader, true);
	client_subscribe_with(reader, &request);
	world_run(w);
	return reader;
}

static unsigned count_with_id(const struct client *c, uint32_t id)
{
	unsigned count = 0;

	for (size_t i = 0; i < c->received_count; i++)
		count += c->received[i].id_count == 1 && c->received[i].ids[0] == id;
	return count;
}

static unsigned count_topics(const struct client *c)
{
	unsigned count = 0;
	char topic[16];

	for (unsigned i = 0; i < WIDE; i++) {
		snprintf(topic, sizeof(topic), "wide/%u", i);
		count += count_received(c, topic) > 0;
	}
	return count;
}

/* [MQTT5-3.8.4-4] Replaced, with Retain Handling 1 or 2: each value once, from then on with the
 * new identifier and QoS. */
static void replaced_subscription_continues_its_replay(struct world *w)
{
	uint8_t qos = (uint8_t)world_random(w, 3), then = (uint8_t)world_random(w, 3);
	struct client *reader = half_way(w, qos);
	struct subscribe_request again = {.filter = "wide/#",
	                                  .qos = then,
	                                  .id = 2,
	                                  .retain_handling = (uint8_t)(1 + world_random(w, 2))};

	client_subscribe_with(reader, &again);
	client_stall(reader, false);
	world_run(w);
	assert_int_equal(count_topics(reader), WIDE);
	assert_int_equal(reader->received_count, WIDE);
	assert_int_equal(count_with_id(reader, 1) + count_with_id(reader, 2), WIDE);
	for (unsigned i = 1; i < WIDE; i++)
		assert_true(reader->received[i].ids[0] >= reader->received[i - 1].ids[0]);
	for (unsigned i = 0; i < WIDE; i++)
		assert_int_equal(reader->received[i].qos, reader->received[i].ids[0] == 2
		                                              ? (then > 1 ? 1 : then)
		                                              : (qos > 1 ? 1 : qos));
}

/* [MQTT5-3.8.4-4] With Retain Handling 0: from the beginning, and the old replay ends. */
static void replaced_subscription_restarts_its_replay(struct world *w)
{
	struct client *reader = half_way(w, 0);
	struct subscribe_request again[5];

	for (unsigned i = 0; i < 5; i++)
		again[i] = (struct subscribe_request){.filter = "wide/#", .qos = 1, .id = 2};
	client_subscribe_all(reader, again, 5);
	world_run(w);
	client_stall(reader, false);
	world_run(w);
	assert_true(count_with_id(reader, 1) < WIDE);
	assert_int_equal(count_with_id(reader, 2), WIDE);
	assert_int_equal(count_with_id(reader, 1) + WIDE, reader->received_count);
}

/* Nothing is sent for a filter that is not subscribed to any more. */
static void unsubscribe_ends_the_replay(struct world *w)
{
	struct client *reader = half_way(w, 0);

	client_unsubscribe(reader, "wide/#");
	world_run(w);
	client_stall(reader, false);
	world_run(w);
	assert_int_equal(client_answers(reader, PACKET_UNSUBACK, NULL), 1);
	assert_true(reader->received_count < WIDE / 2);
	assert_int_equal(count_with_id(reader, 1), reader->received_count);
}

static uint64_t values_in_memory(struct world *w)
{
	struct retain_counts counts;

	retain_count(w->server->retain, &counts);
	return counts.values;
}

/* Expired messages leave memory, though nobody asks for them; others stay. */
static void expired_values_leave_memory(struct world *w)
{
	struct client *writer = client_new(w, "writer", MQTT_5_0), *reader;
	char topic[24];

	w->expire_retained = expire_retained_start(w->server);
	client_join(writer, &clean);
	for (unsigned i = 0; i < 300; i++) {
		struct pending *value;

		snprintf(topic, sizeof(topic), "wide/%u", i);
		value = client_publish_with(writer, topic, 1, "x");
		value->retain = true;
		value->has_expiry = i % 3 == 0;
		value->expiry_s = 60;
	}
	world_advance(w, 30000);
	assert_true(client_is_done(writer));
	assert_int_equal(values_in_memory(w), 300);
	world_advance(w, 60000);
	assert_int_equal(values_in_memory(w), 200);
	reader = join(w, "reader", 0, &clean);
	client_subscribe(reader, "wide/#", 1);
	world_run(w);
	assert_int_equal(reader->received_count, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(live_and_replay_never_go_backwards),
	    SCENARIO(live_and_replay_never_go_backwards_with_stored_sessions),
	    SCENARIO(deleted_value_does_not_return),
	    SCENARIO(retain_handling_and_retain_as_published),
	    SCENARIO_WITH(expired_values_leave_memory, .seeds = 5),
	    SCENARIO_WITH(replaced_subscription_continues_its_replay, .seeds = 10),
	    SCENARIO_WITH(replaced_subscription_continues_its_replay, .seeds = 10, .durable = true),
	    SCENARIO_WITH(replaced_subscription_restarts_its_replay, .seeds = 5),
	    SCENARIO_WITH(replaced_subscription_restarts_its_replay, .seeds = 5, .durable = true),
	    SCENARIO_WITH(unsubscribe_ends_the_replay, .seeds = 5),
	    SCENARIO_WITH(unsubscribe_ends_the_replay, .seeds = 5, .durable = true),
	    SCENARIO_WITH(replay_larger_than_the_queue_is_complete, .conf = SMALL_QUEUE,
	                  .seeds = 10),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
