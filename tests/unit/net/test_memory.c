/* Streams without a kernel: what the simulation relies on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/executor.h"
#include "support/memory_stream.h"

static uint64_t now_ns;

static uint64_t fake_monotonic(void *arg)
{
	(void)arg;
	return now_ns;
}

static int64_t fake_wall(void *arg)
{
	(void)arg;
	return 0;
}

/* One stream of an executor, its far end, and what its owner was told. */
struct world {
	struct executor executor;
	struct stream *stream;
	struct memory_peer *peer;
	struct buf got;
	unsigned calls, drained, closed;
	enum stream_end end;
	void (*on_bytes)(struct world *w);
};

static void on_bytes(void *arg, struct slice bytes)
{
	struct world *w = arg;

	w->calls++;
	buf_put_slice(&w->got, bytes);
	if (w->on_bytes != NULL)
		w->on_bytes(w);
}

static void on_drained(void *arg)
{
	((struct world *)arg)->drained++;
}

static void on_closed(void *arg, enum stream_end end)
{
	struct world *w = arg;

	w->closed++;
	w->end = end;
}

static const struct stream_events events = {
    .on_bytes = on_bytes, .on_drained = on_drained, .on_closed = on_closed};

static int set_up(void **state)
{
	static struct world w;
	static const struct clock_source fake = {fake_monotonic, fake_wall, NULL};

	clock_use(&fake);
	w = (struct world){0};
	executor_init(&w.executor, 0, NULL, &w);
	executor_enter(&w.executor);
	w.stream = memory_stream_new(3, "memory:1", "lamp", &w.peer);
	stream_attach(w.stream, NULL, &events, &w);
	*state = &w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	if (w->closed == 0) {
		stream_abort(w->stream);
		assert_true(memory_run(w->peer, 1));
		assert_int_equal(w->closed, 1);
	}
	memory_peer_free(w->peer);
	buf_fini(&w->got);
	executor_leave();
	executor_fini(&w->executor);
	clock_use(NULL);
	return 0;
}

static void got(struct world *w, const char *text)
{
	assert_true(slice_equal(buf_slice(&w->got), slice_of_str(text)));
}

static void bytes_come_in_the_pieces_asked_for(void **state)
{
	struct world *w = *state;

	memory_send(w->peer, SLICE("hello"));
	assert_true(memory_run(w->peer, 2));
	got(w, "he");
	assert_true(memory_run(w->peer, 2));
	assert_true(memory_run(w->peer, 2));
	assert_false(memory_run(w->peer, 2));
	got(w, "hello");
	assert_int_equal(w->calls, 3);
}

static void pause_in(struct world *w)
{
	stream_pause(w->stream);
}

static void nothing_comes_while_paused(void **state)
{
	struct world *w = *state;

	w->on_bytes = pause_in;
	memory_send(w->peer, SLICE("ab"));
	memory_send_end(w->peer, STREAM_END_PEER);
	assert_true(memory_run(w->peer, 1));
	assert_false(memory_run(w->peer, 1));
	got(w, "a");
	stream_resume(w->stream);
	assert_true(memory_run(w->peer, 1));
	got(w, "ab");
	assert_int_equal(w->closed, 0); /* the end waits too */
	stream_resume(w->stream);
	assert_true(memory_run(w->peer, 1));
	assert_int_equal(w->closed, 1);
	assert_int_equal(w->end, STREAM_END_PEER);
}

static void a_stalled_peer_makes_backlog(void **state)
{
	struct world *w = *state;

	memory_stall(w->peer, true);
	stream_write(w->stream, SLICE("one "));
	memory_run(w->peer, 10);
	assert_int_equal(stream_backlog(w->stream), 4);
	memory_stall(w->peer, false);
	stream_write(w->stream, SLICE("two")); /* never overtakes */
	assert_true(memory_run(w->peer, 10));
	assert_int_equal(w->drained, 1);
	assert_int_equal(stream_backlog(w->stream), 0);
	assert_true(slice_equal(buf_slice(memory_received(w->peer)), SLICE("one two")));
}

static void close_flushes_or_gives_up(void **state)
{
	struct world *w = *state;

	memory_stall(w->peer, true);
	stream_write(w->stream, SLICE("bye"));
	stream_close(w->stream, 500);
	stream_write(w->stream, SLICE("too late"));
	memory_send(w->peer, SLICE("not read"));
	assert_false(memory_run(w->peer, 10));
	assert_false(memory_is_closed(w->peer));
	now_ns += 500 * (uint64_t)1000000;
	while (executor_turn(&w->executor) == 0) /* a timer fires after another poll */
		;
	assert_true(memory_is_closed(w->peer));
	assert_true(memory_run(w->peer, 10));
	assert_int_equal(w->closed, 1);
	assert_int_equal(w->end, STREAM_END_LOCAL);
	assert_int_equal(memory_received(w->peer)->len, 0);
	got(w, "");
}

static void close_waits_for_the_flush(void **state)
{
	struct world *w = *state;

	memory_stall(w->peer, true);
	stream_write(w->stream, SLICE("bye"));
	stream_close(w->stream, 500);
	memory_stall(w->peer, false);
	assert_true(memory_run(w->peer, 10));
	assert_int_equal(w->closed, 1);
	assert_int_equal(w->drained, 0);
	assert_true(slice_equal(buf_slice(memory_received(w->peer)), SLICE("bye")));
	assert_false(timers_next(&w->executor.timers) != UINT64_MAX);
}

static void detach_in(struct world *w)
{
	stream_detach(w->stream);
}

static void it_moves_with_what_is_unread(void **state)
{
	struct world *w = *state;
	struct executor other;

	w->on_bytes = detach_in;
	memory_send(w->peer, SLICE("abc"));
	assert_true(memory_run(w->peer, 1));
	assert_false(memory_run(w->peer, 1)); /* nobody's */
	executor_leave();
	executor_init(&other, 1, NULL, NULL);
	executor_enter(&other);
	w->on_bytes = NULL;
	stream_attach(w->stream, NULL, &events, w);
	got(w, "a"); /* nothing from inside attach */
	assert_true(memory_run(w->peer, 10));
	got(w, "abc");
	executor_leave();
	executor_enter(&w->executor);
	assert_false(memory_run(w->peer, 10)); /* not this executor's any more */
	executor_leave();
	executor_enter(&other);
	memory_send_end(w->peer, STREAM_END_RESET);
	assert_true(memory_run(w->peer, 10));
	assert_int_equal(w->end, STREAM_END_RESET);
	executor_leave();
	executor_fini(&other);
	executor_enter(&w->executor);
}

static void facts(void **state)
{
	struct world *w = *state;
	struct buf name = {0};
	char text[32];

	assert_int_equal(stream_peer_text(w->stream, text, sizeof(text)), 8);
	assert_string_equal(text, "memory:1");
	assert_int_equal(stream_listener(w->stream), 3);
	assert_string_equal(stream_tls_version(w->stream), "none");
	assert_true(stream_has_certificate(w->stream));
	assert_int_equal(stream_certificate_names(w->stream, CERTIFICATE_USER_CN, &name), 1);
	assert_true(slice_equal(buf_slice(&name), SLICE("lamp")));
	assert_int_equal(stream_certificate_names(w->stream, CERTIFICATE_USER_NONE, &name), 0);
	buf_fini(&name);
}

static void a_detached_stream_is_discarded(void **state)
{
	struct world *w = *state;
	struct memory_peer *peer;
	struct stream *s = memory_stream_new(0, "x", NULL, &peer);

	(void)w;
	assert_false(stream_has_certificate(s));
	stream_discard(s);
	assert_true(memory_is_closed(peer));
	memory_peer_free(peer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(bytes_come_in_the_pieces_asked_for, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(nothing_comes_while_paused, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_stalled_peer_makes_backlog, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(close_flushes_or_gives_up, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(close_waits_for_the_flush, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(it_moves_with_what_is_unread, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(facts, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_detached_stream_is_discarded, set_up, tear_down),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
