/* The route tree: named vectors, $share groups, and a random walk against a plain list that is
 * matched by the definition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/topic.h"
#include "support/dice.h"
#include "tree/route.h"
#include "tree/route_match.h"
#include "tree/route_share.h"
#include "tree/route_tree.h"

#define HOMES 5

static _Atomic uint64_t clock_now = 17;

static struct route_target target_of(uint64_t session_id, uint16_t executor)
{
	return (struct route_target){
	    .session_id = session_id, .executor = executor, .durable = true};
}

static void match(struct route *r, struct slice topic, struct route_match *m)
{
	route_read_begin(r, 0);
	route_match(r, topic, m);
	route_read_end(r, 0);
}

static void assert_empty(struct route *r)
{
	struct route_counts counts;

	route_count(r, HOMES, &counts);
	assert_int_equal(counts.filters, 0);
	assert_int_equal(counts.executors_joined, 0);
	assert_int_equal(counts.targets, 0);
	assert_int_equal(counts.share_members, 0);
	assert_int_equal(r->tree.nodes.count + r->exact.nodes.count, 0);
	assert_null(r->groups);
}

static void match_of_each_topic_gives_its_filters(void **state)
{
	static const struct {
		struct slice filter, topic;
		bool want;
	} rows[] = {
	    {SLICE_INIT("a"), SLICE_INIT("a"), true},
	    {SLICE_INIT("a"), SLICE_INIT("A"), false},
	    {SLICE_INIT("a"), SLICE_INIT("a/"), false},
	    {SLICE_INIT("a/"), SLICE_INIT("a/"), true},
	    {SLICE_INIT("/"), SLICE_INIT("/"), true},
	    {SLICE_INIT("/a"), SLICE_INIT("a"), false},
	    {SLICE_INIT("a//b"), SLICE_INIT("a//b"), true},
	    {SLICE_INIT("a//b"), SLICE_INIT("a/b"), false},
	    {SLICE_INIT("a/b"), SLICE_INIT("ab"), false},
	    {SLICE_INIT("#"), SLICE_INIT("a"), true},
	    {SLICE_INIT("#"), SLICE_INIT("/"), true},
	    {SLICE_INIT("#"), SLICE_INIT("a/b/c"), true},
	    {SLICE_INIT("a/#"), SLICE_INIT("a"), true},
	    {SLICE_INIT("a/#"), SLICE_INIT("a/"), true},
	    {SLICE_INIT("a/#"), SLICE_INIT("a/b/c"), true},
	    {SLICE_INIT("a/#"), SLICE_INIT("ab"), false},
	    {SLICE_INIT("a/b/#"), SLICE_INIT("a"), false},
	    {SLICE_INIT("+"), SLICE_INIT("a"), true},
	    {SLICE_INIT("+"), SLICE_INIT("/a"), false},
	    {SLICE_INIT("+"), SLICE_INIT("a/b"), false},
	    {SLICE_INIT("+/+"), SLICE_INIT("/a"), true},
	    {SLICE_INIT("/+"), SLICE_INIT("/a"), true},
	    {SLICE_INIT("+/#"), SLICE_INIT("a"), true},
	    {SLICE_INIT("a/+/c"), SLICE_INIT("a/b/c"), true},
	    {SLICE_INIT("a/+/c"), SLICE_INIT("a//c"), true},
	    {SLICE_INIT("a/+/c"), SLICE_INIT("a/c"), false},
	    {SLICE_INIT("a/+/#"), SLICE_INIT("a"), false},
	    {SLICE_INIT("a/+/#"), SLICE_INIT("a/b"), true},
	    /* [MQTT-4.7.2-1] */
	    {SLICE_INIT("#"), SLICE_INIT("$SYS"), false},
	    {SLICE_INIT("#"), SLICE_INIT("$SYS/x"), false},
	    {SLICE_INIT("+"), SLICE_INIT("$SYS"), false},
	    {SLICE_INIT("+/x"), SLICE_INIT("$SYS/x"), false},
	    {SLICE_INIT("$SYS/#"), SLICE_INIT("$SYS/x"), true},
	    {SLICE_INIT("$SYS/#"), SLICE_INIT("$SYS"), true},
	    {SLICE_INIT("$SYS/+"), SLICE_INIT("$SYS/x"), true},
	    {SLICE_INIT("a/+"), SLICE_INIT("a/$x"), true},
	    {SLICE_INIT("a/#"), SLICE_INIT("a/$x"), true},
	};
	struct route_match m = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct route *r = route_new(HOMES);

		route_join(r, 1, rows[i].filter);
		match(r, rows[i].topic, &m);
		if ((m.filter_count == 1) != rows[i].want || (m.executors == 2) != rows[i].want)
			fail_msg("row %zu: %.*s", i, (int)rows[i].filter.len,
			         (const char *)rows[i].filter.data);
		route_leave(r, 1, rows[i].filter);
		assert_empty(r);
		route_free(r);
	}
	route_match_fini(&m);
}

static void filter_lists_the_executors_that_have_targets(void **state)
{
	struct route *r = route_new(HOMES);
	struct route_match m = {0};
	uint64_t id = route_join(r, 0, SLICE("a/+"));

	(void)state;
	assert_int_equal(route_join(r, 3, SLICE("a/+")), id);
	assert_int_equal(route_join(r, 3, SLICE("a/+")), id);
	match(r, SLICE("a/b"), &m);
	assert_int_equal(m.filter_count, 1);
	assert_int_equal(m.filters[0].filter_id, id);
	assert_int_equal(m.filters[0].executors, 9);
	route_leave(r, 0, SLICE("a/+"));
	match(r, SLICE("a/b"), &m);
	assert_int_equal(m.executors, 8);
	route_leave(r, 3, SLICE("a/+"));
	match(r, SLICE("a/b"), &m);
	assert_int_equal(m.filter_count, 0);
	assert_int_not_equal(route_join(r, 0, SLICE("a/+")), id);
	route_leave(r, 0, SLICE("a/+"));
	assert_empty(r);
	route_match_fini(&m);
	route_free(r);
}

static void target_added_twice_is_replaced(void **state)
{
	struct route *r = route_new(HOMES);
	struct route_target t = target_of(42, 1);
	struct route_match m = {0};

	(void)state;
	assert_true(route_target_put(r, SLICE("a/#"), &t, &clock_now));
	assert_int_equal(t.since, 17);
	t.subscription_id = 5;
	t.options.qos = 2;
	assert_false(route_target_put(r, SLICE("a/#"), &t, &clock_now));
	match(r, SLICE("a"), &m);
	assert_int_equal(m.target_count, 1);
	assert_int_equal(m.filter_count, 0);
	assert_int_equal(m.targets[0].target.subscription_id, 5);
	assert_int_equal(m.targets[0].target.options.qos, 2);
	assert_false(route_target_remove(r, SLICE("a/#"), 43));
	assert_false(route_target_remove(r, SLICE("a"), 42));
	assert_true(route_target_remove(r, SLICE("a/#"), 42));
	assert_false(route_target_remove(r, SLICE("a/#"), 42));
	assert_empty(r);
	route_match_fini(&m);
	route_free(r);
}

/* Grows over the border where the index begins, and shrinks below it, in a random order. */
static void filter_with_thousands_of_targets_finds_each(void **state)
{
	enum { SESSIONS = 5000 };
	static uint64_t order[SESSIONS];
	struct dice d = {4711};
	struct route *r = route_new(HOMES);
	struct route_match m = {0};

	(void)state;
	for (uint64_t i = 0; i < SESSIONS; i++) {
		struct route_target t = target_of(i + 1, 2);

		assert_true(route_target_put(r, SLICE("x"), &t, &clock_now));
		order[i] = i + 1;
	}
	for (unsigned i = SESSIONS - 1; i > 0; i--) {
		unsigned other = dice_roll(&d, i + 1);
		uint64_t was = order[i];

		order[i] = order[other];
		order[other] = was;
	}
	for (unsigned i = 0; i < SESSIONS; i++) {
		if (i % 500 == 0 || i > SESSIONS - 40) {
			match(r, SLICE("x"), &m);
			assert_int_equal(m.target_count, SESSIONS - i);
		}
		assert_true(route_target_remove(r, SLICE("x"), order[i]));
		assert_false(route_target_remove(r, SLICE("x"), order[i]));
	}
	assert_empty(r);
	route_match_fini(&m);
	route_free(r);
}

/* --- $share --- */

static void share_put(struct route *r, uint64_t session_id, bool durable, bool online)
{
	struct route_target t = target_of(session_id, 1);

	t.durable = durable;
	route_share_put(r, SLICE("g"), SLICE("s/#"), &t, online);
}

static uint64_t share_match(struct route *r, struct route_match *m)
{
	match(r, SLICE("s/1"), m);
	return m->share_count == 0 ? 0 : m->shares[0].member.session_id;
}

static void group_with_online_members_takes_turns(void **state)
{
	struct route *r = route_new(HOMES);
	struct route_match m = {0};
	unsigned picked[9] = {0};

	(void)state;
	for (uint64_t id = 1; id <= 3; id++)
		share_put(r, id, false, true);
	for (uint64_t id = 4; id <= 8; id++)
		share_put(r, id, true, false);
	for (unsigned i = 0; i < 300; i++)
		picked[share_match(r, &m)]++;
	for (unsigned id = 1; id <= 8; id++)
		assert_int_equal(picked[id], id <= 3 ? 100 : 0);
	assert_int_equal(m.filter_count, 0);
	assert_int_equal(m.executors, 0);
	route_match_fini(&m);
	route_free(r);
}

static void group_with_offline_members_prefers_online_ones(void **state)
{
	struct route *r = route_new(HOMES);
	struct route_match m = {0};
	unsigned picked[4] = {0};

	(void)state;
	share_put(r, 1, true, true);
	share_put(r, 2, true, true);
	share_put(r, 3, true, true);
	route_share_online(r, SLICE("g"), SLICE("s/#"), 1, false);
	route_share_online(r, SLICE("g"), SLICE("s/#"), 3, false);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(share_match(r, &m), 2);
	route_share_online(r, SLICE("g"), SLICE("s/#"), 3, true);
	assert_true(route_share_remove(r, SLICE("g"), SLICE("s/#"), 2));
	assert_int_equal(share_match(r, &m), 3);
	route_share_online(r, SLICE("g"), SLICE("s/#"), 3, false);
	for (unsigned i = 0; i < 20; i++) /* nobody is there: the queues in turn */
		picked[share_match(r, &m)]++;
	assert_int_equal(picked[1], 10);
	assert_int_equal(picked[3], 10);
	route_share_online(r, SLICE("g"), SLICE("s/#"), 99, true); /* unknown: nothing */
	assert_false(route_share_remove(r, SLICE("h"), SLICE("s/#"), 1));
	assert_true(route_share_remove(r, SLICE("g"), SLICE("s/#"), 1));
	assert_true(route_share_remove(r, SLICE("g"), SLICE("s/#"), 3));
	assert_int_equal(share_match(r, &m), 0);
	assert_empty(r);
	route_match_fini(&m);
	route_free(r);
}

static void group_with_refusing_members_tries_each_once(void **state)
{
	struct route *r = route_new(HOMES);
	struct route_match m = {0};
	struct route_target t;
	uint64_t tried[4];
	size_t count = 0;

	(void)state;
	share_put(r, 1, true, false);
	share_put(r, 2, false, true);
	share_put(r, 3, false, true);
	share_put(r, 4, true, false);
	tried[count++] = share_match(r, &m);
	while (count < 4) {
		assert_true(route_share_pick(r, 1, m.shares[0].group_id, tried, count, &t));
		assert_int_equal(t.session_id == 2 || t.session_id == 3, count < 2);
		for (size_t i = 0; i < count; i++)
			assert_int_not_equal(t.session_id, tried[i]);
		tried[count++] = t.session_id;
	}
	assert_false(route_share_pick(r, 1, m.shares[0].group_id, tried, count, &t));
	for (uint64_t id = 1; id <= 4; id++)
		route_share_remove(r, SLICE("g"), SLICE("s/#"), id);
	share_put(r, 5, false, true); /* the same name is another group */
	assert_false(route_share_pick(r, 1, m.shares[0].group_id, NULL, 0, &t));
	assert_int_equal(share_match(r, &m), 5);
	assert_int_equal(m.share_count, 1);
	route_match_fini(&m);
	route_free(r);
}

static void groups_of_one_filter_are_independent(void **state)
{
	enum { GROUPS = 300 };
	struct route *r = route_new(HOMES);
	struct route_match m = {0};
	char name[8];

	(void)state;
	for (int i = 0; i < GROUPS; i++) {
		struct route_target t = target_of((uint64_t)(i * 7 % GROUPS) + 1, 0);

		snprintf(name, sizeof(name), "g%d", i * 7 % GROUPS);
		assert_true(route_share_put(r, slice_of_str(name), SLICE("a"), &t, true));
		assert_false(route_share_put(r, slice_of_str(name), SLICE("a"), &t, false));
	}
	match(r, SLICE("a"), &m);
	assert_int_equal(m.share_count, GROUPS);
	for (size_t i = 1; i < m.share_count; i++)
		assert_int_not_equal(m.shares[i].group_id, m.shares[i - 1].group_id);
	for (int i = 0; i < GROUPS; i++) {
		snprintf(name, sizeof(name), "g%d", i);
		assert_true(route_share_remove(r, slice_of_str(name), SLICE("a"), (uint64_t)i + 1));
	}
	assert_empty(r);
	route_match_fini(&m);
	route_free(r);
}

/* Every combination of exact and wildcard levels: 2^12 filters that all match. */
static void match_over_several_paths_finds_a_filter_once(void **state)
{
	enum { LEVELS = 12 };
	struct route *r = route_new(HOMES);
	struct route_match m = {0};
	char filter[2 * LEVELS], topic[2 * LEVELS];

	(void)state;
	for (unsigned bits = 0; bits < 1u << LEVELS; bits++) {
		for (unsigned i = 0; i < LEVELS; i++) {
			filter[2 * i] = (bits >> i & 1) != 0 ? '+' : 'a';
			filter[2 * i + 1] = '/';
			topic[2 * i] = 'a';
			topic[2 * i + 1] = '/';
		}
		route_join(r, 0, slice_of(filter, sizeof(filter) - 1));
	}
	match(r, slice_of(topic, sizeof(topic) - 1), &m);
	assert_int_equal(m.filter_count, 1 << LEVELS);
	match(r, slice_of(topic, sizeof(topic) - 3), &m);
	assert_int_equal(m.filter_count, 0);
	route_match_fini(&m);
	route_free(r);
}

static void match_of_a_deep_topic_does_not_recurse(void **state)
{
	enum { LEN = 60001 };
	static char filter[LEN], topic[LEN];
	struct route *r = route_new(HOMES);
	struct route_match m = {0};

	(void)state;
	for (size_t i = 0; i < LEN; i++) {
		filter[i] = i % 2 == 0 ? '+' : '/';
		topic[i] = i % 2 == 0 ? 'a' : '/';
	}
	route_join(r, 0, slice_of(filter, LEN));
	match(r, slice_of(topic, LEN), &m);
	assert_int_equal(m.filter_count, 1);
	match(r, slice_of(topic, LEN - 2), &m);
	assert_int_equal(m.filter_count, 0);
	route_leave(r, 0, slice_of(filter, LEN));
	assert_empty(r);
	route_match_fini(&m);
	route_free(r);
}

/* --- the random walk --- */

enum { FILTERS = 80, SESSIONS = 40, GROUPS = 3, STEPS = 12000 };

struct plain_filter {
	char text[32];
	uint64_t id;      /* 0: not known */
	uint64_t last_id; /* of an earlier life */
	uint64_t executors;
	bool session[SESSIONS];
	uint8_t member[GROUPS][SESSIONS]; /* 1 offline, 2 online */
};

struct plain {
	struct plain_filter filter[FILTERS];
};

static const char *const group_names[GROUPS] = {"g", "gg", "h"};

static void random_path(struct dice *d, char *out, const char *const *words, unsigned count)
{
	unsigned levels = 1 + dice_roll(d, 5);

	out[0] = '\0';
	for (unsigned i = 0; i < levels; i++) {
		const char *word = words[dice_roll(d, count)];

		strcat(out, i == 0 ? "" : "/");
		strcat(out, word);
		if (word[0] == '#')
			return;
	}
	if (out[0] == '\0')
		strcpy(out, "/");
}

static void random_filters(struct dice *d, struct plain *p)
{
	static const char *const words[] = {"a", "b", "cc", "", "$x", "+", "+", "#"};

	for (unsigned i = 0; i < FILTERS; i++) {
		bool again;

		do {
			random_path(d, p->filter[i].text, words, 8);
			again = false;
			for (unsigned j = 0; j < i; j++)
				again |= strcmp(p->filter[i].text, p->filter[j].text) == 0;
		} while (again);
	}
}

static bool plain_is_used(const struct plain_filter *f)
{
	static const struct plain_filter nobody;

	return f->executors != 0 || memcmp(f->session, nobody.session, sizeof(f->session)) != 0 ||
	       memcmp(f->member, nobody.member, sizeof(f->member)) != 0;
}

/* An id is learned when it is first seen, is new then, and stays while anybody is there. */
static void learn_id(struct plain *p, struct plain_filter *f, uint64_t id)
{
	assert_true(id > f->last_id);
	if (f->id == 0) {
		for (unsigned i = 0; i < FILTERS; i++)
			assert_int_not_equal(p->filter[i].id, id);
		f->id = id;
	}
	assert_int_equal(f->id, id);
}

static void toggle_executor(struct route *r, struct plain *p, struct plain_filter *f,
                            unsigned executor)
{
	if ((f->executors >> executor & 1) != 0)
		route_leave(r, executor, slice_of_str(f->text));
	else
		learn_id(p, f, route_join(r, executor, slice_of_str(f->text)));
	f->executors ^= (uint64_t)1 << executor;
}

static void toggle_session(struct route *r, struct plain_filter *f, unsigned session)
{
	struct route_target t = target_of(session + 1, (uint16_t)(session % HOMES));

	if (f->session[session])
		assert_true(route_target_remove(r, slice_of_str(f->text), t.session_id));
	else
		assert_true(route_target_put(r, slice_of_str(f->text), &t, &clock_now));
	f->session[session] = !f->session[session];
}

/* Members of a group have ids that tell the group. */
static uint64_t member_id(unsigned filter, unsigned group, unsigned session)
{
	return ((uint64_t)filter * GROUPS + group) * SESSIONS + session + 1;
}

static void toggle_member(struct route *r, struct plain *p, struct dice *d, unsigned filter)
{
	struct plain_filter *f = &p->filter[filter];
	unsigned group = dice_roll(d, GROUPS), session = dice_roll(d, SESSIONS);
	uint8_t *is = &f->member[group][session], to = (uint8_t)dice_roll(d, 3);
	struct route_target t = target_of(member_id(filter, group, session), 0);
	struct slice name = slice_of_str(group_names[group]), text = slice_of_str(f->text);

	if (to == 0)
		assert_int_equal(route_share_remove(r, name, text, t.session_id), *is != 0);
	else if (*is != 0 && dice_roll(d, 2) == 0)
		route_share_online(r, name, text, t.session_id, to == 2);
	else
		assert_int_equal(route_share_put(r, name, text, &t, to == 2), *is == 0);
	*is = to;
}

static void change(struct route *r, struct plain *p, struct dice *d)
{
	unsigned filter = dice_roll(d, FILTERS);
	struct plain_filter *f = &p->filter[filter];

	switch (dice_roll(d, 3)) {
	case 0:
		toggle_executor(r, p, f, dice_roll(d, HOMES));
		break;
	case 1:
		toggle_session(r, f, dice_roll(d, SESSIONS));
		break;
	default:
		toggle_member(r, p, d, filter);
		break;
	}
	if (!plain_is_used(f) && f->id != 0) {
		f->last_id = f->id;
		f->id = 0;
	}
}

static bool has_online(const uint8_t *member)
{
	return memchr(member, 2, SESSIONS) != NULL;
}

/* The pick is a member, online if anybody is. */
static void check_share(const struct plain *p, struct slice topic, uint64_t session_id)
{
	uint64_t at = session_id - 1;
	const struct plain_filter *f = &p->filter[at / SESSIONS / GROUPS];
	const uint8_t *member = f->member[at / SESSIONS % GROUPS];

	assert_true(topic_matches(slice_of_str(f->text), topic));
	assert_int_equal(member[at % SESSIONS], has_online(member) ? 2 : 1);
}

static const struct plain_filter *by_id(const struct plain *p, uint64_t id)
{
	for (unsigned i = 0; i < FILTERS; i++) {
		if (p->filter[i].id == id)
			return &p->filter[i];
	}
	return NULL;
}

struct stats {
	size_t filters, targets, shares;
	uint64_t executors;
};

static void count_filter(struct stats *want, const struct plain_filter *f)
{
	want->executors |= f->executors;
	want->filters += f->executors != 0;
	for (unsigned s = 0; s < SESSIONS; s++)
		want->targets += f->session[s];
	for (unsigned g = 0; g < GROUPS; g++)
		want->shares += memchr(f->member[g], 2, SESSIONS) != NULL ||
		                memchr(f->member[g], 1, SESSIONS) != NULL;
}

static void check_filter(const struct plain_filter *f, struct slice topic, uint64_t executors)
{
	assert_true(topic_matches(slice_of_str(f->text), topic));
	assert_int_equal(executors, f->executors);
}

/* What is found has the right numbers and each entry is one of the wanted, and none comes twice. */
static void check(struct route *r, struct plain *p, struct slice topic, struct route_match *m)
{
	struct stats want = {0};

	match(r, topic, m);
	for (unsigned i = 0; i < FILTERS; i++) {
		if (topic_matches(slice_of_str(p->filter[i].text), topic))
			count_filter(&want, &p->filter[i]);
	}
	assert_int_equal(m->filter_count, want.filters);
	assert_int_equal(m->target_count, want.targets);
	assert_int_equal(m->share_count, want.shares);
	assert_int_equal(m->executors, want.executors);
	for (size_t i = 0; i < m->filter_count; i++) {
		const struct plain_filter *f = by_id(p, m->filters[i].filter_id);

		if (f == NULL)
			fail_msg("an unknown filter id");
		else
			check_filter(f, topic, m->filters[i].executors);
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(m->filters[i].filter_id, m->filters[j].filter_id);
	}
	for (size_t i = 0; i < m->share_count; i++) {
		check_share(p, topic, m->shares[i].member.session_id);
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(m->shares[i].group_id, m->shares[j].group_id);
	}
}

/* Durable targets, by filters whose id is known. */
static void check_targets(const struct plain *p, const struct route_match *m)
{
	for (size_t i = 0; i < m->target_count; i++) {
		const struct plain_filter *f = by_id(p, m->targets[i].filter_id);
		const struct route_target *t = &m->targets[i].target;

		if (f != NULL)
			assert_true(f->session[t->session_id - 1]);
		else
			assert_true(m->targets[i].filter_id > 0);
		assert_int_equal(t->executor, (t->session_id - 1) % HOMES);
		for (size_t j = 0; j < i; j++)
			assert_false(m->targets[j].filter_id == m->targets[i].filter_id &&
			             m->targets[j].target.session_id == t->session_id);
	}
}

static void check_counts(struct route *r, const struct plain *p)
{
	struct route_counts counts, want = {0};

	for (unsigned i = 0; i < FILTERS; i++) {
		const struct plain_filter *f = &p->filter[i];

		want.filters += plain_is_used(f);
		want.executors_joined += (unsigned)__builtin_popcountll(f->executors);
		for (unsigned s = 0; s < SESSIONS; s++)
			want.targets += f->session[s];
		for (unsigned s = 0; s < GROUPS * SESSIONS; s++)
			want.share_members += f->member[s / SESSIONS][s % SESSIONS] != 0;
	}
	route_count(r, HOMES, &counts);
	assert_memory_equal(&counts, &want, sizeof(want));
}

static void clear(struct route *r, struct plain *p, unsigned filter)
{
	struct plain_filter *f = &p->filter[filter];

	for (unsigned h = 0; h < HOMES; h++) {
		if ((f->executors >> h & 1) != 0)
			toggle_executor(r, p, f, h);
	}
	for (unsigned s = 0; s < SESSIONS; s++) {
		if (f->session[s])
			toggle_session(r, f, s);
		for (unsigned g = 0; g < GROUPS; g++)
			route_share_remove(r, slice_of_str(group_names[g]), slice_of_str(f->text),
			                   member_id(filter, g, s));
	}
}

static void walk(uint64_t seed)
{
	static const char *const words[] = {"a", "b", "cc", "", "$x", "d"};
	static struct plain p;
	struct route *r = route_new(HOMES);
	struct route_match m = {0};
	struct dice d = {seed};
	char topic[32];

	p = (struct plain){0};
	random_filters(&d, &p);
	for (unsigned i = 0; i < STEPS; i++) {
		change(r, &p, &d);
		if (i % 4 != 0)
			continue;
		random_path(&d, topic, words, 6);
		check(r, &p, slice_of_str(topic), &m);
		check_targets(&p, &m);
		if (i % 64 == 0)
			check_counts(r, &p);
	}
	for (unsigned i = 0; i < FILTERS; i++)
		clear(r, &p, i);
	assert_empty(r);
	route_match_fini(&m);
	route_free(r);
}

static void matches_after_random_changes_equal_the_definition(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 3; seed++)
		walk(seed * 1000003);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(match_of_each_topic_gives_its_filters),
	    cmocka_unit_test(filter_lists_the_executors_that_have_targets),
	    cmocka_unit_test(target_added_twice_is_replaced),
	    cmocka_unit_test(filter_with_thousands_of_targets_finds_each),
	    cmocka_unit_test(group_with_online_members_takes_turns),
	    cmocka_unit_test(group_with_offline_members_prefers_online_ones),
	    cmocka_unit_test(group_with_refusing_members_tries_each_once),
	    cmocka_unit_test(groups_of_one_filter_are_independent),
	    cmocka_unit_test(match_over_several_paths_finds_a_filter_once),
	    cmocka_unit_test(match_of_a_deep_topic_does_not_recurse),
	    cmocka_unit_test(matches_after_random_changes_equal_the_definition),
	};

	hash_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
