/* What the explorer found, each shrunk to a few steps. */
#include "scenario.h"
#include "worker/worker.h"

static const struct connect_options clean = {0};
static const struct connect_options kept = {.keep = true, .expiry_s = 100000};

static const char open_acl[] = "users: { anna: { rules: ['allow all #'] } }\n"
			       "anonymous: { rules: ['allow all #'] }\n";
static const char closed_acl[] = "users: { anna: { rules: ['allow all #'] } }\n"
				 "anonymous: { rules: ['deny receive x', 'allow all #'] }\n";

static const char conf[] = "listeners:\n"
			   "  - bind: unix:/run/sim.sock\n"
			   "authentication:\n"
			   "  anonymous: true\n"
			   "  anonymous_sessions: true\n"
			   "  password_file: users.passwd\n"
			   "authorization:\n"
			   "  acl_file: acl.yaml\n";

#define DIGEST                                                                                     \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
static const char first_password[] = "anna:id=0000000000000001:hash=$6$first$" DIGEST "\n";
static const char second_password[] = "anna:id=0000000000000001:hash=$6$second$" DIGEST "\n";

static void on_done(void *arg)
{
	*(bool *)arg = true;
}

static void reload(struct world *w, const char *acl, const char *users)
{
	struct world_settings texts = w->texts;
	bool done = false;

	texts.acl = acl;
	texts.users = users;
	world_reload(w, &texts, on_done, &done);
	world_run(w);
	assert_true(done);
}

/* A session that was made under the old password continues under the new one: the next reload
 * must not check it by the old one. */
static void session_continues_under_a_new_password(struct world *w)
{
	struct client *c = client_new(w, "c", MQTT_5_0);
	struct connect_options options = {
	    .keep = true, .expiry_s = 1000, .user = "anna", .password = "first"};

	client_join(c, &options);
	reload(w, open_acl, second_password);
	assert_true(c->closed);
	options.password = "second";
	client_join(c, &options);
	assert_true(c->session_present);
	reload(w, open_acl, second_password);
	assert_false(c->closed);
}

/* A message that expired in the queue of a member that does not reconnect goes to nobody.
 * [MQTT5-3.3.2-5] */
static void expired_message_of_a_group_goes_to_nobody(struct world *w)
{
	struct client *away = client_new(w, "away", MQTT_5_0), *here = client_new(w, "m", MQTT_5_0);
	struct client *pub = client_new(w, "pub", MQTT_5_0);
	const struct connect_options brief = {.keep = true, .expiry_s = 60};

	client_join(away, &brief);
	client_subscribe(away, "$share/g/x", 1);
	world_run(w);
	client_drop(away);
	client_join(pub, &clean);
	client_publish_expiring(pub, "x", 1, "old", 5);
	world_run(w);
	client_join(here, &clean);
	client_subscribe(here, "$share/g/x", 1);
	world_advance(w, 100000);
	assert_int_equal(here->received_count, 0);
}

/* QoS 0 that arrived while a SUBACK waited is not overtaken by later messages, though the window
 * is closed. [MQTT3-4.6.0-5] [MQTT5-4.6.0-5] */
static void qos0_is_not_overtaken_behind_a_closed_window(struct world *w)
{
	const struct connect_options narrow = {
	    .keep = true, .expiry_s = 1000, .receive_maximum = 1};
	struct client *c = client_new(w, "c", MQTT_5_0), *pub = client_new(w, "pub", MQTT_5_0);

	client_join(pub, &clean);
	client_join(c, &narrow);
	c->slow = true;
	client_subscribe(c, "q/1", 1);
	client_subscribe(c, "q/0", 0);
	world_run(w);
	publish_numbered(pub, "q/1", 1, 1);
	publish_numbered(pub, "q/1", 1, 2);
	world_run(w);
	for (unsigned n = 1; n <= 20; n++) {
		client_subscribe(c, "other", 1);
		publish_numbered(pub, "q/0", 0, n);
		world_steps(w, (unsigned)world_random(w, 20));
	}
	world_run(w);
	require_exactly(c, "pub", "q/0", 1, 20);
}

/* A QoS 2 message that its receiver may not have any more, and perhaps has: the identifier is
 * released, and the next message with it is not taken for the old one. D2 */
static void withdrawn_qos2_releases_its_identifier(struct world *w)
{
	struct client *c = client_new(w, "c", MQTT_5_0), *pub = client_new(w, "pub", MQTT_5_0);
	const struct connect_options narrow = {
	    .keep = true, .expiry_s = 1000, .receive_maximum = 1};

	client_join(pub, &clean);
	client_join(c, &narrow);
	client_subscribe(c, "#", 2);
	world_run(w);
	c->slow = true;
	publish_numbered(pub, "x", 2, 1);
	world_run(w);
	assert_int_equal(c->received_count, 1);
	client_drop(c);
	reload(w, closed_acl, first_password);
	publish_numbered(pub, "y", 2, 1);
	world_run(w);
	c->slow = false;
	if (w->durable && world_random(w, 2) == 0) {
		world_crash(w);
		client_join(pub, &clean);
	}
	client_join(c, &narrow);
	for (unsigned n = 2; n <= 5; n++)
		publish_numbered(pub, "y", 2, n);
	world_run(w);
	require_exactly(c, "pub", "y", 1, 5);
}

/* QoS 2 from a client whose session is not stored, to a queue that is: PUBREL is accepted. */
static void qos2_of_a_clean_session_is_released(struct world *w)
{
	struct client *c = client_new(w, "c", MQTT_5_0), *pub = client_new(w, "pub", MQTT_5_0);

	client_join(c, &kept);
	client_subscribe(c, "x", 2);
	client_join(pub, &clean);
	client_publish_retained(pub, "x", 2, "pub:1");
	publish_numbered(pub, "x", 2, 2);
	world_run(w);
	assert_true(client_is_done(pub));
	assert_false(pub->closed);
	require_exactly(c, "pub", "x", 1, 2);
}

/* A $share message that stays in memory, after one that goes to disk while its client is
 * offline, is delivered once. */
static void shared_message_behind_a_page_comes_once(struct world *w)
{
	const struct connect_options narrow = {
	    .keep = true, .expiry_s = 1000, .receive_maximum = 1};
	struct client *c = client_new(w, "c", MQTT_5_0), *pub = client_new(w, "pub", MQTT_5_0);

	client_join(c, &narrow);
	client_subscribe(c, "x", 1);
	client_subscribe(c, "$share/g/x", 1);
	client_join(pub, &clean);
	world_run(w);
	c->slow = true;
	for (unsigned n = 1; n <= 3; n++)
		publish_numbered(pub, "x", 1, n);
	world_run(w);
	client_drop(c);
	world_run(w);
	c->slow = false;
	client_forget(c);
	client_join(c, &narrow);
	world_run(w);
	assert_int_equal(c->received_count, 6);
}

/* It had its identifier, and waited for the disk, when its client disconnected: if it has
 * expired, it is not sent. [MQTT5-3.3.2-5] */
static void expired_message_is_not_sent(struct world *w)
{
	struct client *c = client_new(w, "c", MQTT_5_0), *pub = client_new(w, "pub", MQTT_5_0);

	client_join(c, &kept);
	client_subscribe(c, "x", 2);
	client_join(pub, &clean);
	client_publish_expiring(pub, "x", 2, "old", 5);
	world_steps(w, (unsigned)world_random(w, 60));
	client_drop(c);
	world_run(w);
	world_advance(w, 10000);
	c->next_packet_id = 0;
	client_join(c, &kept);
	for (size_t i = 0; i < c->received_count; i++)
		assert_true(c->received[i].life == 1 || c->received[i].dup);
}

/* However often the broker crashes: a session ends when its time since the client disconnected
 * has passed. */
static void session_expires_over_many_crashes(struct world *w)
{
	const struct connect_options brief = {.keep = true, .expiry_s = 50};
	struct client *c = client_new(w, "c", MQTT_5_0);

	client_join(c, &brief);
	for (unsigned n = 0; n < 5; n++) {
		world_crash(w);
		world_advance(w, 20000);
	}
	client_join(c, &brief);
	assert_false(c->session_present);
}

/* QoS 2, and nothing of it is on disk yet: nobody has it, not even with QoS 0. D2 */
static void uncommitted_qos2_is_not_sent_as_qos0(struct world *w)
{
	struct client *c = client_new(w, "c", MQTT_5_0), *pub = client_new(w, "pub", MQTT_5_0);

	client_join(c, &kept);
	client_subscribe(c, "x", 0);
	client_join(pub, &kept);
	world_run(w);
	for (unsigned n = 1; n <= 10; n++) {
		publish_numbered(pub, "x", 2, n);
		world_steps(w, (unsigned)world_random(w, 30));
		if (world_random(w, 3) == 0) {
			world_crash(w);
			client_join(c, &kept);
			client_join(pub, &kept);
		}
	}
	world_run(w);
	for (size_t i = 1; i < c->received_count; i++)
		assert_true(number_of(&c->received[i], "pub") >
		            number_of(&c->received[i - 1], "pub"));
}

/* A message that was sent ahead of the disk precedes those that pass through the disk, if a
 * commit ends before the turn does. D3 [MQTT5-4.6.0-5] */
static void messages_ahead_of_the_disk_come_first(struct world *w)
{
	struct client *c = client_new(w, "c", MQTT_5_0), *pub = client_new(w, "pub", MQTT_5_0);

	client_join(c, &kept);
	client_subscribe(c, "#", 1);
	client_join(pub, &clean);
	world_run(w);
	for (unsigned n = 1; n <= 30; n += 3) {
		publish_numbered(pub, "lazy", 1, n);
		publish_numbered(pub, "durable", 1, n + 1);
		publish_numbered(pub, "lazy", 1, n + 2);
		world_steps(w, (unsigned)world_random(w, 30));
	}
	world_run(w);
	assert_int_equal(c->received_count, 30);
	for (size_t i = 0; i < c->received_count; i++)
		assert_int_equal(number_of(&c->received[i], "pub"), i + 1);
}

/* A stored replay of a subscription that is QoS 0 by now: after one crash it may begin again,
 * but not after each later start. D4 */
static void stored_replay_begins_again_only_once(struct world *w)
{
	struct client *c = client_new(w, "c", MQTT_5_0), *pub = client_new(w, "pub", MQTT_5_0);

	client_join(pub, &clean);
	client_publish_retained(pub, "b/1", 1, "x");
	client_join(c, &kept);
	world_run(w);
	client_subscribe(c, "+/1/#", 1);
	client_subscribe(c, "+/1/#", 0);
	world_steps(w, (unsigned)world_random(w, 30));
	world_crash(w);
	client_join(c, &kept);
	if (!c->session_present)
		return;
	world_run(w);
	for (unsigned n = 0; n < 3; n++) {
		size_t before = c->received_count;

		if (n % 2 == 0)
			world_restart(w);
		else
			world_crash(w);
		client_join(c, &kept);
		world_run(w);
		assert_int_equal(c->received_count, before);
	}
}

static const char lazy_conf[] = "listeners:\n"
				"  - bind: unix:/run/sim.sock\n"
				"authentication: { anonymous: true, anonymous_sessions: true }\n"
				"persistence:\n"
				"  topics: [{ filter: lazy, durability: interval }]\n";

/* The only member of a group ends its session while a message for it is being written: its queue
 * was not full, so the publisher is not told that it was. */
static void ended_member_is_not_a_full_queue(struct world *w)
{
	struct client *member = client_new(w, "member", MQTT_5_0);
	struct client *publisher = client_new(w, "publisher", MQTT_5_0);
	struct answer answer;

	client_join(member, &kept);
	client_join(publisher, &clean);
	client_subscribe(member, "$share/g/s/#", 1);
	for (unsigned i = 0; i < 100; i++) {
		char filter[16];

		(void)snprintf(filter, sizeof(filter), "other/%u", i);
		client_subscribe(member, filter, 1);
	}
	world_run(w);
	client_drop(member);
	world_run(w);
	for (unsigned i = 0; i < w->workers; i++)
		w->server->workers[i]->turn_steps =
		    1; /* its subscriptions are removed one by one */
	client_connect(member, &clean);
	for (unsigned i = 0; i < 40; i++)
		client_publish(publisher, "s/1", 1, "x");
	world_run(w);
	assert_true(client_is_done(publisher));
	assert_int_equal(client_answers(publisher, PACKET_PUBACK, &answer), 40);
	for (size_t i = 0; i < publisher->answer_count; i++)
		assert_int_not_equal(publisher->answers[i].reasons[0], REASON_QUOTA_EXCEEDED);
}

#define ANNA(id) "anna:id=000000000000000" #id ":hash=$6$first$" DIGEST "\n"

/* The name gets one id after the other in the same millisecond; when the second comes back, what
 * the first has retained is still nobody's. */
static void earlier_id_stays_set_aside(struct world *w)
{
	const struct connect_options anna = {
	    .keep = true, .expiry_s = 1000, .user = "anna", .password = "first"};
	struct client *c = client_new(w, "c", MQTT_5_0), *d = client_new(w, "d", MQTT_5_0);
	struct client *reader = client_new(w, "reader", MQTT_5_0);

	client_join(c, &anna);
	client_publish_retained(c, "of/first", 1, "x");
	world_run(w);
	reload(w, open_acl, ANNA(2));
	client_join(d, &anna);
	client_publish_retained(d, "of/second", 1, "x");
	world_run(w);
	reload(w, open_acl, ANNA(3));
	reload(w, open_acl, ANNA(2));
	client_join(reader, &clean);
	client_subscribe(reader, "of/#", 1);
	world_run(w);
	assert_int_equal(reader->received_count, 1);
	assert_string_equal(reader->received[0].topic, "of/second");
	client_join(d, &anna);
	assert_true(d->session_present);
}

#define WITH_USERS .hashes = true, .conf = conf, .acl = open_acl, .users = first_password

static void hold_nothing(struct world *w)
{
	w->journal_paused = false;
}

#define ON_DISK(fn)                                                                                \
	static void fn##_on_disk(struct world *w)                                                  \
	{                                                                                          \
		hold_nothing(w);                                                                   \
		fn(w);                                                                             \
	}
ON_DISK(withdrawn_qos2_releases_its_identifier)
ON_DISK(qos2_of_a_clean_session_is_released)
ON_DISK(shared_message_behind_a_page_comes_once)
ON_DISK(expired_message_is_not_sent)
ON_DISK(session_expires_over_many_crashes)
ON_DISK(uncommitted_qos2_is_not_sent_as_qos0)
ON_DISK(messages_ahead_of_the_disk_come_first)
ON_DISK(stored_replay_begins_again_only_once)
ON_DISK(ended_member_is_not_a_full_queue)
ON_DISK(earlier_id_stays_set_aside)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO_WITH(session_continues_under_a_new_password, WITH_USERS),
	    SCENARIO(expired_message_of_a_group_goes_to_nobody),
	    SCENARIO(qos0_is_not_overtaken_behind_a_closed_window),
	    SCENARIO_WITH(withdrawn_qos2_releases_its_identifier, WITH_USERS),
	    SCENARIO_WITH(withdrawn_qos2_releases_its_identifier_on_disk, WITH_USERS,
	                  .durable = true),
	    SCENARIO_WITH(qos2_of_a_clean_session_is_released_on_disk, .durable = true),
	    SCENARIO_WITH(shared_message_behind_a_page_comes_once_on_disk, .durable = true),
	    SCENARIO_WITH(expired_message_is_not_sent_on_disk, .durable = true),
	    SCENARIO_WITH(session_expires_over_many_crashes_on_disk, .durable = true),
	    SCENARIO_WITH(uncommitted_qos2_is_not_sent_as_qos0_on_disk, .durable = true),
	    SCENARIO_WITH(messages_ahead_of_the_disk_come_first_on_disk, .durable = true,
	                  .conf = lazy_conf),
	    SCENARIO_WITH(stored_replay_begins_again_only_once_on_disk, .durable = true),
	    SCENARIO_WITH(ended_member_is_not_a_full_queue_on_disk, .durable = true),
	    SCENARIO_WITH(earlier_id_stays_set_aside, WITH_USERS),
	    SCENARIO_WITH(earlier_id_stays_set_aside_on_disk, WITH_USERS, .durable = true),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
