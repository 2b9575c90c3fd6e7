/* Publishers and subscribers on threads of their own, as the workers will do it: store, match,
 * number and post inside one read section; subscribe, read the clock, replay, take what comes live.
 * Each subscriber must see the numbers of a topic rise, and end with the newest.  Run under
 * ThreadSanitizer too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/executor.h"
#include "support/dice.h"
#include "tree/retain.h"
#include "tree/retain_cursor.h"
#include "tree/retain_tree.h"
#include "tree/route.h"
#include "tree/route_match.h"
#include "tree/route_share.h"
#include "tree/route_tree.h"

enum {
	PUBLISHERS = 2,
	SUBSCRIBERS = 2,
	HOMES = PUBLISHERS + SUBSCRIBERS,
	TOPICS = 300,
	PUBLISHES = 10000,
};

struct world {
	struct route *route;
	struct retain *retain;
	struct executor executor[SUBSCRIBERS]; /* of the subscribers */
	_Atomic unsigned publishing;           /* threads */
	_Atomic bool swept;
	uint64_t newest[TOPICS]; /* change of each topic, under its shard */
};

struct publisher {
	struct world *world;
	unsigned executor;
	struct dice dice;
	struct thread thread;
};

struct subscriber {
	struct world *world;
	unsigned index, executor;
	struct dice dice;
	struct thread thread;
	/* of the subscription at hand */
	struct slice filter;
	bool durable;
	uint64_t since;
	struct retain_cursor *cursor;
	uint64_t seen[TOPICS]; /* the newest number, 0: none */
	bool deleted[TOPICS];  /* it was a deletion */
	unsigned rounds, wrong;
};

struct delivery {
	struct task task;
	uint64_t number, before; /* this change of the topic and the one before it */
	struct msg *msg;
};

static void topic_text(char out[32], unsigned i)
{
	snprintf(out, 32, "t/%u/%u/x", i % 7, i);
}

static unsigned topic_index(struct slice topic)
{
	unsigned i = 0;

	for (size_t at = 4; at < topic.len && topic.data[at] != '/'; at++)
		i = i * 10 + (unsigned)(topic.data[at] - '0');
	return i;
}

/* --- publishers --- */

static void on_delivery(struct task *task, void *executor_arg);

static void deliver(struct world *w, uint64_t executors, const struct delivery *delivery)
{
	for (unsigned i = 0; i < SUBSCRIBERS; i++) {
		struct delivery *d;

		if ((executors >> (PUBLISHERS + i) & 1) == 0)
			continue;
		d = xnew(d);
		*d = *delivery;
		d->task.run = on_delivery;
		msg_ref(d->msg);
		executor_send(&w->executor[i], &d->task);
	}
}

static void publish(struct publisher *p, unsigned topic, struct route_match *m)
{
	struct world *w = p->world;
	struct retain_change c;
	struct msg_parts parts = {.retain = true, .expires_ms = MSG_NEVER};
	struct msg *msg;
	char text[32];
	uint64_t executors;

	topic_text(text, topic);
	parts.topic = slice_of_str(text);
	parts.payload = dice_roll(&p->dice, 3) == 0 ? SLICE("") : SLICE("on");
	msg = msg_new(NULL, &parts);

	route_read_begin(w->route, p->executor);
	retain_begin(w->retain, p->executor, parts.topic, 0, &c);
	if (parts.payload.len > 0)
		retain_put(&c, msg);
	else
		retain_delete(&c, 0);
	if (dice_roll(&p->dice, 8) == 0)
		retain_own(&c, dice_roll(&p->dice, 2) == 0 ? SLICE("anna") : SLICE(""));
	route_match(w->route, parts.topic, m);
	executors = m->executors;
	for (size_t i = 0; i < m->target_count; i++)
		executors |= (uint64_t)1 << m->targets[i].target.executor;
	deliver(w, executors,
	        &(struct delivery){.number = c.number, .before = w->newest[topic], .msg = msg});
	w->newest[topic] = c.number;
	retain_end(&c);
	route_read_end(w->route, p->executor);
	msg_unref(&msg);
}

static void *run_publisher(void *arg)
{
	struct publisher *p = arg;
	struct route_match m = {0};

	for (unsigned i = 0; i < PUBLISHES; i++)
		publish(p, dice_roll(&p->dice, TOPICS), &m);
	route_match_fini(&m);
	p->world->publishing--;
	return NULL;
}

/* --- subscribers --- */

static void see(struct subscriber *s, struct msg *msg, uint64_t number, bool deleted)
{
	unsigned topic = topic_index(msg_topic(msg));

	if (number <= s->seen[topic])
		s->wrong++; /* backwards, or twice */
	s->seen[topic] = number;
	s->deleted[topic] = deleted;
}

static void on_delivery(struct task *task, void *executor_arg)
{
	struct delivery *d = (struct delivery *)task;
	struct subscriber *s = executor_arg;

	if (d->number > s->since) {
		uint64_t seen = s->seen[topic_index(msg_topic(d->msg))];

		if (seen != 0 ? d->before != seen : d->before > s->since)
			s->wrong++; /* one is missing */
		see(s, d->msg, d->number, msg_payload(d->msg).len == 0);
	}
	msg_unref(&d->msg);
	free(d);
}

static bool on_replayed(void *arg, struct msg *msg, _Atomic uint32_t *writer_generation)
{
	struct subscriber *s = arg;

	atomic_fetch_add_explicit(writer_generation, 1, memory_order_relaxed);
	if (msg->number > s->since)
		s->wrong++;
	see(s, msg, msg->number, false);
	return true;
}

static void subscribe(struct subscriber *s)
{
	static const char *const filters[] = {"#", "t/#", "t/+/+/x", "t/3/+/#"};
	struct world *w = s->world;
	struct route_target t = {
	    .session_id = s->executor, .executor = (uint16_t)s->executor, .durable = true};

	memset(s->seen, 0, sizeof(s->seen));
	memset(s->deleted, 0, sizeof(s->deleted));
	s->filter = slice_of_str(filters[dice_roll(&s->dice, 4)]);
	s->durable = dice_roll(&s->dice, 2) == 0;
	s->since = UINT64_MAX; /* what still comes from before is none of ours */
	if (s->durable) {
		route_target_put(w->route, s->filter, &t, retain_clock(w->retain));
		s->since = t.since;
	} else {
		route_join(w->route, s->executor, s->filter);
		s->since = *retain_clock(w->retain);
	}
	s->cursor = retain_cursor_new(w->retain, s->filter, s->since);
}

static void unsubscribe(struct subscriber *s)
{
	if (s->durable)
		route_target_remove(s->world->route, s->filter, s->executor);
	else
		route_leave(s->world->route, s->executor, s->filter);
	retain_cursor_free(&s->cursor);
	s->rounds++;
}

static bool slice_step(struct subscriber *s)
{
	mailbox_drain(&s->world->executor[s->index].mailbox, 1 + dice_roll(&s->dice, 50), s);
	return retain_cursor_visit(s->cursor, s->executor, 0, 1 + dice_roll(&s->dice, 40),
	                           on_replayed, s);
}

/* Nobody publishes any more: what was seen last is what is there. */
static void check_end(struct subscriber *s)
{
	for (unsigned i = 0; i < TOPICS; i++) {
		char text[32];
		struct msg *m;

		topic_text(text, i);
		if (slice_equal(s->filter, SLICE("t/3/+/#")) && i % 7 != 3)
			continue;
		m = retain_find(s->world->retain, s->executor, slice_of_str(text), 0);
		if (m != NULL && (s->deleted[i] || s->seen[i] != m->number))
			s->wrong++;
		if (m == NULL && s->seen[i] != 0 && !s->deleted[i])
			s->wrong++;
		msg_unref(&m);
	}
}

static void *run_subscriber(void *arg)
{
	struct subscriber *s = arg;
	bool over = false;

	while (!over) {
		subscribe(s);
		for (unsigned steps = dice_roll(&s->dice, 40); steps > 0; steps--)
			slice_step(s);
		over = s->world->publishing == 0;
		while (over && slice_step(s))
			;
		while (over && mailbox_drain(&s->world->executor[s->index].mailbox, 1000, s))
			;
		if (over)
			check_end(s);
		unsubscribe(s);
	}
	return NULL;
}

/* --- all of them --- */

static void *run_sweeper(void *arg)
{
	struct world *w = arg;
	struct retain_counts counts;
	struct route_counts filters;

	while (!w->swept) {
		retain_expire(w->retain, 0, 50);
		retain_count(w->retain, &counts);
		route_count(w->route, HOMES, &filters);
		retain_release_owner(w->retain, SLICE("anna"));
		sched_yield();
	}
	return NULL;
}

static void world_end(struct world *w)
{
	struct route_counts filters;

	for (unsigned i = 0; i < SUBSCRIBERS; i++)
		executor_fini(&w->executor[i]);
	route_count(w->route, 0, &filters);
	assert_int_equal(filters.filters, 0);
	assert_int_equal(w->route->tree.nodes.count + w->route->exact.nodes.count, 0);
	assert_int_equal(*retain_clock(w->retain), PUBLISHERS * PUBLISHES);
	route_free(w->route);
	retain_free(w->retain);
}

static void values_written_while_others_read_rise_and_none_is_lost(void **state)
{
	struct world w = {.route = route_new(HOMES), .retain = retain_new(HOMES)};
	struct publisher publishers[PUBLISHERS] = {0};
	static struct subscriber subscribers[SUBSCRIBERS];
	struct thread sweeper;

	(void)state;
	w.publishing = PUBLISHERS;
	assert_int_equal(thread_start(&sweeper, "sweeper", run_sweeper, &w), 0);
	for (unsigned i = 0; i < SUBSCRIBERS; i++) {
		struct subscriber *s = &subscribers[i];

		*s = (struct subscriber){
		    .world = &w, .index = i, .executor = PUBLISHERS + i, .dice = {i + 100}};
		executor_init(&w.executor[i], PUBLISHERS + i, NULL, NULL);
	}
	for (unsigned i = 0; i < SUBSCRIBERS; i++)
		assert_int_equal(thread_start(&subscribers[i].thread, "subscriber", run_subscriber,
		                              &subscribers[i]),
		                 0);
	for (unsigned i = 0; i < PUBLISHERS; i++) {
		publishers[i] = (struct publisher){.world = &w, .executor = i, .dice = {i + 1}};
		assert_int_equal(
		    thread_start(&publishers[i].thread, "publisher", run_publisher, &publishers[i]),
		    0);
	}
	for (unsigned i = 0; i < PUBLISHERS; i++)
		thread_join(&publishers[i].thread);
	for (unsigned i = 0; i < SUBSCRIBERS; i++)
		thread_join(&subscribers[i].thread);
	w.swept = true;
	thread_join(&sweeper);
	for (unsigned i = 0; i < SUBSCRIBERS; i++) {
		assert_int_equal(subscribers[i].wrong, 0);
		assert_true(subscribers[i].rounds > 1);
	}
	world_end(&w);
}

/* --- $share and targets come and go while others match --- */

struct churner {
	struct route *route;
	unsigned executor;
	struct thread thread;
	unsigned wrong;
};

enum { ROUNDS = 1500 };

static void *run_churner(void *arg)
{
	struct churner *c = arg;
	struct dice d = {c->executor + 77};
	struct route_target always, t = {.executor = (uint16_t)c->executor, .durable = true};
	struct route_match m = {0};

	for (unsigned i = 0; i < ROUNDS; i++) {
		t.session_id = c->executor * 100 + dice_roll(&d, 40) + 1;
		route_share_put(c->route, SLICE("g"), SLICE("s/+"), &t, dice_roll(&d, 2) == 0);
		route_read_begin(c->route, c->executor);
		route_match(c->route, SLICE("s/1"), &m);
		route_read_end(c->route, c->executor);
		c->wrong += m.share_count != 1; /* our own is there at least */
		if (m.share_count == 1 && !route_share_pick(c->route, c->executor,
		                                            m.shares[0].group_id, NULL, 0, &always))
			c->wrong++;
		route_share_online(c->route, SLICE("g"), SLICE("s/+"), t.session_id, true);
		t.session_id = c->executor * 100 + dice_roll(&d, 40) + 1;
		route_share_remove(c->route, SLICE("g"), SLICE("s/+"), t.session_id);
	}
	for (unsigned i = 1; i <= 40; i++)
		route_share_remove(c->route, SLICE("g"), SLICE("s/+"), c->executor * 100 + i);
	route_match_fini(&m);
	return NULL;
}

static void group_that_changes_while_others_pick_gives_present_members(void **state)
{
	struct route *r = route_new(HOMES);
	struct route_target anchor = {.session_id = 9999, .durable = true};
	struct churner churners[HOMES] = {0};
	struct route_counts counts;

	(void)state;
	route_share_put(r, SLICE("g"), SLICE("s/+"), &anchor, false);
	for (unsigned i = 0; i < HOMES; i++) {
		churners[i] = (struct churner){.route = r, .executor = i};
		assert_int_equal(
		    thread_start(&churners[i].thread, "churner", run_churner, &churners[i]), 0);
	}
	for (unsigned i = 0; i < HOMES; i++)
		thread_join(&churners[i].thread);
	for (unsigned i = 0; i < HOMES; i++)
		assert_int_equal(churners[i].wrong, 0);
	route_count(r, 0, &counts);
	assert_int_equal(counts.share_members, 1);
	route_share_remove(r, SLICE("g"), SLICE("s/+"), 9999);
	assert_int_equal(r->tree.nodes.count, 0);
	route_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(values_written_while_others_read_rise_and_none_is_lost),
	    cmocka_unit_test(group_that_changes_while_others_pick_gives_present_members),
	};

	hash_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
