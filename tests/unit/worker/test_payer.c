/* Who pays: one record for each user and address, counted by several workers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"
#include "worker/payer.h"

static void payer_of_each_name_is_one_object(void **state)
{
	struct payers p;
	struct payer *anna, *again, *address, *nobody;

	(void)state;
	payers_init(&p, 2);
	anna = payers_find(&p, PAYER_USER, SLICE("anna"));
	again = payers_find(&p, PAYER_USER, SLICE("anna"));
	address = payers_find(&p, PAYER_ADDRESS, SLICE("anna"));
	nobody = payers_find(&p, PAYER_USER, SLICE_EMPTY);
	assert_ptr_equal(anna, again);
	assert_ptr_not_equal(anna, address);
	assert_ptr_not_equal(anna, nobody);
	assert_true(slice_equal(payer_key(anna), SLICE("anna")));
	assert_int_equal(payer_key(nobody).len, 0);
	payer_unref(&p, &anna);
	payer_unref(&p, &again);
	payer_unref(&p, &again); /* NULL is fine */
	assert_int_equal(HASH_COUNT(p.by_key), 2);
	payer_unref(&p, &address);
	payer_unref(&p, &nobody);
	payers_fini(&p); /* nothing is left */
}

static void payer_has_a_part_for_each_worker(void **state)
{
	struct payers p;
	struct payer *anna;

	(void)state;
	payers_init(&p, 3);
	anna = payers_find(&p, PAYER_USER, SLICE("anna"));
	payer_add(anna, 0, 100);
	payer_add(anna, 2, 20);
	payer_sub(anna, 0, 30);
	assert_int_equal(payer_memory(anna), 90);
	payer_sub(anna, 0, 70);
	payer_sub(anna, 2, 20);
	assert_int_equal(payer_memory(anna), 0);
	payer_unref(&p, &anna);
	payers_fini(&p);
}

static void count_one(void *arg, struct payer *payer)
{
	unsigned *seen = arg;

	assert_int_equal(payer_key(payer).len, 1);
	(*seen)++;
}

static void visit_of_all_payers_meets_each_once(void **state)
{
	struct payers p;
	struct payer *a, *b;
	unsigned seen = 0;

	(void)state;
	payers_init(&p, 1);
	a = payers_find(&p, PAYER_USER, SLICE("a"));
	b = payers_find(&p, PAYER_ADDRESS, SLICE("b"));
	payers_visit(&p, count_one, &seen);
	assert_int_equal(seen, 2);
	payer_unref(&p, &a);
	payer_unref(&p, &b);
	payers_fini(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(payer_of_each_name_is_one_object),
	    cmocka_unit_test(payer_has_a_part_for_each_worker),
	    cmocka_unit_test(visit_of_all_payers_meets_each_once),
	};

	hash_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
