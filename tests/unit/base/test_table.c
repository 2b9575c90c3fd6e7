/* The table of pointers: against a plain list, with hashes that meet, wrap and are equal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/table.h"

#define ITEMS 300

struct item {
	uint64_t hash;
	unsigned number;
	bool inside;
	unsigned given;
};

static bool same_number(const void *item, const void *key)
{
	return ((const struct item *)item)->number == *(const unsigned *)key;
}

static void assert_agrees(const struct table *t, const struct item *items)
{
	uint32_t inside = 0;

	for (unsigned i = 0; i < ITEMS; i++) {
		void **place = table_find(t, items[i].hash, same_number, &i);

		inside += items[i].inside;
		if (items[i].inside)
			assert_ptr_equal(*place, &items[i]);
		else
			assert_null(place);
	}
	assert_int_equal(t->count, inside);
}

static void change(struct table *t, struct item *item)
{
	if (item->inside)
		table_remove(t, item->hash, item);
	else
		table_add(t, item->hash, item);
	item->inside = !item->inside;
}

/* Few different hashes, all near the end of the slots: long runs that wrap. */
static void items_init(struct item *items, unsigned hashes)
{
	for (unsigned i = 0; i < ITEMS; i++)
		items[i] = (struct item){.number = i, .hash = UINT32_MAX - 3 + i % hashes};
}

static void agrees_with_a_list(void **state)
{
	static const unsigned hashes[] = {1, 7, ITEMS};
	struct item items[ITEMS];
	struct table t = {0};
	uint64_t dice = 1;

	(void)state;
	for (size_t row = 0; row < sizeof(hashes) / sizeof(hashes[0]); row++) {
		items_init(items, hashes[row]);
		for (unsigned step = 0; step < 4000; step++) {
			dice = hash_id(dice + step);
			/* up to all of them, down to none, and again */
			if (items[dice % ITEMS].inside == (step / 1000 % 2 == 1))
				change(&t, &items[dice % ITEMS]);
			if (step % 50 == 0)
				assert_agrees(&t, items);
		}
		for (unsigned i = 0; i < ITEMS; i++) {
			if (items[i].inside)
				change(&t, &items[i]);
		}
		assert_null(t.slots);
	}
}

/* Each once, though some are removed as they are given. */
static void walk_gives_each_once(void **state)
{
	struct item items[ITEMS], *item;
	struct table t = {0};

	(void)state;
	for (unsigned every = 1; every < 5; every++) {
		struct table_walk walk;

		items_init(items, 20 * every);
		for (unsigned i = 0; i < ITEMS; i++)
			change(&t, &items[i]);
		walk = table_walk_of(&t);
		while ((item = table_walk_next(&walk)) != NULL) {
			item->given++;
			if (item->number % every == 0)
				change(&t, item);
		}
		for (unsigned i = 0; i < ITEMS; i++)
			assert_int_equal(items[i].given, 1);
		assert_agrees(&t, items);
		table_fini(&t);
	}
}

static void empty_table_has_nothing(void **state)
{
	struct table t = {0};
	struct table_walk walk = table_walk_of(&t);

	(void)state;
	assert_null(table_walk_next(&walk));
	assert_null(table_find(&t, hash_id(1), NULL, NULL));
	table_fini(&t);
}

/* It does not stay as large as it once was. */
static void table_shrinks(void **state)
{
	static char items[10000];
	struct table t = {0};

	(void)state;
	for (uint64_t i = 0; i < sizeof(items); i++)
		table_add(&t, hash_id(i), &items[i]);
	assert_int_equal(t.slot_count, 16384);
	for (uint64_t i = 10; i < sizeof(items); i++)
		table_remove(&t, hash_id(i), &items[i]);
	table_add(&t, hash_id(10), &items[10]);
	assert_true(t.slot_count <= 4096);
	for (uint64_t i = 0; i <= 10; i++)
		assert_ptr_equal(*table_find(&t, hash_id(i), NULL, NULL), &items[i]);
	table_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(agrees_with_a_list),
	    cmocka_unit_test(walk_gives_each_once),
	    cmocka_unit_test(empty_table_has_nothing),
	    cmocka_unit_test(table_shrinks),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
