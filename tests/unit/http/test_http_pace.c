/* Requests wait for their reader and for their turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "http/http_pace.h"
#include "support/memory_stream.h"
#include "worker/shared.h"

struct fixture {
	struct shared shared;
	struct worker *worker;
	struct http_server server;
	struct http_conn conn;
	struct memory_peer *peer;
	unsigned went_on;
};

static struct fixture *fixture_of(struct http_conn *c)
{
	return container_of(c, struct fixture, conn);
}

static void next_request(struct http_conn *c)
{
	c->state = HTTP_STATE_HEAD;
	fixture_of(c)->went_on++;
}

static const struct http_conn_ops ops = {.next_request = next_request};

static void on_bytes(void *arg, struct slice bytes)
{
	(void)arg;
	(void)bytes;
}

static void on_drained(void *arg)
{
	http_pace_drained(arg);
}

static void on_closed(void *arg, enum stream_end end)
{
	(void)arg;
	(void)end;
}

static const struct stream_events events = {
    .on_bytes = on_bytes, .on_drained = on_drained, .on_closed = on_closed};

static void setup(struct fixture *f)
{
	struct stream *stream;

	*f = (struct fixture){0};
	payers_init(&f->shared.payers, 1);
	f->worker = xnew(f->worker);
	executor_init(&f->worker->executor, 0, NULL, NULL);
	f->worker->shared = &f->shared;
	f->worker->http = &f->server;
	executor_enter(&f->worker->executor);
	stream = memory_stream_new(0, "reader", NULL, &f->peer);
	f->conn.x.worker = f->worker;
	f->conn.x.stream = stream;
	f->conn.ops = &ops;
	charge_init(&f->conn.charge, payers_find(&f->shared.payers, PAYER_ADDRESS, SLICE("a")));
	stream_attach(stream, NULL, &events, &f->conn);
}

static void teardown(struct fixture *f)
{
	http_pace_forget(&f->conn);
	assert_null(f->server.later);
	charge_fini(f->worker, &f->conn.charge);
	stream_abort(f->conn.x.stream);
	while (memory_run(f->peer, 4096))
		continue;
	memory_peer_free(f->peer);
	executor_leave();
	executor_fini(&f->worker->executor);
	payers_fini(&f->shared.payers);
	free(f->worker);
}

/* So many bytes of answers, and the end of the last one. */
static bool answer(struct fixture *f, size_t bytes)
{
	struct buf text = {0};

	for (size_t i = 0; i < bytes; i++)
		buf_put_slice(&text, SLICE("."));
	stream_write(f->conn.x.stream, buf_slice(&text));
	buf_fini(&text);
	return http_pace_holds(&f->conn);
}

static bool turn(struct fixture *f)
{
	f->worker->turn++;
	return http_pace_turn(f->worker);
}

static void an_answer_that_nobody_reads_holds_the_next_request(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	memory_stall(f.peer, true);
	assert_false(answer(&f, HTTP_PACE_BYTES));
	f.worker->turn++;
	assert_true(answer(&f, 1));
	assert_int_equal(f.conn.state, HTTP_STATE_PACED);
	assert_int_equal(f.conn.charge.bytes, HTTP_PACE_BYTES + 1);
	assert_false(turn(&f));
	assert_int_equal(f.went_on, 0);

	memory_stall(f.peer, false);
	while (memory_run(f.peer, 4096))
		continue;
	assert_int_equal(f.conn.charge.bytes, 0);
	assert_false(turn(&f));
	assert_int_equal(f.went_on, 1);
	teardown(&f);
}

static void a_turn_has_some_requests_of_a_connection(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 1; i < HTTP_PACE_REQUESTS; i++)
			assert_false(answer(&f, 10));
		assert_true(answer(&f, 10));
		assert_true(http_pace_turn(f.worker)); /* the same turn */
		assert_int_equal(f.went_on, round);
		assert_false(turn(&f));
		assert_int_equal(f.went_on, round + 1);
	}
	teardown(&f);
}

static void requests_of_several_turns_do_not_add_up(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	for (unsigned i = 0; i < HTTP_PACE_REQUESTS * 3; i++) {
		f.worker->turn++;
		assert_false(answer(&f, 10));
	}
	teardown(&f);
}

static void one_that_closes_is_forgotten(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	for (unsigned i = 0; i < HTTP_PACE_REQUESTS; i++)
		(void)answer(&f, 10);
	assert_non_null(f.server.later);
	http_pace_forget(&f.conn);
	http_pace_forget(&f.conn);
	assert_false(turn(&f));
	assert_int_equal(f.went_on, 0);
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_answer_that_nobody_reads_holds_the_next_request),
	    cmocka_unit_test(a_turn_has_some_requests_of_a_connection),
	    cmocka_unit_test(requests_of_several_turns_do_not_add_up),
	    cmocka_unit_test(one_that_closes_is_forgotten),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
