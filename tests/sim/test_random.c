/* Everything at once, at random: clients that connect, break, subscribe, publish, stall, take
 * each other over, with wills and groups and retained messages. Clients with persistent sessions
 * get every message of their publishers, of QoS 2 exactly once, in order; nobody breaks the
 * protocol. */
#include "scenario.h"

#define PERSISTENT 4
#define TRANSIENT  5
#define ROUNDS     150

static const struct connect_options kept = {.keep = true, .expiry_s = 1000000};
static const char *const persistent_names[PERSISTENT] = {"k0", "k1", "k2", "k3"};
static const char *const transient_names[TRANSIENT] = {"p0", "p1", "p2", "p3", "p3"};
static const char *const filters[] = {"#",   "k/+",          "k/1",   "+/2", "r/+", "$share/g/r/#",
                                      "k/#", "$share/h/k/1", "will/#"};

struct crowd {
	struct world *w;
	struct client *persistent[PERSISTENT], *transient[TRANSIENT];
	unsigned published[PERSISTENT];
};

static bool is_up(const struct client *c)
{
	return c->wire != NULL && !c->closed;
}

/* No client is told that it broke a rule, and none fails for lack of a resource. */
static void require_no_error(const struct client *c)
{
	if (c->disconnect_reason != 0 && c->disconnect_reason != REASON_SESSION_TAKEN_OVER)
		fail_msg("%s: DISCONNECT 0x%02x", c->id, c->disconnect_reason);
	if (c->connack_reason != 0 && c->connack_reason != REASON_SESSION_TAKEN_OVER)
		fail_msg("%s: CONNACK 0x%02x", c->id, c->connack_reason);
}

static void persistent_acts(struct crowd *crowd, unsigned i)
{
	struct client *c = crowd->persistent[i];
	struct world *w = crowd->w;

	require_no_error(c);
	if (!is_up(c)) {
		client_connect(c, &kept);
		return;
	}
	switch (world_random(w, 6)) {
	case 0:
		client_drop(c);
		break;
	case 1:
		client_stall(c, !c->stalled);
		break;
	default:
		crowd->published[i]++;
		publish_numbered(c, "k/1", 1, crowd->published[i]);
		publish_numbered(c, "k/2", 2, crowd->published[i]);
	}
}

static void transient_connects(struct world *w, struct client *c)
{
	struct connect_options options = {
	    .keep = world_random(w, 2) == 0,
	    .expiry_s = (uint32_t)world_random(w, 3) * 5,
	    .keep_alive_s = (uint16_t)(world_random(w, 3) * 10),
	    .receive_maximum = (uint16_t)world_random(w, 4),
	    .max_packet_bytes = world_random(w, 4) == 0 ? 30 : 0,
	};

	if (world_random(w, 2) == 0)
		options.will = (struct will_options){.topic = "will/x",
		                                     .payload = "gone",
		                                     .qos = (uint8_t)world_random(w, 3),
		                                     .retain = world_random(w, 2) == 0,
		                                     .delay_s = (uint32_t)world_random(w, 3) * 4,
		                                     .expiry_s = (uint32_t)world_random(w, 3) * 9};
	client_connect(c, &options);
}

static void transient_sends(struct world *w, struct client *c)
{
	static const char *const topics[] = {"r/a", "r/b", "will/x", "k/3"};
	const char *topic = topics[world_random(w, 4)];
	const char *filter = filters[world_random(w, sizeof(filters) / sizeof(filters[0]))];
	struct subscribe_request request = {.filter = filter,
	                                    .qos = (uint8_t)world_random(w, 3),
	                                    .retain_as_published = world_random(w, 2) == 0,
	                                    .retain_handling = (uint8_t)world_random(w, 3),
	                                    .id = (uint32_t)world_random(w, 4)};

	switch (world_random(w, 5)) {
	case 0:
		client_subscribe_with(c, &request);
		break;
	case 1:
		client_unsubscribe(c, filter);
		break;
	case 2:
		client_publish(c, topic, (uint8_t)world_random(w, 3), "value");
		break;
	case 3:
		client_publish_retained(c, topic, (uint8_t)world_random(w, 3),
		                        world_random(w, 3) == 0 ? "" : "kept");
		break;
	default:
		client_publish_expiring(c, topic, (uint8_t)world_random(w, 3), "short",
		                        (uint32_t)world_random(w, 10));
	}
}

static void transient_acts(struct crowd *crowd, unsigned i)
{
	struct client *c = crowd->transient[i];
	struct world *w = crowd->w;

	if (!is_up(c)) {
		transient_connects(w, c);
		return;
	}
	switch (world_random(w, 12)) {
	case 0:
		client_drop(c);
		break;
	case 1:
		client_finish(c);
		break;
	case 2:
		client_leave(c, c->version == MQTT_5_0 && world_random(w, 2) == 0
		                    ? REASON_DISCONNECT_WITH_WILL
		                    : REASON_SUCCESS);
		break;
	case 3:
		client_stall(c, !c->stalled);
		break;
	case 4:
		c->manual = !c->manual;
		break;
	default:
		transient_sends(w, c);
	}
}

static void settle(struct crowd *crowd)
{
	world_run(crowd->w);
	for (unsigned i = 0; i < PERSISTENT; i++)
		client_join(crowd->persistent[i], &kept);
	world_run(crowd->w);
	for (unsigned i = 0; i < PERSISTENT; i++) {
		assert_true(client_is_done(crowd->persistent[i]));
		for (unsigned from = 0; from < PERSISTENT; from++) {
			require_at_least(crowd->persistent[i], persistent_names[from], "k/1", 1,
			                 crowd->published[from]);
			require_exactly(crowd->persistent[i], persistent_names[from], "k/2", 1,
			                crowd->published[from]);
		}
	}
}

static void random_clients_get_what_they_must(struct world *w)
{
	struct crowd crowd = {.w = w};

	w->journal_paused = false;
	for (unsigned i = 0; i < PERSISTENT; i++) {
		crowd.persistent[i] =
		    client_new(w, persistent_names[i], i % 2 == 0 ? MQTT_5_0 : MQTT_3_1_1);
		client_join(crowd.persistent[i], &kept);
		client_subscribe(crowd.persistent[i], i < 2 ? "k/#" : "+/+", 2);
	}
	world_run(w);
	for (unsigned i = 0; i < TRANSIENT; i++)
		crowd.transient[i] = client_new(w, transient_names[i],
		                                world_random(w, 3) == 0 ? MQTT_3_1_1 : MQTT_5_0);
	for (unsigned n = 0; n < ROUNDS; n++) {
		persistent_acts(&crowd, (unsigned)world_random(w, PERSISTENT));
		transient_acts(&crowd, (unsigned)world_random(w, TRANSIENT));
		if (world_random(w, 10) == 0)
			world_advance(w, world_random(w, 3000));
		else
			world_steps(w, (unsigned)world_random(w, 60));
	}
	settle(&crowd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO(random_clients_get_what_they_must),
	    {"random_clients_with_a_slow_journal", scenario_test, NULL, scenario_teardown,
	     &(struct scenario){random_clients_get_what_they_must, {.durable = true}}},
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
