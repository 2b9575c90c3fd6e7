/* $share groups whose members connect and disconnect: each message goes to one member, and none
 * is lost while a member is connected. [MQTT5-4.8.2-3] to [MQTT5-4.8.2-6] */
#include "scenario.h"

#define MEMBERS  4
#define MESSAGES 60

static const struct connect_options clean = {0};
static const struct connect_options kept = {.keep = true, .expiry_s = 100000};

static const char *const names[MEMBERS] = {"m0", "m1", "m2", "m3"};

static unsigned times_received(struct client **members, const char *topic, long number)
{
	unsigned times = 0;

	for (unsigned i = 0; i < MEMBERS; i++) {
		for (size_t m = 0; m < members[i]->received_count; m++) {
			const struct received *r = &members[i]->received[m];

			times += strcmp(r->topic, topic) == 0 && number_of(r, "pub") == number;
		}
	}
	return times;
}

static void require_times(struct client **members, const char *topic, unsigned least, unsigned most)
{
	for (long n = 1; n <= MESSAGES; n++) {
		unsigned times = times_received(members, topic, n);

		if (times < least || times > most)
			fail_msg("%s: number %ld came %u times", topic, n, times);
	}
}

static void join_members(struct world *w, struct client **members,
                         const struct connect_options *(*options)(struct world *w, unsigned i))
{
	for (unsigned i = 0; i < MEMBERS; i++) {
		members[i] =
		    client_new(w, names[i], world_random(w, 2) == 0 ? MQTT_5_0 : MQTT_3_1_1);
		client_join(members[i], options(w, i));
		client_subscribe(members[i], "$share/g/s/#", 2);
	}
	world_run(w);
}

static const struct connect_options *any_options(struct world *w, unsigned i)
{
	(void)i;
	return world_random(w, 2) == 0 ? &clean : &kept;
}

static const struct connect_options *kept_options(struct world *w, unsigned i)
{
	(void)w;
	(void)i;
	return &kept;
}

static const struct connect_options *one_kept(struct world *w, unsigned i)
{
	(void)w;
	return i == 0 ? &kept : &clean;
}

static struct client *publisher(struct world *w)
{
	struct client *pub = client_new(w, "pub", world_random(w, 2) == 0 ? MQTT_5_0 : MQTT_3_1_1);

	client_join(pub, &clean);
	return pub;
}

/* All members stay: exactly one copy, and every member gets messages. */
static void connected_members_share_every_message_once(struct world *w)
{
	struct client *members[MEMBERS], *pub = publisher(w);

	join_members(w, members, any_options);
	for (unsigned n = 1; n <= MESSAGES; n++) {
		publish_numbered(pub, "s/0", 0, n);
		publish_numbered(pub, "s/1", 1, n);
		publish_numbered(pub, "s/2", 2, n);
		world_steps(w, (unsigned)world_random(w, 10));
	}
	world_run(w);
	require_times(members, "s/0", 1, 1);
	require_times(members, "s/1", 1, 1);
	require_times(members, "s/2", 1, 1);
	for (unsigned i = 0; i < MEMBERS; i++)
		assert_true(members[i]->received_count > 0);
}

/* The first member may disconnect, but remains a member. */
static void come_or_go(struct world *w, struct client *c, const struct connect_options *options)
{
	if (c->wire != NULL && !c->closed) {
		if (world_random(w, 4) != 0)
			client_drop(c);
		else if (world_random(w, 2) == 0 || strcmp(c->id, names[0]) == 0)
			client_leave(c, REASON_SUCCESS);
		else
			client_unsubscribe(c, "$share/g/s/#");
		return;
	}
	client_connect(c, options);
	client_subscribe(c, "$share/g/s/#", 2);
}

/* Persistent sessions, short connections. QoS 2 exactly once over the whole group. */
static void persistent_members_lose_nothing(struct world *w)
{
	struct client *members[MEMBERS], *pub = publisher(w);

	join_members(w, members, kept_options);
	for (unsigned n = 1; n <= MESSAGES; n++) {
		publish_numbered(pub, "s/1", 1, n);
		publish_numbered(pub, "s/2", 2, n);
		world_steps(w, (unsigned)world_random(w, 20));
		if (world_random(w, 3) == 0)
			come_or_go(w, members[world_random(w, MEMBERS)], &kept);
	}
	world_run(w);
	for (unsigned i = 0; i < MEMBERS; i++)
		client_join(members[i], &kept);
	world_run(w);
	require_times(members, "s/1", 1, 10);
	require_times(members, "s/2", 1, 1);
}

/* One member stays; the sessions of the others end with their connections. */
static void departing_members_leave_messages_to_others(struct world *w)
{
	struct client *members[MEMBERS], *pub = publisher(w);

	join_members(w, members, one_kept);
	for (unsigned n = 1; n <= MESSAGES; n++) {
		publish_numbered(pub, "s/1", 1, n);
		world_steps(w, (unsigned)world_random(w, 20));
		if (world_random(w, 3) == 0)
			come_or_go(w, members[1 + world_random(w, MEMBERS - 1)], &clean);
	}
	world_run(w);
	client_join(members[0], &kept);
	world_run(w);
	require_times(members, "s/1", 1, 10);
}

/* A member that refuses a message: it is discarded, no other member gets it. [MQTT5-4.8.2-6] */
static void refused_message_goes_to_nobody_else(struct world *w)
{
	struct client *one = client_new(w, "one", MQTT_5_0), *two = client_new(w, "two", MQTT_5_0);
	struct client *pub = publisher(w), *asked, *other;
	const struct received *r;

	client_join(one, &kept);
	client_join(two, &kept);
	one->manual = two->manual = true;
	client_subscribe(one, "$share/g/x", 2);
	client_subscribe(two, "$share/g/x", 2);
	world_run(w);
	publish_numbered(pub, "x", (uint8_t)(1 + world_random(w, 2)), 1);
	world_run(w);
	assert_int_equal(one->received_count + two->received_count, 1);
	asked = one->received_count == 1 ? one : two;
	other = asked == one ? two : one;
	r = &asked->received[0];
	client_ack(asked, r->qos == 1 ? PACKET_PUBACK : PACKET_PUBREC, r->packet_id,
	           REASON_UNSPECIFIED);
	world_run(w);
	client_drop(asked);
	world_run(w);
	assert_int_equal(other->received_count, 0);
}

/* A member whose connection breaks before it acknowledged, and whose session waits: QoS 1
 * messages go to a connected member at once; QoS 2 messages that were sent wait for their
 * session. [MQTT5-4.8.2-4] [MQTT5-4.8.2-5] */
static void unacknowledged_qos1_goes_to_another_member(struct world *w)
{
	struct client *one = client_new(w, "one", MQTT_5_0), *two = client_new(w, "two", MQTT_5_0);
	struct client *pub = publisher(w), *asked, *other;
	uint8_t qos = (uint8_t)(1 + world_random(w, 2));

	client_join(one, &kept);
	client_join(two, &kept);
	one->manual = two->manual = true;
	client_subscribe(one, "$share/g/x", 2);
	client_subscribe(two, "$share/g/x", 2);
	world_run(w);
	publish_numbered(pub, "x", qos, 1);
	world_run(w);
	asked = one->received_count == 1 ? one : two;
	other = asked == one ? two : one;
	client_drop(asked);
	world_run(w);
	assert_int_equal(other->received_count, qos == 1 ? 1 : 0);
	client_join(asked, &kept);
	assert_int_equal(asked->received_count, 1);
	assert_int_equal(other->received_count, qos == 1 ? 1 : 0);
	client_ack(qos == 1 ? other : asked, qos == 1 ? PACKET_PUBACK : PACKET_PUBREC, 1,
	           REASON_SUCCESS);
	world_run(w);
	assert_int_equal(client_answers(asked, PACKET_PUBREL, NULL), qos == 1 ? 0 : 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(connected_members_share_every_message_once),
	    SCENARIO(persistent_members_lose_nothing),
	    SCENARIO(departing_members_leave_messages_to_others),
	    SCENARIO(refused_message_goes_to_nobody_else),
	    SCENARIO(unacknowledged_qos1_goes_to_another_member),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
