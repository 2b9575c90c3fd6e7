/* Messages from publishers to connected subscribers: every QoS and version, order, overlapping
 * subscriptions. */
#include "scenario.h"

#define MESSAGES 30

static const struct connect_options clean = {0};

/* Every pair of versions and every pair of QoS: exactly once from QoS 2 to QoS 2, in order
 * always. D3 */
static void every_pair_of_qos_delivers_in_order(struct world *w)
{
	char names[6][8];
	struct client *subscribers[6], *publishers[2];
	enum mqtt_version versions[] = {MQTT_3_1_1, MQTT_5_0};

	for (unsigned i = 0; i < 6; i++) {
		snprintf(names[i], sizeof(names[i]), "sub%u", i);
		subscribers[i] = client_new(w, names[i], versions[i / 3]);
		client_join(subscribers[i], &clean);
		client_subscribe(subscribers[i], "lamp/+", (uint8_t)(i % 3));
	}
	publishers[0] = client_new(w, "pub0", MQTT_3_1_1);
	publishers[1] = client_new(w, "pub1", MQTT_5_0);
	for (unsigned i = 0; i < 2; i++)
		client_join(publishers[i], &clean);
	for (unsigned n = 1; n <= MESSAGES; n++) {
		for (unsigned i = 0; i < 2; i++) {
			publish_numbered(publishers[i], "lamp/0", 0, n);
			publish_numbered(publishers[i], "lamp/1", 1, n);
			publish_numbered(publishers[i], "lamp/2", 2, n);
		}
		world_steps(w, (unsigned)world_random(w, 10));
	}
	world_run(w);
	for (unsigned i = 0; i < 6; i++) {
		for (unsigned p = 0; p < 2; p++) {
			assert_true(client_is_done(publishers[p]));
			require_exactly(subscribers[i], publishers[p]->id, "lamp/0", 1, MESSAGES);
			require_exactly(subscribers[i], publishers[p]->id, "lamp/1", 1, MESSAGES);
			require_exactly(subscribers[i], publishers[p]->id, "lamp/2", 1, MESSAGES);
		}
		for (size_t m = 0; m < subscribers[i]->received_count; m++) {
			const struct received *r = &subscribers[i]->received[m];
			int published = r->topic[5] - '0', granted = (int)i % 3;

			assert_int_equal(r->qos, published < granted ? published : granted);
			assert_false(r->retain);
		}
	}
}

/* One session, several filters: one copy with the highest QoS and all identifiers.
 * [MQTT3-3.3.5-1] [MQTT5-3.3.4-2] [MQTT5-3.3.4-3] */
static void overlapping_filters_give_one_copy(struct world *w)
{
	struct client *sub = client_new(w, "sub", MQTT_5_0), *pub = client_new(w, "pub", MQTT_5_0);
	struct connect_options kept = {.keep = true, .expiry_s = 1000};
	struct subscribe_request requests[] = {
	    {.filter = "a/#", .qos = 0, .id = 7},
	    {.filter = "a/+", .qos = 2, .id = 8},
	    {.filter = "+/b", .qos = 1, .id = 9},
	};
	bool durable = world_random(w, 2) == 0;

	client_join(sub, durable ? &kept : &clean);
	client_join(pub, &clean);
	for (unsigned i = 0; i < 3; i++)
		client_subscribe_with(sub, &requests[i]);
	world_run(w);
	for (unsigned n = 1; n <= MESSAGES; n++)
		publish_numbered(pub, "a/b", 2, n);
	world_run(w);
	require_exactly(sub, "pub", "a/b", 1, MESSAGES);
	for (size_t i = 0; i < sub->received_count; i++) {
		unsigned sum = 0;

		assert_int_equal(sub->received[i].qos, 2);
		assert_int_equal(sub->received[i].id_count, 3);
		for (unsigned k = 0; k < 3; k++)
			sum += sub->received[i].ids[k];
		assert_int_equal(sum, 24);
	}
}

/* [MQTT5-3.8.3-3] and unsubscribing: nothing arrives after UNSUBACK. [MQTT-3.10.4-2] */
static void no_local_and_unsubscribe_stop_deliveries(struct world *w)
{
	struct client *both = client_new(w, "both", MQTT_5_0);
	struct client *other = client_new(w, "other", MQTT_3_1_1);
	struct subscribe_request request = {.filter = "x", .qos = 1, .no_local = true};
	size_t before;

	client_join(both, &clean);
	client_join(other, &clean);
	client_subscribe_with(both, &request);
	client_subscribe(other, "x", 1);
	world_run(w);
	publish_numbered(both, "x", 1, 1);
	publish_numbered(other, "x", 1, 1);
	world_run(w);
	require_exactly(both, "other", "x", 1, 1);
	assert_int_equal(both->received_count, 1);
	assert_int_equal(other->received_count, 2);
	client_unsubscribe(other, "x");
	for (unsigned n = 2; n <= MESSAGES; n++) {
		publish_numbered(both, "x", 1, n);
		world_steps(w, (unsigned)world_random(w, 20));
	}
	world_run(w);
	assert_int_equal(client_answers(other, PACKET_UNSUBACK, NULL), 1);
	before = other->received_count;
	publish_numbered(both, "x", 1, MESSAGES + 1);
	world_run(w);
	assert_int_equal(other->received_count, before);
}

/* Many turns, equal sizes: bytes that are encoded once for several subscribers belong to the
 * current message. */
static void shared_encodings_have_the_right_bytes(struct world *w)
{
	struct client *pub = client_new(w, "pub", MQTT_5_0), *subs[8];
	char name[8];

	client_join(pub, &clean);
	for (unsigned i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "s%u", i);
		subs[i] = client_new(w, name, w->seed % 2 == 0 ? MQTT_5_0 : MQTT_3_1_1);
		client_join(subs[i], &clean);
		client_subscribe(subs[i], "t", (uint8_t)(i % 3));
	}
	world_run(w);
	for (unsigned n = 10; n < 90; n++)
		publish_numbered(pub, "t", (uint8_t)(n % 3 == 0 ? 1 : 0), n);
	world_run(w);
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(subs[i]->received_count, 80);
		for (size_t m = 0; i % 3 == 0 && m < 80; m++)
			assert_int_equal(number_of(&subs[i]->received[m], "pub"), 10 + m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(every_pair_of_qos_delivers_in_order),
	    SCENARIO(overlapping_filters_give_one_copy),
	    SCENARIO(no_local_and_unsubscribe_stop_deliveries),
	    SCENARIO(shared_encodings_have_the_right_bytes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
