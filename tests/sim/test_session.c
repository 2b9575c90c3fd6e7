/* Sessions that outlive their connections: queues, QoS 2 in the middle of its exchange,
 * takeover, expiry. D2, D3, D5 */
#include "scenario.h"

#define MESSAGES 40

static const struct connect_options clean = {0};
static const struct connect_options kept = {.keep = true, .expiry_s = 100000};

static enum mqtt_version any_version(struct world *w)
{
	return world_random(w, 2) == 0 ? MQTT_5_0 : MQTT_3_1_1;
}

static struct client *join(struct world *w, const char *name, const struct connect_options *options)
{
	struct client *c = client_new(w, name, any_version(w));

	client_join(c, options);
	return c;
}

/* Messages that arrive while the client is offline are queued, in order; QoS 0 is not. */
static void messages_are_queued_for_offline_clients(struct world *w)
{
	struct client *sub = join(w, "sub", &kept), *pub = join(w, "pub", &clean);

	client_subscribe(sub, "q/+", 2);
	world_run(w);
	client_drop(sub);
	world_run(w);
	for (unsigned n = 1; n <= MESSAGES; n++) {
		publish_numbered(pub, "q/0", 0, n);
		publish_numbered(pub, "q/1", 1, n);
		publish_numbered(pub, "q/2", 2, n);
	}
	world_steps(w, (unsigned)world_random(w, 200));
	client_join(sub, &kept);
	assert_true(sub->session_present); /* [MQTT3-3.2.2-2] [MQTT5-3.2.2-3] */
	world_run(w);
	require_exactly(sub, "pub", "q/1", 1, MESSAGES);
	require_exactly(sub, "pub", "q/2", 1, MESSAGES);
	/* A clean start ends it. [MQTT3-3.1.2-6] [MQTT5-3.1.2-4] */
	client_drop(sub);
	world_run(w);
	publish_numbered(pub, "q/1", 1, MESSAGES + 1);
	world_run(w);
	client_join(sub, &clean);
	assert_false(sub->session_present);
	world_run(w);
	require_exactly(sub, "pub", "q/1", 1, MESSAGES);
}

/* A client whose connection breaks all the time, on either side of the exchange. */
static void break_now_and_then(struct world *w, struct client *c, unsigned one_in)
{
	if (c->wire == NULL || c->closed)
		client_connect(c, &kept);
	else if (world_random(w, one_in) == 0)
		client_drop(c);
}

static void settle(struct world *w, struct client *a, struct client *b)
{
	world_run(w);
	client_join(a, &kept);
	client_join(b, &kept);
	world_run(w);
	assert_true(client_is_done(a) && client_is_done(b));
}

static void breaking(struct world *w, bool breaks_pub, bool breaks_sub)
{
	struct client *sub = join(w, "sub", &kept), *pub = join(w, "pub", &kept);

	client_subscribe(sub, "b/#", 2);
	world_run(w);
	for (unsigned n = 1; n <= MESSAGES; n++) {
		publish_numbered(pub, "b/1", 1, n);
		publish_numbered(pub, "b/2", 2, n);
		world_steps(w, (unsigned)world_random(w, 30));
		if (breaks_pub)
			break_now_and_then(w, pub, 6);
		if (breaks_sub)
			break_now_and_then(w, sub, 6);
	}
	settle(w, pub, sub);
	require_at_least(sub, "pub", "b/1", 1, MESSAGES);
	require_exactly(sub, "pub", "b/2", 1, MESSAGES); /* [MQTT3-4.3.3-2] [MQTT5-4.3.3-10] */
}

static void qos2_survives_a_breaking_publisher(struct world *w)
{
	breaking(w, true, false);
}

static void qos2_survives_a_breaking_subscriber(struct world *w)
{
	breaking(w, false, true);
}

static void qos2_survives_both_breaking(struct world *w)
{
	breaking(w, true, true);
}

/* Sent and not acknowledged: sent again on the next connection, with DUP, in the old order, with
 * the old identifiers. [MQTT-4.4.0-1] [MQTT-4.6.0-1] */
static void unacknowledged_messages_are_sent_again_in_order(struct world *w)
{
	struct client *sub = join(w, "sub", &kept), *pub = join(w, "pub", &clean);
	size_t sent;

	client_subscribe(sub, "r", 1);
	world_run(w);
	sub->manual = true;
	for (unsigned n = 1; n <= 10; n++)
		publish_numbered(pub, "r", 1, n);
	world_steps(w, (unsigned)world_random(w, 100));
	world_run(w);
	sent = sub->received_count;
	assert_int_equal(sent, 10);
	client_join(sub, &kept);
	world_run(w);
	assert_int_equal(sub->received_count, 20);
	for (size_t i = 0; i < 10; i++) {
		const struct received *r = &sub->received[10 + i];

		assert_true(r->dup);
		assert_int_equal(r->packet_id, sub->received[i].packet_id);
		assert_int_equal(number_of(r, "pub"), i + 1);
		client_ack(sub, PACKET_PUBACK, r->packet_id, REASON_SUCCESS);
	}
	world_run(w);
	client_join(sub, &kept);
	assert_int_equal(sub->received_count, 20);
}

/* Connections of one client that arrive at different workers, some at once: the newest one that
 * the broker accepts stays, the others are ended, and nothing is lost. [MQTT3-3.1.4-2]
 * [MQTT5-3.1.4-3] */
static void newest_connection_takes_over(struct world *w)
{
	struct client *subs[3], *pub = join(w, "pub", &clean);
	unsigned up = 0;

	for (unsigned i = 0; i < 3; i++)
		subs[i] = client_new(w, "twin", MQTT_5_0);
	client_join(subs[0], &kept);
	client_subscribe(subs[0], "t", 1);
	world_run(w);
	for (unsigned n = 1; n <= MESSAGES; n++) {
		struct client *c = subs[world_random(w, 3)];

		publish_numbered(pub, "t", 1, n);
		world_steps(w, (unsigned)world_random(w, 20));
		if (c->wire == NULL || c->closed)
			client_connect(c, &kept);
	}
	world_run(w);
	for (unsigned i = 0; i < 3; i++) {
		if (subs[i]->wire == NULL)
			continue;
		assert_true(subs[i]->accepted || subs[i]->closed);
		up += !subs[i]->closed;
		if (subs[i]->accepted && subs[i]->closed)
			assert_int_equal(subs[i]->disconnect_reason, REASON_SESSION_TAKEN_OVER);
	}
	assert_int_equal(up, 1);
	assert_true(client_is_done(pub));
	for (long n = 1; n <= MESSAGES; n++) {
		bool came = false;

		for (unsigned i = 0; i < 3; i++) {
			for (size_t m = 0; m < subs[i]->received_count; m++)
				came |= number_of(&subs[i]->received[m], "pub") == n;
		}
		assert_true(came);
	}
}

/* The Session Expiry Interval begins when the connection ends, and a session that ended is gone.
 * [MQTT5-3.1.2-23] */
static void session_ends_after_its_expiry_interval(struct world *w)
{
	struct connect_options minute = {.keep = true, .expiry_s = 60};
	struct client *sub = client_new(w, "sub", MQTT_5_0), *pub = join(w, "pub", &clean);

	client_join(sub, &minute);
	client_subscribe(sub, "e", 1);
	world_run(w);
	client_drop(sub);
	world_run(w);
	publish_numbered(pub, "e", 1, 1);
	world_advance(w, 59000);
	client_join(sub, &minute);
	assert_true(sub->session_present);
	world_run(w);
	require_exactly(sub, "pub", "e", 1, 1);
	world_advance(w, 200000);
	assert_false(sub->closed);
	client_leave_expiry(sub, 10);
	world_run(w);
	publish_numbered(pub, "e", 1, 2);
	world_advance(w, 10001);
	client_join(sub, &minute);
	assert_false(sub->session_present);
	world_run(w);
	require_exactly(sub, "pub", "e", 1, 1);
	client_leave_expiry(sub, 0);
	world_run(w);
	client_join(sub, &minute);
	assert_false(sub->session_present);
}

/* An expired message is not sent any more; one that waited has less time left. [MQTT5-3.3.2-5]
 * [MQTT5-3.3.2-6] */
static void expired_messages_are_not_sent(struct world *w)
{
	struct client *sub = client_new(w, "sub", MQTT_5_0), *pub = client_new(w, "pub", MQTT_5_0);
	struct client *late;

	client_join(sub, &kept);
	client_join(pub, &clean);
	client_subscribe(sub, "m", 1);
	world_run(w);
	client_drop(sub);
	world_run(w);
	client_publish_expiring(pub, "m", 1, "short", 5);
	client_publish_expiring(pub, "m", 1, "long", 100);
	client_publish_retained(pub, "kept", 1, "value");
	pub->pending->prev->has_expiry = true;
	pub->pending->prev->expiry_s = 30;
	world_advance(w, 10000);
	client_join(sub, &kept);
	world_run(w);
	assert_int_equal(sub->received_count, 1);
	assert_string_equal(sub->received[0].payload, "long");
	assert_true(sub->received[0].has_expiry);
	assert_int_equal(sub->received[0].expiry_s, 90);
	late = client_new(w, "late", MQTT_5_0);
	client_join(late, &clean);
	client_subscribe(late, "kept", 1);
	world_run(w);
	assert_int_equal(late->received_count, 1);
	assert_int_equal(late->received[0].expiry_s, 20);
	world_advance(w, 20000);
	client_forget(late);
	client_subscribe(late, "kept", 1);
	world_run(w);
	assert_int_equal(late->received_count, 0);
}

/* Two users with one client id are two clients, each with its own subscription. S5 */
static void users_with_one_client_id_are_two_clients(struct world *w)
{
	struct connect_options anna = kept, porch = kept;
	struct client *a = client_new(w, "same", MQTT_5_0), *p = client_new(w, "same", MQTT_5_0);

	anna.certificate = "anna";
	porch.certificate = "porch";
	client_join(a, &anna);
	client_join(p, &porch);
	client_subscribe(a, "x", 1);
	world_run(w);
	assert_false(a->closed);
	assert_false(p->closed);
	client_publish(p, "x", 1, "1");
	world_run(w);
	assert_int_equal(a->received_count, 1);
	assert_int_equal(p->received_count, 0);
	client_join(p, &porch);
	assert_true(p->session_present);
	assert_false(a->closed);
}

/* The broker stops at any moment: world_free is the test. */
static void stop_at_any_moment_frees_everything(struct world *w)
{
	struct client *pub = client_new(w, "pub", any_version(w));
	struct client *subs[4];
	char name[8];

	for (unsigned i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "s%u", i);
		subs[i] = client_new(w, name, any_version(w));
		client_connect(subs[i], world_random(w, 2) == 0 ? &clean : &kept);
		client_subscribe(subs[i], i == 3 ? "$share/g/#" : "#", (uint8_t)world_random(w, 3));
		if (world_random(w, 3) == 0)
			client_stall(subs[i], true);
	}
	client_connect(pub, &kept);
	for (unsigned n = 0; n < 20; n++) {
		client_publish_retained(pub, n % 2 == 0 ? "a" : "b", (uint8_t)(n % 3), "value");
		world_steps(w, (unsigned)world_random(w, 20));
	}
	if (world_random(w, 2) == 0)
		client_drop(subs[world_random(w, 4)]);
}

static const char certificates[] = "listeners:\n"
				   "  - bind: '[::]:8883'\n"
				   "tls:\n"
				   "  certificates: [{ certificate: s.crt, key: s.key }]\n"
				   "  client_certificates: optional\n"
				   "  client_ca: ca.crt\n"
				   "authentication: { certificate_user: cn }\n"
				   "authorization: { acl_file: acl.yaml }\n";
static const char two_acl[] = "users: { anna: { rules: ['allow all #'] }, "
			      "porch: { rules: ['allow all #'] } }\n";

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(messages_are_queued_for_offline_clients),
	    SCENARIO(qos2_survives_a_breaking_publisher),
	    SCENARIO(qos2_survives_a_breaking_subscriber),
	    SCENARIO(qos2_survives_both_breaking),
	    SCENARIO(unacknowledged_messages_are_sent_again_in_order),
	    SCENARIO(newest_connection_takes_over),
	    SCENARIO(session_ends_after_its_expiry_interval),
	    SCENARIO(expired_messages_are_not_sent),
	    SCENARIO_WITH(users_with_one_client_id_are_two_clients, .conf = certificates,
	                  .acl = two_acl),
	    SCENARIO(stop_at_any_moment_frees_everything),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
