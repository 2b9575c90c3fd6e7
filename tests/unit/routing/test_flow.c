/* Back-pressure between two workers: above the high mark the sender's publishers are not read,
 * until the receiver has taken so much that the low mark is passed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "routing/flow.h"
#include "routing/router.h"
#include "routing_fixture.h"

static unsigned opened;

static void on_open(struct worker *w)
{
	REQUIRE_EXECUTOR(&w->executor);
	opened++;
}

static void setup(struct routing_fixture *f)
{
	opened = 0;
	routing_fixture_init(f, on_open);
}

static struct flows *flows_of(const struct routing_fixture *f)
{
	return &f->workers[0]->router->flows;
}

static void above_the_high_mark_it_stalls(void **state)
{
	struct routing_fixture f;

	(void)state;
	setup(&f);
	flow_add(&flows_of(&f)->to[1], FLOW_HIGH, false);
	assert_int_equal(flows_of(&f)->stalled, 0);
	flow_add(&flows_of(&f)->to[1], 1, false);
	assert_int_equal(flows_of(&f)->stalled, 1);
	flow_add(&flows_of(&f)->to[1], 1, false); /* counted once */
	assert_int_equal(flows_of(&f)->stalled, 1);
	routing_fixture_enter(f.workers[1]);
	flow_remove(&flows_of(&f)->to[1], FLOW_HIGH + 2);
	routing_fixture_run_tasks(f.workers[0]);
	routing_fixture_fini(&f);
}

static void it_opens_below_the_low_mark_and_only_once(void **state)
{
	struct routing_fixture f;

	(void)state;
	setup(&f);
	flow_add(&flows_of(&f)->to[1], FLOW_HIGH + 10, false);
	routing_fixture_enter(f.workers[1]);
	flow_remove(&flows_of(&f)->to[1], FLOW_HIGH / 2);
	routing_fixture_run_tasks(f.workers[0]);
	assert_int_equal(opened, 0); /* half of it is left */
	routing_fixture_enter(f.workers[1]);
	flow_remove(&flows_of(&f)->to[1], FLOW_HIGH / 2);
	flow_remove(&flows_of(&f)->to[1], 10);
	routing_fixture_run_tasks(f.workers[0]);
	assert_int_equal(opened, 1);
	assert_int_equal(flows_of(&f)->stalled, 0);
	routing_fixture_fini(&f);
}

static void filled_again_on_the_way_back_it_stays_stalled(void **state)
{
	struct routing_fixture f;

	(void)state;
	setup(&f);
	flow_add(&flows_of(&f)->to[1], FLOW_HIGH + 1, false);
	routing_fixture_enter(f.workers[1]);
	flow_remove(&flows_of(&f)->to[1], FLOW_HIGH + 1);
	routing_fixture_enter(f.workers[0]);
	flow_add(&flows_of(&f)->to[1], FLOW_HIGH + 1, false);
	routing_fixture_run_tasks(f.workers[0]);
	assert_int_equal(opened, 0);
	assert_int_equal(flows_of(&f)->stalled, 1);
	routing_fixture_enter(f.workers[1]);
	flow_remove(&flows_of(&f)->to[1], FLOW_HIGH + 1);
	routing_fixture_run_tasks(f.workers[0]);
	assert_int_equal(opened, 1);
	routing_fixture_fini(&f);
}

static void to_itself_it_is_counted_and_never_stalls(void **state)
{
	struct routing_fixture f;

	(void)state;
	setup(&f);
	flow_add(&flows_of(&f)->to[0], FLOW_HIGH * 2, true);
	assert_int_equal(flows_of(&f)->stalled, 0);
	flow_remove(&flows_of(&f)->to[0], FLOW_HIGH * 2);
	assert_int_equal(flows_of(&f)->to[0].bytes, 0);
	routing_fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(above_the_high_mark_it_stalls),
	    cmocka_unit_test(it_opens_below_the_low_mark_and_only_once),
	    cmocka_unit_test(filled_again_on_the_way_back_it_stays_stalled),
	    cmocka_unit_test(to_itself_it_is_counted_and_never_stalls),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
