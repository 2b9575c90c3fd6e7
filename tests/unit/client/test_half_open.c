/* Who gives way when all places are taken: random operations beside a model that searches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "client/half_open.h"

enum {
	PLACES = 60,
	ADDRESSES = 9,
	STEPS = 200000,
};

/* The model: what each place is, and when it came to its stage. */
static struct {
	bool there;
	unsigned address, stage;
	uint64_t since;
} model[PLACES];

static struct half_open table;
static struct half_open_place places[PLACES];
static uint64_t random_state = 88172645463325252u, clock;

static unsigned random_below(unsigned n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)(random_state % n);
}

/* Addresses of several lengths, and the empty one. */
static struct slice key_of(unsigned address)
{
	static const uint8_t bytes[16] = {10, 0, 0, 10, 0, 0, 10};

	return slice_of(bytes, address);
}

static size_t count_of(unsigned address)
{
	size_t n = 0;

	for (unsigned i = 0; i < PLACES; i++)
		n += model[i].there && model[i].address == address;
	return n;
}

static bool goes_before(unsigned i, unsigned k)
{
	if (model[i].stage != model[k].stage)
		return model[i].stage < model[k].stage;
	return model[i].since < model[k].since;
}

static void add(unsigned i, unsigned address, unsigned stage)
{
	half_open_add(&table, &places[i], key_of(address), (enum half_open_stage)stage);
	model[i].there = true;
	model[i].address = address;
	model[i].stage = stage;
	model[i].since = ++clock;
}

static void remove_one(unsigned i)
{
	half_open_remove(&table, &places[i]);
	model[i].there = false;
}

static void progress(unsigned i, unsigned stage)
{
	half_open_progress(&places[i], (enum half_open_stage)stage);
	if (stage > model[i].stage) {
		model[i].stage = stage;
		model[i].since = ++clock;
	}
}

static int by_number(const void *a, const void *b)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;

	return x < y ? -1 : x > y;
}

static void check_early(unsigned address)
{
	size_t counts[ADDRESSES], n = 0, there = table.count, median, refused = 0;
	bool has_more;

	for (unsigned a = 0; a < ADDRESSES; a++) {
		counts[n] = count_of(a);
		n += counts[n] > 0;
	}
	qsort(counts, n, sizeof(counts[0]), by_number);
	median = n == 0 ? 0 : counts[(n - 1) / 2];
	assert_int_equal(half_open_median(&table), median);
	has_more = count_of(address) > median + median / 2 + 4;
	/* Of 40 places 30 may be taken by anybody; then each number is a part of ten. */
	for (unsigned chance = 0; chance < 10; chance++)
		refused += half_open_refuses_early(&table, key_of(address), 40, 700 + chance);
	if (!has_more || there <= 30 || there >= 40)
		assert_int_equal(refused, 0);
	else
		assert_int_equal(refused, there - 30);
}

/* The rule, word by word. */
static void check_victim(unsigned address, unsigned stage)
{
	struct half_open_place *p =
	    half_open_victim(&table, key_of(address), (enum half_open_stage)stage);
	size_t has = count_of(address), most = 0, loses;
	unsigned v = p == NULL ? 0 : (unsigned)(p - places);

	for (unsigned a = 0; a < ADDRESSES; a++)
		most = count_of(a) > most ? count_of(a) : most;
	assert_int_equal(half_open_is_even(&table, key_of(address)), most <= has + 1);
	if (p == NULL) { /* nobody has clearly more, and nobody has come less far */
		assert_true(most <= has + 1);
		for (unsigned i = 0; i < PLACES; i++) {
			if (model[i].there &&
			    (model[i].address == address || count_of(model[i].address) > has))
				assert_true(model[i].stage > stage);
		}
		return;
	}
	assert_true(model[v].there);
	loses = count_of(model[v].address);
	assert_true(model[v].address == address || (loses > has && loses == most));
	for (unsigned i = 0; i < PLACES; i++)
		assert_false(model[i].there && model[i].address == model[v].address &&
		             goes_before(i, v));
	if (model[v].address == address || loses == has + 1)
		assert_true(model[v].stage <= stage);
	if (model[v].address == address)
		assert_true(most <= has + 1);
}

static void places_after_random_events_equal_the_model(void **state)
{
	size_t there = 0;

	(void)state;
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned i = random_below(PLACES), stage = random_below(HALF_OPEN_STAGES);

		if (!model[i].there) {
			/* Some addresses come often. */
			add(i, random_below(1 + random_below(ADDRESSES)), stage);
			there++;
		} else if (random_below(3) == 0) {
			remove_one(i);
			there--;
		} else {
			progress(i, stage);
		}
		assert_int_equal(table.count, there);
		check_victim(random_below(ADDRESSES), random_below(HALF_OPEN_STAGES));
		if (step % 8 == 0)
			check_early(random_below(ADDRESSES));
	}
	for (unsigned i = 0; i < PLACES; i++)
		remove_one(i); /* fine for those that are not there */
	assert_int_equal(table.count, 0);
	assert_null(table.addresses);
	assert_null(table.fewest);
	assert_null(table.most);
}

/* 900 that only opened, of three addresses, beside one slow device of another. */
static void slow_device_beside_many_idle_connections_keeps_its_place(void **state)
{
	enum {
		MANY = 900,
	};
	static struct half_open_place many[MANY];
	struct half_open_place device = {0};

	(void)state;
	table = (struct half_open){0};
	half_open_add(&table, &device, SLICE("dev"), HALF_OPEN_ACCEPTED);
	for (unsigned i = 0; i < MANY; i++)
		half_open_add(&table, &many[i], key_of(1 + i % 3), HALF_OPEN_ACCEPTED);
	for (unsigned i = 0; i < MANY; i++) { /* each comes again */
		struct half_open_place *p =
		    half_open_victim(&table, key_of(1 + i % 3), HALF_OPEN_ACCEPTED);

		assert_ptr_not_equal(p, &device);
		assert_non_null(p);
		half_open_remove(&table, p);
		half_open_add(&table, p, key_of(1 + i % 3), HALF_OPEN_ACCEPTED);
	}
	half_open_remove(&table, &device);
	for (unsigned i = 0; i < MANY; i++)
		half_open_remove(&table, &many[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(places_after_random_events_equal_the_model),
	    cmocka_unit_test(slow_device_beside_many_idle_connections_keeps_its_place),
	};

	hash_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
