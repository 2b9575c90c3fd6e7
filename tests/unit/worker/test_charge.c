/* Charges: an object, its payer and its worker always have the same sum. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "worker/charge.h"
#include "worker/shared.h"
#include "worker/worker.h"

struct fixture {
	struct shared shared;
	struct worker *worker;
	struct payer *anna, *bert; /* references of the test */
};

static void setup(struct fixture *f)
{
	*f = (struct fixture){0};
	payers_init(&f->shared.payers, 1);
	f->worker = xnew(f->worker);
	f->worker->shared = &f->shared;
	executor_enter(&f->worker->executor);
	f->anna = payers_find(&f->shared.payers, PAYER_USER, SLICE("anna"));
	f->bert = payers_find(&f->shared.payers, PAYER_USER, SLICE("bert"));
}

static void teardown(struct fixture *f)
{
	payer_unref(&f->shared.payers, &f->anna);
	payer_unref(&f->shared.payers, &f->bert);
	payers_fini(&f->shared.payers);
	executor_leave();
	free(f->worker);
}

static struct payer *reference(struct fixture *f, const char *name)
{
	return payers_find(&f->shared.payers, PAYER_USER, slice_of_str(name));
}

static void require_sums(const struct fixture *f, uint64_t anna, uint64_t bert)
{
	assert_int_equal(payer_memory(f->anna), anna);
	assert_int_equal(payer_memory(f->bert), bert);
	assert_int_equal(f->worker->counters.memory_bytes, anna + bert);
}

static void changed_charge_counts_for_object_payer_and_worker(void **state)
{
	struct charge c;
	struct fixture f;

	(void)state;
	setup(&f);
	charge_init(&c, reference(&f, "anna"));
	require_sums(&f, 0, 0);
	charge_add(f.worker, &c, 300);
	charge_sub(f.worker, &c, 100);
	require_sums(&f, 200, 0);
	charge_set(f.worker, &c, 150);
	assert_int_equal(c.bytes, 150);
	require_sums(&f, 150, 0);
	charge_fini(f.worker, &c);
	require_sums(&f, 0, 0);
	charge_fini(f.worker, &c); /* nothing is left to give back */
	teardown(&f);
}

static void new_payer_takes_over_the_whole_charge(void **state)
{
	struct charge c, other;
	struct fixture f;

	(void)state;
	setup(&f);
	charge_init(&c, reference(&f, "anna"));
	charge_init(&other, reference(&f, "anna"));
	charge_set(f.worker, &c, 700);
	charge_set(f.worker, &other, 50);
	charge_move(f.worker, &c, reference(&f, "bert"));
	assert_int_equal(c.bytes, 700);
	require_sums(&f, 50, 700);
	charge_fini(f.worker, &c);
	charge_fini(f.worker, &other);
	require_sums(&f, 0, 0);
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(changed_charge_counts_for_object_payer_and_worker),
	    cmocka_unit_test(new_payer_takes_over_the_whole_charge),
	};

	hash_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
