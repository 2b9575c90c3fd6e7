/* A turn of the loop has a budget of work, whatever one packet causes: many deliveries, large ones,
 * filters that overlap, wills that fire together, and many publishers of that kind at once.  In one
 * turn all of them are read, as after one poll.  Counted in steps where the broker is compiled so
 * that every block of its code counts itself (COUNTED); there are more than ten times as many in
 * each of these cases together.  What has to be delivered is delivered, in order, in any build. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "admin/sys_topics.h"
#include "base/alloc.h"
#include "peer.h"
#include "proto/packet_publish.h"
#include "routing/delivery_queue.h"
#include "routing/router.h"
#include "scenario.h"
#include "support/memory_stream.h"
#include "support/store_memory.h"
#include "worker/worker.h"

/* The longest turn: a millisecond or two of a slow machine. */
#define TURN_STEPS 400000
/* Messages that went ahead of the disk (durability: interval) are put in their list at once. */
#define AHEAD_STEPS 600000
/* The whole budget of a turn: a thousand sessions get one message, and are written to. */
#define BUDGET_STEPS 800000
/* All that overlapping filters are, in one piece. */
#define WHOLE_STEPS 4000000

#if VAKT_SANITIZED || !defined(__OPTIMIZE__)
#define SHRINK 20
#else
#define SHRINK 1
#endif

#define LEVELS      13
#define SUBSCRIBERS 20
#define FILTERS     (6000 / SHRINK)
#define PUBLISHERS  (40 / SHRINK)
#define READERS     (1000 / SHRINK)
#define WILLS       (300 / SHRINK)
#define KEPT        (4000 / SHRINK)
#define ROUNDS      5
#define WAITING     (2000 / SHRINK)
#define SLOW_WILLS  20
#define SHARED      (20000 / SHRINK)

/* The first ones subscribe, the others publish. */
struct crowd {
	struct world *w;
	struct peer *peers;
	size_t count;
	struct sys *sys; /* of which worker 0 has a timer */
};

static struct peer *join(struct crowd *c, const struct who *like)
{
	struct who who = *like;
	char id[32];

	(void)snprintf(id, sizeof(id), "peer%zu", c->count);
	who.id = id;
	c->peers = xrealloc_array(c->peers, c->count + 1, sizeof(*c->peers));
	peer_connect(&c->peers[c->count], c->w, &who);
	peer_run(c->w, &c->peers[c->count]);
	return &c->peers[c->count++];
}

/* All of them match "a/a/...": `+` where the number's bit is 1. */
static void subscribe_overlapping(struct crowd *c, struct peer *p)
{
	struct buf body = {0};
	char filter[2 * LEVELS];

	peer_begin_request(&body, 1);
	for (unsigned i = 0; i < FILTERS; i++) {
		for (size_t level = 0; level < LEVELS; level++) {
			filter[2 * level] = (i >> level & 1) != 0 ? '+' : 'a';
			filter[2 * level + 1] = level == LEVELS - 1 ? '\0' : '/';
		}
		buf_put_string(&body, slice_of_str(filter));
		buf_put_u8(&body, 0);
	}
	peer_send_packet(p, 0x82, &body);
	peer_run(c->w, p);
}

static void publish(struct peer *p, const char *topic, size_t bytes)
{
	uint8_t *payload = xcalloc(1, bytes);
	struct publish_out out = {
	    .version = MQTT_5_0, .topic = slice_of_str(topic), .payload = slice_of(payload, bytes)};
	struct buf packet = {0};

	packet_publish_encode(&packet, &out);
	peer_send(p, buf_slice(&packet));
	buf_fini(&packet);
	free(payload);
}

static void forget_output(struct crowd *c)
{
	for (size_t i = 0; i < c->count; i++)
		c->peers[i].got_bytes = 0;
}

static const char overlapping_topic[] = "a/a/a/a/a/a/a/a/a/a/a/a/a";

static struct cost overlapping(struct crowd *c, const struct who *who)
{
	const struct who clean = {0};
	size_t each = sizeof(overlapping_topic) - 1 + 48 + 5;
	struct cost cost;

	for (unsigned i = 0; i < SUBSCRIBERS; i++)
		subscribe_overlapping(c, join(c, who));
	for (unsigned i = 0; i < PUBLISHERS; i++)
		(void)join(c, &clean);
	forget_output(c);
	for (unsigned i = 0; i < PUBLISHERS; i++)
		publish(&c->peers[SUBSCRIBERS + i], overlapping_topic, 48);
	cost = peers_run(c->w, c->peers, c->count);
	for (unsigned i = 0; i < SUBSCRIBERS; i++)
		assert_int_equal(c->peers[i].got_bytes, PUBLISHERS * each);
	return cost;
}

static struct cost overlapping_clean(struct crowd *c)
{
	return overlapping(c, &(const struct who){0});
}

static struct cost overlapping_kept(struct crowd *c)
{
	return overlapping(c, &(const struct who){.expiry_s = 1000});
}

/* A publisher is not read while what it sent last is being delivered. */
static struct cost run_one_by_one(struct crowd *c)
{
	const struct delivery_queue *q = c->w->server->workers[0]->router->queue;
	struct cost cost = {0};
	unsigned idle = 0, waited = 0;

	while (idle < 3) {
		idle = peers_turn(c->w, c->peers, c->count, &cost) ? 0 : idle + 1;
		assert_true(q->count <= 1);
		waited += q->count > 0;
	}
	assert_true(SHRINK > 1 || waited > 0);
	return cost;
}

static struct cost to_many(struct crowd *c, const struct who *who, size_t bytes)
{
	struct cost cost;

	for (unsigned i = 0; i < READERS; i++) {
		peer_subscribe_many(join(c, who), "a", 1, 0);
		peer_run(c->w, &c->peers[c->count - 1]);
	}
	(void)join(c, &(const struct who){0});
	forget_output(c);
	for (unsigned i = 0; i < 10; i++)
		publish(&c->peers[READERS], "a", bytes);
	cost = run_one_by_one(c);
	for (unsigned i = 0; i < READERS; i++)
		assert_in_range(c->peers[i].got_bytes, 10 * bytes, 10 * (bytes + 10));
	return cost;
}

static struct cost message_to_many(struct crowd *c)
{
	return to_many(c, &(const struct who){0}, 4000);
}

static struct cost message_to_many_kept(struct crowd *c)
{
	return to_many(c, &(const struct who){.expiry_s = 1000}, 4000);
}

/* Topic "k", payload: the publisher, and the number of its message. */
static void publish_counted(struct peer *p, uint8_t publisher, uint8_t number)
{
	const uint8_t payload[] = {publisher, number};
	struct publish_out out = {.version = MQTT_5_0,
	                          .qos = 1,
	                          .packet_id = (uint16_t)(number + 1),
	                          .topic = SLICE("k"),
	                          .payload = slice_of(payload, sizeof(payload))};
	struct buf packet = {0};

	packet_publish_encode(&packet, &out);
	peer_send(p, buf_slice(&packet));
	buf_fini(&packet);
}

#define COUNTED_BYTES 10

/* Each message of each publisher once, in its order. D3 */
static void check_counted(const struct peer *p)
{
	uint8_t next[2] = {0};

	assert_int_equal(p->got.len, 2 * ROUNDS * COUNTED_BYTES);
	for (size_t at = 0; at < p->got.len; at += COUNTED_BYTES) {
		const uint8_t *payload = p->got.data + at + COUNTED_BYTES - 2;

		assert_int_equal(p->got.data[at], 0x32);
		assert_in_range(payload[0], 0, 1);
		assert_int_equal(payload[1], next[payload[0]]++);
	}
}

/* A message for very many queues on disk: its group is built in slices, and delivered in slices. D3
 */
static struct cost queued_for_many(struct crowd *c)
{
	struct cost cost;

	for (unsigned i = 0; i < KEPT; i++) {
		peer_subscribe_many(join(c, &(const struct who){.expiry_s = 1000}), "k", 1, 1);
		peer_run(c->w, &c->peers[c->count - 1]);
	}
	for (unsigned i = 0; i < 2; i++)
		(void)join(c, &(const struct who){0});
	forget_output(c);
	for (unsigned i = 0; i < c->count; i++)
		c->peers[i].keeps = true;
	for (uint8_t n = 0; n < ROUNDS; n++) {
		for (uint8_t i = 0; i < 2; i++)
			publish_counted(&c->peers[KEPT + i], i, n);
	}
	cost = peers_run(c->w, c->peers, c->count);
	for (unsigned i = 0; i < KEPT; i++)
		check_counted(&c->peers[i]);
	assert_int_equal(c->peers[KEPT].got_bytes, ROUNDS * 4);
	assert_int_equal(c->peers[KEPT + 1].got_bytes, ROUNDS * 4);
	return cost;
}

#define STORE_BYTES ((uint64_t)512 << 10)

/* Each has several messages in flight that find no space, and all go on when there is some. */
static struct cost space_for_all(struct crowd *c)
{
	struct world *w = c->w;
	struct peer *away = join(c, &(const struct who){.expiry_s = 1000});
	struct cost cost = {0};

	peer_subscribe_many(away, "k", 1, 1);
	peer_run(w, away);
	memory_send_end(wire_peer(away->wire), STREAM_END_RESET);
	peer_run(w, away);
	for (unsigned i = 0; i < WAITING; i++)
		(void)join(c, &(const struct who){0});
	store_image_bound(w->image, STORE_BYTES,
	                  STORE_BYTES - STORE_BYTES / 8 - 3000 - store_image_bytes(w->image));
	w->now_ms += 1000;
	publish_counted(&c->peers[c->count - 1], 0, ROUNDS); /* the broker sees it with a commit */
	peers_run(w, c->peers, c->count);
	forget_output(c);
	for (unsigned i = 1; i < c->count; i++) {
		for (uint8_t n = 0; n < ROUNDS; n++)
			publish_counted(&c->peers[i], 0, n);
	}
	peers_run(w, c->peers, c->count);
	assert_true(world_has_deferred(w));
	assert_in_range(w->server->workers[0]->counters.queued, 1, 100);
	store_image_bound(w->image, 0, 0);
	for (unsigned i = 0; i < 100; i++) {
		w->now_ms += 50;
		peers_turn(w, c->peers, c->count, &cost);
	}
	while (peers_turn(w, c->peers, c->count, &cost))
		;
	for (unsigned i = 1; i < c->count; i++)
		assert_int_equal(c->peers[i].got_bytes, ROUNDS * 4);
	assert_int_equal(w->server->workers[0]->counters.queued, WAITING * ROUNDS + 1);
	return cost;
}

static struct cost wills(struct crowd *c)
{
	const struct who who = {.will_bytes = 2000};
	size_t count;
	struct cost cost;

	for (unsigned i = 0; i < 100; i++) {
		peer_subscribe_many(join(c, &(const struct who){0}), "will", 1, 0);
		peer_run(c->w, &c->peers[c->count - 1]);
	}
	for (unsigned i = 0; i < WILLS; i++)
		memory_send_end(wire_peer(join(c, &who)->wire), STREAM_END_RESET);
	forget_output(c);
	count = c->count;
	cost = peers_run(c->w, c->peers, count);
	for (unsigned i = 0; i < 100; i++)
		assert_in_range(c->peers[i].got_bytes, WILLS * 2000, WILLS * 2020);
	return cost;
}

/* Connections break at once, and their wills have very many receivers, or take long to match: until
 * a will is out, its client cannot come back. */
static struct cost break_with_wills(struct crowd *c, const struct who *who)
{
	size_t first = c->count;
	struct peer *back;
	struct cost cost;

	for (unsigned i = 0; i < SLOW_WILLS; i++)
		(void)join(c, who);
	forget_output(c);
	for (unsigned i = 0; i < SLOW_WILLS; i++)
		memory_send_end(wire_peer(c->peers[first + i].wire), STREAM_END_RESET);
	cost = peers_run(c->w, c->peers, c->count);
	back = join(c, &(const struct who){0});
	assert_in_range(back->got_bytes, 4, 100); /* CONNACK */
	return cost;
}

static struct cost wills_overlapping(struct crowd *c)
{
	const struct who who = {.will_bytes = 48, .will_topic = overlapping_topic};
	size_t each = sizeof(overlapping_topic) - 1 + 48 + 5;
	struct cost cost;

	for (unsigned i = 0; i < SUBSCRIBERS; i++)
		subscribe_overlapping(c, join(c, &(const struct who){.expiry_s = 1000}));
	cost = break_with_wills(c, &who);
	for (unsigned i = 0; i < SUBSCRIBERS; i++)
		assert_int_equal(c->peers[i].got_bytes, SLOW_WILLS * each);
	return cost;
}

static struct cost wills_queued(struct crowd *c)
{
	const struct who who = {.will_bytes = 48, .will_qos = 1, .will_topic = "k"};
	struct cost cost;

	for (unsigned i = 0; i < KEPT; i++) {
		peer_subscribe_many(join(c, &(const struct who){.expiry_s = 1000}), "k", 1, 1);
		peer_run(c->w, &c->peers[c->count - 1]);
	}
	cost = break_with_wills(c, &who);
	for (unsigned i = 0; i < KEPT; i++)
		assert_int_equal(c->peers[i].got_bytes, SLOW_WILLS * (48 + 8));
	return cost;
}

/* A session ends with very many messages of a group that it has not acknowledged: others get them,
 * in slices, and its end is recorded after that. D1 */
static struct cost shared_at_the_end(struct crowd *c)
{
	struct peer *member = join(c, &(const struct who){0}), *other;
	size_t each = 1 + 1 + 2 + 1 + 2 + 1 + 1; /* of a PUBLISH */
	struct cost cost;

	peer_subscribe_many(member, "$share/g/s", 1, 1);
	peer_run(c->w, member);
	peer_publish_many(join(c, &(const struct who){0}), "s", SHARED, 1, false);
	peers_run(c->w, c->peers, c->count);
	other = join(c, &(const struct who){0});
	peer_subscribe_many(other, "$share/g/s", 1, 1);
	peer_run(c->w, other);
	forget_output(c);
	memory_send_end(wire_peer(c->peers[0].wire), STREAM_END_RESET);
	cost = peers_run(c->w, c->peers, c->count);
	assert_int_equal(c->peers[2].got_bytes, SHARED * each);
	assert_int_equal(c->w->server->workers[0]->counters.sessions, 2);
	return cost;
}

/* The broker's own figures, to very many. */
static struct cost sys_topics(struct crowd *c)
{
	struct cost cost;

	for (unsigned i = 0; i < READERS; i++) {
		peer_subscribe_many(join(c, &(const struct who){.expiry_s = 1000}), "$SYS/#", 1, 0);
		peer_run(c->w, &c->peers[c->count - 1]);
	}
	forget_output(c);
	c->sys = sys_topics_start(c->w->server);
	cost = peers_run(c->w, c->peers, c->count);
	for (unsigned i = 0; i < READERS; i++)
		assert_in_range(c->peers[i].got_bytes, 2000, 20000);
	return cost;
}

#define CLOSED_CONF                                                                                \
	"listeners: [{bind: unix:/run/sim.sock}]\n"                                                \
	"authentication: {password_file: users.passwd}\nauthorization: {acl_file: acl.yaml}\n"

static void on_applied(void *arg)
{
	*(bool *)arg = true;
}

/* A reload after which very many connected clients may not log in any more. */
static struct cost revoked(struct crowd *c)
{
	const struct world_settings texts = {.conf = CLOSED_CONF};
	struct executor *main_executor = &c->w->main_executor;
	struct cost cost = {0}, last;
	bool done = false;

	for (unsigned i = 0; i < READERS; i++) {
		peer_subscribe_many(join(c, &(const struct who){.expiry_s = 1000}), "of/%u/+", 50,
		                    1);
		peer_run(c->w, &c->peers[c->count - 1]);
	}
	world_reload(c->w, &texts, on_applied, &done);
	while (!done) {
		executor_enter(main_executor);
		(void)executor_turn(main_executor);
		executor_leave();
		(void)peers_turn(c->w, c->peers, c->count, &cost);
	}
	last = peers_run(c->w, c->peers, c->count);
	for (size_t i = 0; i < c->count; i++)
		assert_true(memory_is_gone(wire_peer(c->peers[i].wire)));
	cost.steps += last.steps;
	cost.turns += last.turns;
	if (last.turn_steps > cost.turn_steps)
		cost.turn_steps = last.turn_steps;
	return cost;
}

/* A client that unsubscribes while a message is on its way to very many gets nothing after its
 * UNSUBACK. [MQTT-3.10.4-2] */
static struct cost unsubscribed_meanwhile(struct crowd *c)
{
	const struct who clean = {0};
	struct buf body = {0};
	struct cost cost = {0};
	struct peer *leaver;

	for (unsigned i = 0; i < SUBSCRIBERS; i++)
		subscribe_overlapping(c, join(c, &clean));
	leaver = join(c, &clean);
	peer_subscribe_many(leaver, "+/+/+/+/+/+/+/+/+/+/+/+/+", 1, 0);
	peer_run(c->w, leaver);
	peer_subscribe_many(leaver, "#", 1, 0);
	peer_run(c->w, leaver);
	(void)join(c, &clean);
	c->w->server->workers[0]->turn_steps = WORKER_TURN_STEPS / SHRINK;
	publish(&c->peers[c->count - 1], overlapping_topic, 48);
	leaver = &c->peers[SUBSCRIBERS];
	leaver->got_bytes = 0;
	for (unsigned i = 0; i < 3; i++)
		(void)peers_turn(c->w, c->peers, c->count, &cost);
	assert_int_equal(leaver->got_bytes, 0);
	peer_begin_request(&body, 2);
	buf_put_string(&body, SLICE("+/+/+/+/+/+/+/+/+/+/+/+/+"));
	buf_put_string(&body, SLICE("#"));
	peer_send_packet(leaver, 0xa2, &body);
	cost = peers_run(c->w, c->peers, c->count);
	assert_true(cost.turns > 5);
	assert_int_equal(leaver->got_bytes, 7); /* UNSUBACK */
	return cost;
}

/* While it is being found to whom a message goes, subscriptions come and go: it goes to those who
 * are subscribed when all are found, and is found in the end, however many come.
 * [MQTT-3.10.4-2] */
static struct cost subscribed_meanwhile(struct crowd *c)
{
	const struct who clean = {0}, kept = {.expiry_s = 1000};
	const char *all = "+/+/+/+/+/+/+/+/+/+/+/+/+";
	struct peer *late, *leaver, *other;
	unsigned turns = 0;
	struct cost cost = {0};

	c->w->server->workers[0]->turn_steps = 64;
	for (unsigned i = 0; i < SUBSCRIBERS; i++)
		subscribe_overlapping(c, join(c, &kept));
	for (unsigned i = 0; i < 4; i++)
		(void)join(c, i < 2 ? &kept : &clean);
	late = &c->peers[SUBSCRIBERS];
	leaver = late + 1;
	other = late + 2;
	peer_subscribe_many(leaver, all, 1, 0);
	peer_run(c->w, leaver);
	forget_output(c);
	publish(late + 3, overlapping_topic, 48);
	(void)peers_turn(c->w, c->peers, c->count, &cost);
	peer_subscribe_many(late, all, 1, 0);
	peer_unsubscribe_many(leaver, all, 1);
	while (c->peers[0].got_bytes == 0) {
		char filter[16];

		(void)snprintf(filter, sizeof(filter), "b/%u", turns);
		peer_subscribe_many(other, filter, 1, 0);
		(void)peers_turn(c->w, c->peers, c->count, &cost);
		/* mutant match_for_ever: nobody would ever get it */
		assert_in_range(++turns, 1, 1000);
	}
	assert_true(turns > 4); /* it has begun anew */
	(void)peers_run(c->w, c->peers, c->count);
	assert_in_range(late->got_bytes, 48, 1000);
	assert_int_equal(leaver->got_bytes, 6); /* UNSUBACK */
	return cost;
}

#define ACL "anonymous: { rules: ['allow all #', 'allow subscribe $SYS/#'] }\n"
#define CONF                                                                                       \
	"listeners: [{bind: unix:/run/sim.sock}]\n"                                                \
	"authentication: {anonymous: true, anonymous_sessions: true}\n"                            \
	"authorization: {acl_file: acl.yaml}\n"                                                    \
	"limits:\n  sessions_per_user: 100000\n"

static const struct row {
	const char *name;
	struct cost (*fn)(struct crowd *c);
	uint64_t turn_steps; /* at most */
	bool is_whole;       /* it may be done in one turn */
	const char *conf;    /* NULL: as usual */
} rows[] = {
    {"overlapping filters", overlapping_clean, TURN_STEPS, false, NULL},
    {"overlapping filters, kept", overlapping_kept, TURN_STEPS, false, NULL},
    {"one message to many", message_to_many, TURN_STEPS, false, NULL},
    {"one message to many, kept", message_to_many_kept, TURN_STEPS, false, NULL},
    {"QoS 1 to many queues", queued_for_many, TURN_STEPS, false,
     CONF "persistence: {directory: x}\n"},
    {"QoS 1 to many queues, not waited for", queued_for_many, AHEAD_STEPS, false,
     CONF "persistence: {directory: x, durability: interval}\n"},
    {"the store has space again", space_for_all, TURN_STEPS, false,
     CONF "  queue_messages: 1000000\n  queue_bytes: 1G\npersistence: {directory: x}\n"},
    {"wills that fire together", wills, TURN_STEPS, false, NULL},
    {"wills to overlapping filters", wills_overlapping, TURN_STEPS, false, NULL},
    {"wills to many queues", wills_queued, TURN_STEPS, false, CONF "persistence: {directory: x}\n"},
    {"shared messages of a session that ends", shared_at_the_end, TURN_STEPS, false,
     CONF "  queue_messages: 1000000\n"},
    {"$SYS to many", sys_topics, BUDGET_STEPS, false, NULL},
    {"many are revoked", revoked, TURN_STEPS, false, CONF},
    {"UNSUBSCRIBE meanwhile", unsubscribed_meanwhile, TURN_STEPS, false, NULL},
    {"SUBSCRIBE meanwhile", subscribed_meanwhile, WHOLE_STEPS, true, NULL},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void one_row(void **state)
{
	const struct row *row = *state;
	const struct world_settings settings = {
	    .seed = 1, .workers = 1, .durable = true, .conf = row->conf, .acl = ACL};
	struct crowd c = {.w = world_new(&settings)};
	struct cost cost = row->fn(&c);

	printf("# %-30s %u turns, the longest %.2f ms, %llu steps of %llu\n", row->name, cost.turns,
	       cost.turn_ms, (unsigned long long)cost.turn_steps, (unsigned long long)cost.steps);
	for (size_t i = 0; i < c.count; i++)
		peer_fini(&c.peers[i]);
	free(c.peers);
	world_free(c.w);
	sys_topics_free(c.sys);
	if (IS_COUNTED) {
		assert_true(cost.turn_steps <= row->turn_steps);
		assert_true(row->is_whole || cost.steps > 2 * cost.turn_steps);
	}
}

int main(void)
{
	struct CMUnitTest tests[ROWS];

	log_set_level(LOG_LEVEL_ERROR);
	for (size_t i = 0; i < ROWS; i++)
		tests[i] = (struct CMUnitTest){.name = rows[i].name,
		                               .test_func = one_row,
		                               .initial_state = (void *)(uintptr_t)&rows[i]};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
