/* The parts that both trees are made of: levels, sets of targets, identifiers of subscriptions,
 * owners of topics; and the order in which one topic's changes get their numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/topic.h"
#include "tree/level_tree.h"
#include "tree/retain.h"
#include "tree/retain_tree.h"
#include "tree/subscription_ids.h"
#include "tree/target_set.h"
#include "tree/topic_owners.h"

/* --- levels --- */

static struct level_node *make_path(struct level_tree *t, const char *path)
{
	struct topic_walk walk = topic_walk_of(slice_of_str(path));
	struct level_node *at = t->root;
	struct slice level;

	while (topic_walk_next(&walk, &level)) {
		uint64_t hash = level_tree_hash(level);
		struct level_node *child = level_tree_child(t, at, level, hash);

		at = child != NULL ? child : level_tree_make(t, at, level, hash);
	}
	return at;
}

static void remove_path(struct level_tree *t, struct level_node *n)
{
	while (n != t->root && n->children == 0)
		n = level_tree_remove(t, n);
}

static void levels_are_found_by_parent_and_by_path(void **state)
{
	static const char *const paths[] = {"a", "a/b", "a/b/c", "b/a", "a//b", "/", "a/", "/a"};
	struct level_node *nodes[sizeof(paths) / sizeof(paths[0])];
	struct level_tree t;

	(void)state;
	level_tree_init(&t, sizeof(struct level_node));
	assert_null(level_tree_find(&t, SLICE("a")));
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		nodes[i] = make_path(&t, paths[i]);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		assert_ptr_equal(level_tree_find(&t, slice_of_str(paths[i])), nodes[i]);
	/* no prefix, suffix or joined level passes for a path */
	assert_null(level_tree_find(&t, SLICE("c")));
	assert_null(level_tree_find(&t, SLICE("b/c")));
	assert_null(level_tree_find(&t, SLICE("ab")));
	assert_null(level_tree_find(&t, SLICE("a/b/")));
	level_tree_fini(&t);
}

static void wild_children_are_known_to_their_parent(void **state)
{
	struct level_tree t;
	struct level_node *plus, *multi, *exact;

	(void)state;
	level_tree_init(&t, sizeof(struct level_node));
	assert_null(level_tree_plus(&t, t.root));
	plus = make_path(&t, "+");
	assert_false(level_tree_has_exact(t.root));
	multi = make_path(&t, "#");
	assert_false(level_tree_has_exact(t.root));
	exact = make_path(&t, "x");
	assert_true(level_tree_has_exact(t.root));
	assert_ptr_equal(level_tree_plus(&t, t.root), plus);
	assert_ptr_equal(level_tree_multi(&t, t.root), multi);
	remove_path(&t, plus);
	assert_null(level_tree_plus(&t, t.root));
	assert_ptr_equal(level_tree_multi(&t, t.root), multi);
	remove_path(&t, multi);
	assert_null(level_tree_multi(&t, t.root));
	assert_true(level_tree_has_exact(t.root));
	remove_path(&t, exact);
	assert_int_equal(t.root->children, 0);
	level_tree_fini(&t);
}

/* Also: the table gives back memory. */
static void thousands_of_levels_come_and_go(void **state)
{
	enum { COUNT = 5000 };
	static struct level_node *nodes[COUNT];
	struct level_tree t;
	char path[32];
	size_t most;

	(void)state;
	level_tree_init(&t, sizeof(struct level_node));
	for (unsigned i = 0; i < COUNT; i++) {
		snprintf(path, sizeof(path), "n%u/x", i);
		nodes[i] = make_path(&t, path);
		/* a match looks up what is not there: never nearly full */
		assert_true(t.nodes.count <= t.nodes.slot_count / 4 * 3);
	}
	assert_int_equal(t.nodes.count, 2 * COUNT);
	most = level_tree_slots(&t);
	for (unsigned i = 0; i < COUNT; i++) {
		if (i % 100 != 0)
			remove_path(&t, nodes[i]);
	}
	for (unsigned i = 0; i < COUNT; i++) {
		snprintf(path, sizeof(path), "n%u/x", i);
		assert_ptr_equal(level_tree_find(&t, slice_of_str(path)),
		                 i % 100 == 0 ? nodes[i] : NULL);
	}
	for (unsigned i = 0; i < 10; i++) {
		snprintf(path, sizeof(path), "later%u", i);
		(void)make_path(&t, path);
	}
	assert_true(level_tree_slots(&t) < most / 4);
	for (unsigned i = 0; i < COUNT; i += 100) {
		snprintf(path, sizeof(path), "n%u/x", i);
		assert_ptr_equal(level_tree_find(&t, slice_of_str(path)), nodes[i]);
	}
	level_tree_fini(&t);
}

/* --- targets --- */

static struct route_target target(uint64_t id)
{
	return (struct route_target){.session_id = id, .subscription_id = (uint32_t)id};
}

/* With an index and without, and over its thresholds in both directions. */
static void targets_are_found_after_any_removal(void **state)
{
	enum { COUNT = 500 };
	struct targets set = {0};
	struct route_target one;

	(void)state;
	assert_int_equal(target_set_find(&set, 1), TARGET_NONE);
	for (uint64_t id = 1; id <= COUNT; id++) {
		one = target(id);
		target_set_append(&set, &one);
		assert_int_equal(target_set_find(&set, id), id - 1);
		assert_int_equal(target_set_find(&set, id + 1), TARGET_NONE);
	}
	target_set_swap(&set, 3, 400);
	assert_int_equal(target_set_find(&set, 4), 400);
	assert_int_equal(target_set_find(&set, 401), 3);
	for (uint64_t removed = 1; removed <= COUNT; removed++) {
		uint64_t id = removed * 7 % 503 % COUNT + 1;
		uint32_t at = target_set_find(&set, id);

		if (at != TARGET_NONE)
			target_set_remove(&set, at);
		assert_int_equal(target_set_find(&set, id), TARGET_NONE);
		for (uint32_t i = 0; i < set.count; i++) {
			assert_int_equal(target_set_find(&set, set.at[i].session_id), i);
			assert_int_equal(set.at[i].subscription_id, set.at[i].session_id);
		}
	}
	while (set.count > 0)
		target_set_remove(&set, 0);
	assert_null(set.at);
	assert_null(set.index);
}

/* --- identifiers of subscriptions --- */

/* [MQTT5-3.3.4-4] */
static void subscription_identifiers_are_shared_not_copied(void **state)
{
	struct subscription_ids ids = {0}, same;

	(void)state;
	subscription_ids_add(&ids, 0); /* a subscription without one */
	assert_int_equal(ids.one, 0);
	subscription_ids_add(&ids, 7);
	same = subscription_ids_ref(&ids);
	assert_int_equal(same.one, 7);
	for (uint32_t id = 8; id < 30; id++)
		subscription_ids_add(&ids, id);
	assert_null(same.list); /* the copy from before stays what it was */
	same = subscription_ids_ref(&ids);
	assert_ptr_equal(same.list, ids.list);
	subscription_ids_fini(&ids);
	assert_int_equal(same.list->count, 23);
	for (uint32_t i = 0; i < 23; i++)
		assert_int_equal(same.list->ids[i], i + 7);
	subscription_ids_fini(&same);
	assert_null(same.list);
}

/* --- owners --- */

static void an_owner_is_one_record_for_all_topics(void **state)
{
	struct owner *first, *second, *anew;
	struct owners owners;

	(void)state;
	topic_owners_init(&owners);
	first = topic_owners_ref(&owners, SLICE("anna"));
	second = topic_owners_ref(&owners, SLICE("anna"));
	assert_ptr_equal(first, second);
	assert_true(slice_equal(topic_owners_key(first), SLICE("anna")));
	first->values = 2;
	assert_int_equal(topic_owners_values(&owners, SLICE("anna")), 2);
	assert_int_equal(topic_owners_values(&owners, SLICE("bert")), 0);
	topic_owners_release(&owners, SLICE("anna"));
	assert_true(first->gone);
	/* the same key begins anew, and the old record lives as long as it is referred to */
	anew = topic_owners_ref(&owners, SLICE("anna"));
	assert_ptr_not_equal(anew, first);
	assert_false(anew->gone);
	assert_int_equal(topic_owners_values(&owners, SLICE("anna")), 0);
	topic_owners_unref(&owners, &first);
	topic_owners_unref(&owners, &second);
	topic_owners_unref(&owners, &anew);
	assert_null(anew);
	topic_owners_fini(&owners);
}

/* --- shards --- */

/* T3: the shard of a topic is held from a change to its end, and the number is taken meanwhile. */
static void numbers_rise_with_the_changes_of_a_topic(void **state)
{
	struct msg_parts parts = {.topic = SLICE("a/b"), .payload = SLICE("x"), .retain = true};
	struct retain *r = retain_new(2);
	uint64_t last = 0;

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		struct msg *m = msg_new(NULL, &parts);
		struct retain_change change;

		retain_begin(r, i % 2, parts.topic, 0, &change);
		retain_tree_require_shard(r, change.node);
		if (i % 3 == 2) {
			retain_delete(&change, 0);
			assert_null(change.current);
		} else {
			retain_put(&change, m);
			assert_ptr_equal(change.current, m);
			assert_int_equal(m->number, change.number);
		}
		assert_int_equal(change.number, last + 1);
		last = change.number;
		retain_end(&change);
		assert_int_equal(change.number, last); /* still there for who sends it */
		msg_unref(&m);
	}
	/* a restored value never sets the clock back */
	retain_advance(r, last - 5);
	assert_int_equal(*retain_clock(r), last);
	retain_advance(r, last + 5);
	assert_int_equal(*retain_clock(r), last + 5);
	retain_free(r);
}

static void topics_spread_over_the_shards(void **state)
{
	unsigned used[RETAIN_SHARDS] = {0}, shards = 0;
	struct retain *r = retain_new(1);
	char topic[32];

	(void)state;
	for (unsigned i = 0; i < 100 * RETAIN_SHARDS; i++) {
		const struct retain_node *n;

		snprintf(topic, sizeof(topic), "t/%u", i);
		n = retain_tree_enter(r, 0, slice_of_str(topic));
		assert_true(retain_tree_shard_of(n) < RETAIN_SHARDS);
		used[retain_tree_shard_of(n)]++;
		retain_tree_leave(r, 0);
	}
	for (unsigned i = 0; i < RETAIN_SHARDS; i++)
		shards += used[i] > 50 && used[i] < 200;
	assert_int_equal(shards, RETAIN_SHARDS);
	retain_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(levels_are_found_by_parent_and_by_path),
	    cmocka_unit_test(wild_children_are_known_to_their_parent),
	    cmocka_unit_test(thousands_of_levels_come_and_go),
	    cmocka_unit_test(targets_are_found_after_any_removal),
	    cmocka_unit_test(subscription_identifiers_are_shared_not_copied),
	    cmocka_unit_test(an_owner_is_one_record_for_all_topics),
	    cmocka_unit_test(numbers_rise_with_the_changes_of_a_topic),
	    cmocka_unit_test(topics_spread_over_the_shards),
	};

	hash_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
