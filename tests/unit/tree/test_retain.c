/* The retained tree: values, owners, expiry, and replays that go on while the tree changes, against
 * a plain list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/topic.h"
#include "support/dice.h"
#include "tree/retain.h"
#include "tree/retain_cursor.h"
#include "tree/retain_tree.h"

#define HOMES 3
#define DAY   ((uint64_t)24 * 3600 * 1000)

static struct msg *message(struct slice topic, const char *payload, uint64_t expires_ms)
{
	struct msg_parts parts = {
	    .retain = true,
	    .expires_ms = expires_ms,
	    .topic = topic,
	    .payload = slice_of_str(payload),
	};

	return msg_new(NULL, &parts);
}

static uint64_t put_until(struct retain *r, const char *topic, const char *payload, uint64_t now_ms,
                          uint64_t expires_ms)
{
	struct slice name = slice_of_str(topic);
	struct msg *m = message(name, payload, expires_ms);
	struct retain_change c;

	retain_begin(r, 1, name, now_ms, &c);
	retain_put(&c, m);
	assert_ptr_equal(c.current, m);
	retain_end(&c);
	assert_int_equal(c.number, m->number);
	msg_unref(&m);
	return c.number;
}

static uint64_t put(struct retain *r, const char *topic, const char *payload)
{
	return put_until(r, topic, payload, 0, MSG_NEVER);
}

static uint64_t erase(struct retain *r, const char *topic, uint64_t now_ms)
{
	struct retain_change c;

	retain_begin(r, 2, slice_of_str(topic), now_ms, &c);
	retain_delete(&c, now_ms);
	assert_null(c.current);
	retain_end(&c);
	return c.number;
}

static void own(struct retain *r, const char *topic, const char *owner, uint64_t now_ms)
{
	struct retain_change c;

	retain_begin(r, 0, slice_of_str(topic), now_ms, &c);
	retain_own(&c, slice_of_str(owner));
	assert_true(slice_equal(c.owner, slice_of_str(owner)));
	retain_end(&c);
}

static void assert_owner(struct retain *r, const char *topic, uint64_t now_ms, const char *want)
{
	struct buf key = {0};

	buf_put_u8(&key, '=');
	retain_owner(r, 0, slice_of_str(topic), now_ms, &key);
	if (!slice_equal(slice_skip(buf_slice(&key), 1), slice_of_str(want)))
		fail_msg("%s is owned by %.*s, not %s", topic, (int)key.len - 1,
		         (const char *)key.data + 1, want);
	buf_fini(&key);
}

static void assert_value(struct retain *r, const char *topic, uint64_t now_ms, const char *want)
{
	struct msg *m = retain_find(r, 0, slice_of_str(topic), now_ms);

	if (want == NULL) {
		assert_null(m);
		return;
	}
	assert_non_null(m);
	assert_true(slice_equal(msg_payload(m), slice_of_str(want)));
	msg_unref(&m);
}

/* Everything ends: values, owners, and then the nodes. */
static void assert_empties(struct retain *r)
{
	struct retain_counts counts;

	for (unsigned i = 0; i < 100 && r->tree.nodes.count > 0; i++)
		retain_expire(r, UINT64_MAX - 1, 64);
	assert_int_equal(r->tree.nodes.count, 0);
	retain_count(r, &counts);
	assert_int_equal(counts.values, 0);
	assert_int_equal(counts.bytes, 0);
	retain_free(r);
}

/* [MQTT3-3.3.1-5] [MQTT3-3.3.1-7] [MQTT3-3.3.1-10] [MQTT5-3.3.1-5] [MQTT5-3.3.1-6] */
static void retained_value_is_replaced_then_deleted(void **state)
{
	struct retain *r = retain_new(HOMES);
	struct retain_counts counts;

	(void)state;
	assert_int_equal(*retain_clock(r), 0);
	assert_int_equal(put(r, "a/b", "1"), 1);
	assert_int_equal(put(r, "a", "2"), 2);
	assert_int_equal(put(r, "a/b", "three"), 3);
	assert_int_equal(*retain_clock(r), 3);
	assert_value(r, "a/b", 0, "three");
	assert_value(r, "a", 0, "2");
	assert_value(r, "a/", 0, NULL);
	assert_value(r, "b", 0, NULL);
	retain_count(r, &counts);
	assert_int_equal(counts.values, 2);
	assert_int_equal(counts.bytes, 2 * sizeof(struct msg) + 3 + 5 + 1 + 1 +
	                                   3 * sizeof(struct retain_node)); /* a/b and a */
	assert_int_equal(erase(r, "a", 0), 4);
	assert_int_equal(erase(r, "never/was", 0), 5);
	assert_value(r, "a", 0, NULL);
	assert_value(r, "a/b", 0, "three");
	erase(r, "a/b", 0);
	assert_empties(r);
}

static void deleting_an_absent_value_leaves_no_node(void **state)
{
	struct retain *r = retain_new(HOMES);
	char topic[32];

	(void)state;
	for (int i = 0; i < 2000; i++) { /* without any sweep */
		snprintf(topic, sizeof(topic), "x/%d/y", i);
		if (i % 2 == 0)
			put(r, topic, "1");
		erase(r, topic, 0);
	}
	assert_true(r->tree.nodes.count < 200);
	assert_empties(r);
}

static void change_begun_shows_the_current_value_and_owner(void **state)
{
	struct retain *r = retain_new(HOMES);
	struct retain_change c;

	(void)state;
	put(r, "a", "1");
	own(r, "a", "anna", 0);
	retain_begin(r, HOMES, SLICE("a"), 5, &c);
	assert_true(slice_equal(msg_payload(c.current), SLICE("1")));
	assert_true(slice_equal(c.owner, SLICE("anna")));
	retain_end(&c);
	assert_int_equal(c.number, 0);
	assert_int_equal(*retain_clock(r), 1);
	erase(r, "a", 0);
	assert_empties(r);
}

static void value_with_an_expiry_is_gone_after_it(void **state)
{
	struct retain *r = retain_new(HOMES);
	struct retain_counts counts;
	struct retain_change c;

	(void)state;
	put_until(r, "a", "1", 0, 1000);
	put_until(r, "b", "1", 0, 2000);
	assert_value(r, "a", 999, "1");
	assert_value(r, "a", 1000, NULL);
	retain_count(r, &counts);
	assert_int_equal(counts.values, 2);
	retain_expire(r, 1500, 1000);
	retain_count(r, &counts);
	assert_int_equal(counts.values, 1);
	assert_int_equal(r->tree.nodes.count, 1);
	retain_begin(r, 0, SLICE("b"), 2000, &c);
	assert_null(c.current);
	retain_end(&c);
	retain_count(r, &counts);
	assert_int_equal(counts.values, 0);
	assert_empties(r);
}

static void owner_of_a_deleted_value_is_kept_seven_days(void **state)
{
	struct retain *r = retain_new(HOMES);

	(void)state;
	put(r, "d", "1");
	own(r, "d", "anna", 0);
	put(r, "d", "2"); /* by another rule: changes nothing */
	assert_owner(r, "d", 400 * DAY, "anna");
	erase(r, "d", 10 * DAY);
	assert_owner(r, "d", 17 * DAY - 1, "anna");
	retain_expire(r, 17 * DAY - 1, 1000);
	assert_owner(r, "d", 17 * DAY - 1, "anna");
	assert_owner(r, "d", 17 * DAY, "");
	assert_empties(r);
}

static void owner_of_an_expired_value_is_kept_seven_days(void **state)
{
	struct retain *r = retain_new(HOMES);

	(void)state;
	put_until(r, "d", "1", 0, 2 * DAY);
	own(r, "d", "anna", 0);
	put_until(r, "e", "1", 0, 2 * DAY);
	own(r, "e", "anna", 0);
	retain_expire(r, 5 * DAY, 1000); /* swept late, counted from the expiry */
	assert_owner(r, "d", 9 * DAY - 1, "anna");
	assert_owner(r, "d", 9 * DAY, "");
	put_until(r, "e", "2", 6 * DAY, MSG_NEVER); /* it has a value again */
	assert_owner(r, "e", 100 * DAY, "anna");
	erase(r, "e", 100 * DAY);
	assert_empties(r);
}

static void ownership_ends_or_passes_to_the_next_writer(void **state)
{
	struct retain *r = retain_new(HOMES);

	(void)state;
	put(r, "d", "1");
	own(r, "d", "anna", 0);
	own(r, "d", "anna", 0);
	own(r, "d", "bert", 0);
	assert_owner(r, "d", 0, "bert");
	own(r, "d", "", 0);
	assert_owner(r, "d", 0, "");
	own(r, "gone", "anna", 3 * DAY); /* never had a value */
	assert_owner(r, "gone", 10 * DAY - 1, "anna");
	assert_owner(r, "gone", 10 * DAY, "");
	erase(r, "d", 0);
	assert_empties(r);
}

static void removed_user_owns_nothing(void **state)
{
	struct retain *r = retain_new(HOMES);

	(void)state;
	put(r, "d", "1");
	own(r, "d", "anna", 0);
	own(r, "tomb", "anna", 0);
	put(r, "e", "1");
	own(r, "e", "bert", 0);
	retain_release_owner(r, SLICE("anna"));
	retain_release_owner(r, SLICE("nobody"));
	own(r, "f", "anna", 0); /* a namesake begins anew */
	assert_owner(r, "d", 0, "");
	assert_owner(r, "tomb", 0, "");
	assert_owner(r, "e", 0, "bert");
	assert_owner(r, "f", 0, "anna");
	assert_value(r, "d", 0, "1");
	erase(r, "d", 0);
	erase(r, "e", 0);
	assert_empties(r);
}

static void topics_of_an_owner_who_is_set_aside_are_free(void **state)
{
	struct retain *r = retain_new(HOMES);

	(void)state;
	put(r, "d", "1");
	own(r, "d", "anna", 0);
	put(r, "e", "1");
	own(r, "e", "anna", 0);
	retain_set_aside_owner(r, SLICE("anna"), true);
	retain_set_aside_owner(r, SLICE("nobody"), true);
	assert_true(retain_knows_owner(r, SLICE("anna")));
	assert_owner(r, "d", 0, "");
	own(r, "d", "bert", 0); /* so that somebody else takes it */
	assert_owner(r, "d", 0, "bert");
	retain_set_aside_owner(r, SLICE("anna"), false);
	assert_owner(r, "d", 0, "bert");
	assert_owner(r, "e", 0, "anna");
	erase(r, "d", 0);
	erase(r, "e", 0);
	own(r, "d", "", 0);
	own(r, "e", "", 0);
	assert_false(retain_knows_owner(r, SLICE("anna")));
	assert_empties(r);
}

static void what_a_merged_owner_has_is_the_others(void **state)
{
	struct retain *r = retain_new(HOMES);

	(void)state;
	put(r, "d", "1");
	own(r, "d", "new", 0);
	put(r, "e", "1");
	own(r, "e", "newer", 0);
	retain_merge_owner(r, SLICE("newer"), SLICE("new"));
	retain_merge_owner(r, SLICE("new"), SLICE("old"));
	retain_merge_owner(r, SLICE("new"), SLICE("old")); /* again: nothing more */
	assert_owner(r, "d", 0, "old");
	assert_owner(r, "e", 0, "old");
	retain_set_aside_owner(r, SLICE("old"), true);
	assert_owner(r, "d", 0, "");
	assert_owner(r, "e", 0, "");
	retain_set_aside_owner(r, SLICE("old"), false);
	retain_set_aside_owner(r, SLICE("new"), false); /* its own master again */
	assert_owner(r, "d", 0, "new");
	retain_merge_owner(r, SLICE("old"), SLICE("new")); /* and the other way round: no circle */
	assert_owner(r, "d", 0, "new");
	erase(r, "d", 0);
	erase(r, "e", 0);
	own(r, "d", "", 0);
	own(r, "e", "", 0);
	assert_empties(r);
}

/* --- replay --- */

struct collected {
	struct buf text; /* payloads, each behind a blank */
	size_t count, stop_after;
	uint32_t generation;
};

static bool collect(void *arg, struct msg *msg, _Atomic uint32_t *writer_generation)
{
	struct collected *all = arg;

	buf_put_u8(&all->text, ' ');
	buf_put_slice(&all->text, msg_payload(msg));
	all->generation = *writer_generation;
	*writer_generation = 7;
	return ++all->count != all->stop_after;
}

static size_t replay_all(struct retain *r, struct slice filter, size_t budget,
                         struct collected *all)
{
	struct retain_cursor *c = retain_cursor_new(r, filter, *retain_clock(r));
	size_t slices = 1;

	while (retain_cursor_visit(c, 0, 0, budget, collect, all))
		slices++;
	assert_false(retain_cursor_visit(c, 0, 0, budget, collect, all));
	retain_cursor_free(&c);
	assert_null(c);
	return slices;
}

/* [MQTT3-3.3.1-6] [MQTT5-3.3.1-9] */
static void replay_of_each_filter_gives_its_values(void **state)
{
	static const char *const topics[] = {"a",
	                                     "a/b",
	                                     "a/b/c",
	                                     "a/x/c",
	                                     "a//c",
	                                     "b/c",
	                                     "/",
	                                     "$SYS/up",
	                                     "$SYS",
	                                     "a/$SYS",
	                                     "ab",
	                                     "+x",
	                                     "long/way/down/there"};
	static const struct {
		struct slice filter;
		size_t want; /* where topic_matches finds as many */
	} rows[] = {
	    {SLICE_INIT("#"), 11},      {SLICE_INIT("+"), 3},         {SLICE_INIT("+/+"), 4},
	    {SLICE_INIT("a/#"), 6},     {SLICE_INIT("a/+"), 2},       {SLICE_INIT("a/+/c"), 3},
	    {SLICE_INIT("a"), 1},       {SLICE_INIT("a/b"), 1},       {SLICE_INIT("a/b/c/#"), 1},
	    {SLICE_INIT("a/b/c/d"), 0}, {SLICE_INIT("a/b/c/d/#"), 0}, {SLICE_INIT("zz"), 0},
	    {SLICE_INIT("$SYS/#"), 2},  {SLICE_INIT("$SYS/+"), 1},    {SLICE_INIT("+/up"), 0},
	    {SLICE_INIT("+/#"), 11},    {SLICE_INIT("+/+/+/+"), 1},   {SLICE_INIT("+/way/+/#"), 1},
	    {SLICE_INIT("/+"), 1},      {SLICE_INIT("/#"), 1},
	};
	struct retain *r = retain_new(HOMES);

	(void)state;
	for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++)
		put(r, topics[i], topics[i]);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t budget = 1; budget < 20; budget += 6) {
			struct collected all = {0};

			replay_all(r, rows[i].filter, budget, &all);
			if (all.count != rows[i].want)
				fail_msg("%.*s, budget %zu: %zu values:%.*s",
				         (int)rows[i].filter.len, (const char *)rows[i].filter.data,
				         budget, all.count, (int)all.text.len,
				         (const char *)all.text.data);
			buf_fini(&all.text);
		}
	}
	retain_free(r);
}

static void replay_skips_newer_and_expired_values(void **state)
{
	struct retain *r = retain_new(HOMES);
	struct retain_cursor *c;
	struct collected all = {0};

	(void)state;
	put(r, "t/1", "one");
	put_until(r, "t/2", "two", 0, 500);
	put(r, "t/3", "three");
	c = retain_cursor_new(r, SLICE("t/+"), *retain_clock(r));
	put(r, "t/3", "THREE");
	put(r, "t/4", "four");
	assert_false(retain_cursor_visit(c, 0, 500, 100, collect, &all));
	assert_true(slice_equal(buf_slice(&all.text), SLICE(" one")));
	retain_cursor_free(&c);
	buf_fini(&all.text);
	retain_free(r);
}

static void replay_of_one_topic_needs_no_cursor(void **state)
{
	struct retain *r = retain_new(HOMES);

	(void)state;
	put(r, "t/1", "one");
	put(r, "t/2", "two");
	assert_true(retain_has(r, 0, SLICE("t/1"), 1));
	assert_false(retain_has(r, 0, SLICE("t/2"), 1)); /* it comes live */
	assert_true(retain_has(r, 0, SLICE("t/2"), 2));
	assert_false(retain_has(r, 0, SLICE("t"), 2));
	assert_false(retain_has(r, 0, SLICE("t/3"), 2));
	erase(r, "t/1", 0);
	assert_false(retain_has(r, 0, SLICE("t/1"), 3));
	retain_free(r);
}

static void replay_that_is_stopped_continues_in_its_generation(void **state)
{
	struct retain *r = retain_new(HOMES);
	struct collected all = {.stop_after = 2};
	struct retain_cursor *c;

	(void)state;
	for (char topic[] = "t/a"; topic[2] < 'f'; topic[2]++)
		put(r, topic, "x");
	c = retain_cursor_new(r, SLICE("t/#"), *retain_clock(r));
	assert_true(retain_cursor_visit(c, 0, 0, 100, collect, &all));
	assert_int_equal(all.count, 2);
	assert_false(retain_cursor_visit(c, 0, 0, 100, collect, &all));
	assert_int_equal(all.count, 5);
	assert_int_equal(all.generation, 0);
	retain_cursor_free(&c);
	replay_all(r, SLICE("t/a"), 10, &all);
	assert_int_equal(all.generation, 7);
	put(r, "t/a", "y"); /* another writer */
	replay_all(r, SLICE("t/a"), 10, &all);
	assert_int_equal(all.generation, 0);
	buf_fini(&all.text);
	retain_free(r);
}

/* Where nothing matches a slice is bounded all the same. */
static void replay_without_matches_ends_its_slice(void **state)
{
	struct retain *r = retain_new(HOMES);
	struct collected all = {0};
	char topic[32];

	(void)state;
	for (int i = 0; i < 5000; i++) {
		snprintf(topic, sizeof(topic), "t/%d", i);
		put(r, topic, "x");
	}
	assert_true(replay_all(r, SLICE("+/+/x"), 100, &all) > 5);
	assert_int_equal(all.count, 0);
	buf_fini(&all.text);
	retain_free(r);
}

/* A cursor rests on nodes that are deleted under it. */
static void cursor_stays_valid_when_all_values_are_deleted(void **state)
{
	struct retain *r = retain_new(HOMES);
	struct collected all = {0};
	struct retain_cursor *c[3];
	char topic[] = "t/a/b";

	(void)state;
	for (topic[2] = 'a'; topic[2] < 'k'; topic[2]++)
		put(r, topic, "x");
	for (size_t i = 0; i < 3; i++) {
		c[i] = retain_cursor_new(r, SLICE("t/+/#"), *retain_clock(r));
		assert_true(retain_cursor_visit(c[i], 0, 0, 2 + i, collect, &all));
	}
	assert_int_equal(all.count, 9);
	for (topic[2] = 'a'; topic[2] < 'k'; topic[2]++)
		erase(r, topic, 0);
	retain_expire(r, 8 * DAY, 1000);
	assert_true(r->tree.nodes.count > 0);
	put(r, "t/z/b", "new");
	assert_false(retain_cursor_visit(c[0], 0, 0, 100, collect, &all));
	assert_int_equal(all.count, 9);
	for (size_t i = 0; i < 3; i++)
		retain_cursor_free(&c[i]);
	retain_expire(r, 8 * DAY, 1000);
	assert_int_equal(r->tree.nodes.count, 3);
	erase(r, "t/z/b", 0);
	buf_fini(&all.text);
	assert_empties(r);
}

/* --- the random walk --- */

enum { TOPICS = 120, CURSORS = 6, STEPS = 15000 };

struct plain_topic {
	char text[32];
	uint64_t number; /* of the value, 0: none */
	uint64_t expires_ms;
};

struct plain_replay {
	struct retain_cursor *cursor;
	char filter[32];
	uint64_t until;
	uint64_t at_start[TOPICS]; /* numbers */
	unsigned seen[TOPICS];     /* values with the number of the start */
};

struct plain {
	struct retain *retain;
	struct dice dice;
	uint64_t now_ms;
	struct plain_topic topic[TOPICS];
	struct plain_replay replay[CURSORS];
	struct plain_replay *current;
};

static void random_path(struct dice *d, char *out, bool filter)
{
	static const char *const words[] = {"a", "b", "c", "dd", "", "$x", "+", "+", "#"};
	unsigned levels = 1 + dice_roll(d, 4);

	out[0] = '\0';
	for (unsigned i = 0; i < levels; i++) {
		const char *word = words[dice_roll(d, filter ? 9 : 6)];

		strcat(out, i == 0 ? "" : "/");
		strcat(out, word);
		if (word[0] == '#')
			return;
	}
	if (out[0] == '\0')
		strcpy(out, "a");
}

static void random_topics(struct plain *p)
{
	for (unsigned i = 0; i < TOPICS; i++) {
		bool again;

		do {
			random_path(&p->dice, p->topic[i].text, false);
			again = false;
			for (unsigned j = 0; j < i; j++)
				again |= strcmp(p->topic[i].text, p->topic[j].text) == 0;
		} while (again);
	}
}

static uint64_t plain_number(const struct plain *p, unsigned topic)
{
	const struct plain_topic *t = &p->topic[topic];

	return t->number != 0 && p->now_ms < t->expires_ms ? t->number : 0;
}

static void change(struct plain *p)
{
	unsigned at = dice_roll(&p->dice, TOPICS);
	struct plain_topic *t = &p->topic[at];

	if (dice_roll(&p->dice, 3) == 0) {
		erase(p->retain, t->text, p->now_ms);
		t->number = 0;
		return;
	}
	t->expires_ms =
	    dice_roll(&p->dice, 4) == 0 ? p->now_ms + 1 + dice_roll(&p->dice, 500) : MSG_NEVER;
	t->number = put_until(p->retain, t->text, t->text, p->now_ms, t->expires_ms);
}

static bool on_value(void *arg, struct msg *msg, _Atomic uint32_t *writer_generation)
{
	struct plain *p = arg;
	struct plain_replay *replay = p->current;

	(void)writer_generation;
	for (unsigned i = 0; i < TOPICS; i++) {
		if (!slice_equal(msg_topic(msg), slice_of_str(p->topic[i].text)))
			continue;
		assert_true(topic_matches(slice_of_str(replay->filter), msg_topic(msg)));
		assert_int_equal(msg->number, plain_number(p, i));
		assert_true(msg->number <= replay->until);
		assert_int_equal(msg->number, replay->at_start[i]);
		replay->seen[i]++;
		return dice_roll(&p->dice, 50) != 0;
	}
	fail_msg("a topic that nobody wrote");
	return false;
}

static void begin_replay(struct plain *p, struct plain_replay *replay)
{
	*replay = (struct plain_replay){.until = *retain_clock(p->retain)};
	random_path(&p->dice, replay->filter, true);
	replay->cursor = retain_cursor_new(p->retain, slice_of_str(replay->filter), replay->until);
	for (unsigned i = 0; i < TOPICS; i++)
		replay->at_start[i] = plain_number(p, i);
}

/* Unchanged all the time: exactly once. */
static void check_replay(const struct plain *p, const struct plain_replay *replay)
{
	for (unsigned i = 0; i < TOPICS; i++) {
		const struct plain_topic *t = &p->topic[i];

		assert_true(replay->seen[i] <= 1);
		if (topic_matches(slice_of_str(replay->filter), slice_of_str(t->text)) &&
		    replay->at_start[i] != 0 && plain_number(p, i) == replay->at_start[i] &&
		    replay->seen[i] != 1)
			fail_msg("%s does not show %s", replay->filter, t->text);
	}
}

static void go_on(struct plain *p)
{
	struct plain_replay *replay = &p->replay[dice_roll(&p->dice, CURSORS)];

	if (replay->cursor == NULL) {
		begin_replay(p, replay);
		return;
	}
	if (dice_roll(&p->dice, 100) == 0) { /* its session went away */
		retain_cursor_free(&replay->cursor);
		return;
	}
	p->current = replay;
	if (retain_cursor_visit(replay->cursor, dice_roll(&p->dice, HOMES + 1), p->now_ms,
	                        1 + dice_roll(&p->dice, 5), on_value, p))
		return;
	check_replay(p, replay);
	retain_cursor_free(&replay->cursor);
}

static void walk(uint64_t seed)
{
	static struct plain p;

	p = (struct plain){.retain = retain_new(HOMES), .dice = {seed}};
	random_topics(&p);
	for (unsigned i = 0; i < STEPS; i++) {
		if (dice_roll(&p.dice, 3) == 0)
			change(&p);
		else
			go_on(&p);
		if (dice_roll(&p.dice, 20) == 0)
			retain_expire(p.retain, p.now_ms, 1 + dice_roll(&p.dice, 100));
		p.now_ms += dice_roll(&p.dice, 10);
	}
	for (unsigned i = 0; i < CURSORS; i++)
		retain_cursor_free(&p.replay[i].cursor);
	for (unsigned i = 0; i < TOPICS; i++) {
		assert_value(p.retain, p.topic[i].text, p.now_ms,
		             plain_number(&p, i) != 0 ? p.topic[i].text : NULL);
		erase(p.retain, p.topic[i].text, p.now_ms);
	}
	assert_empties(p.retain);
}

static void tree_after_random_changes_equals_a_list(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 3; seed++)
		walk(seed * 7919);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(retained_value_is_replaced_then_deleted),
	    cmocka_unit_test(deleting_an_absent_value_leaves_no_node),
	    cmocka_unit_test(change_begun_shows_the_current_value_and_owner),
	    cmocka_unit_test(value_with_an_expiry_is_gone_after_it),
	    cmocka_unit_test(owner_of_a_deleted_value_is_kept_seven_days),
	    cmocka_unit_test(owner_of_an_expired_value_is_kept_seven_days),
	    cmocka_unit_test(ownership_ends_or_passes_to_the_next_writer),
	    cmocka_unit_test(removed_user_owns_nothing),
	    cmocka_unit_test(topics_of_an_owner_who_is_set_aside_are_free),
	    cmocka_unit_test(what_a_merged_owner_has_is_the_others),
	    cmocka_unit_test(replay_of_each_filter_gives_its_values),
	    cmocka_unit_test(replay_skips_newer_and_expired_values),
	    cmocka_unit_test(replay_of_one_topic_needs_no_cursor),
	    cmocka_unit_test(replay_that_is_stopped_continues_in_its_generation),
	    cmocka_unit_test(replay_without_matches_ends_its_slice),
	    cmocka_unit_test(cursor_stays_valid_when_all_values_are_deleted),
	    cmocka_unit_test(tree_after_random_changes_equals_a_list),
	};

	hash_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
