/* Many sockets at once, each of which takes long: a turn of the loop handles only some of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/timer.h"
#include "net/loop.h"
#include "net/socket_stream.h"
#include "net/stream.h"

#define SOCKETS 8
#define WORK_NS UINT64_C(3000000)
/* More than the kernel takes at once, and less than twice that. */
#define OUTPUT_BYTES ((size_t)300000)

static struct executor executor;
static struct loop *loop;
static struct stream *streams[SOCKETS];
static int far_ends[SOCKETS];
static unsigned handled, in_turn, most_in_turn, ended, turns;
static const void *first; /* of those that have sent: who was read first */

static void work(void)
{
	uint64_t until = clock_monotonic_ns() + WORK_NS;

	while (clock_monotonic_ns() < until)
		;
	handled++;
	in_turn++;
}

static void on_bytes(void *arg, struct slice bytes)
{
	if (first == NULL)
		first = arg;
	assert_int_equal(bytes.len, 1);
	work();
}

static void on_drained(void *arg)
{
	(void)arg;
	work();
}

static void on_closed(void *arg, enum stream_end end)
{
	struct stream **stream = arg;

	*stream = NULL;
	ended++;
	if (end != STREAM_END_LOCAL)
		work();
}

static const struct stream_events events = {
    .on_bytes = on_bytes, .on_drained = on_drained, .on_closed = on_closed};

static bool on_turn_end(void *arg)
{
	(void)arg;
	turns++;
	if (in_turn > most_in_turn)
		most_in_turn = in_turn;
	in_turn = 0;
	for (size_t i = 0; i < SOCKETS && handled == SOCKETS; i++) {
		if (streams[i] != NULL)
			stream_abort(streams[i]);
	}
	if (ended == SOCKETS)
		loop_stop(loop);
	return false;
}

static int set_up(void **state)
{
	int error;

	(void)state;
	handled = in_turn = most_in_turn = ended = turns = 0;
	first = NULL;
	executor_init(&executor, 0, on_turn_end, NULL);
	loop = loop_new(&executor, &error);
	assert_non_null(loop);
	executor_enter(&executor);
	for (size_t i = 0; i < SOCKETS; i++) {
		const struct peer_address peer = {0};
		int fds[2];

		assert_int_equal(
		    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
		far_ends[i] = fds[1];
		streams[i] = socket_stream_new(fds[0], &peer, 0);
		stream_attach(streams[i], loop, &events, &streams[i]);
	}
	executor_leave();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	loop_free(loop);
	executor_fini(&executor);
	for (size_t i = 0; i < SOCKETS; i++)
		close(far_ends[i]);
	return 0;
}

static void bytes_that_come_at_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < SOCKETS; i++)
		assert_int_equal(write(far_ends[i], "x", 1), 1);
	loop_run(loop);
	assert_int_equal(handled, SOCKETS);
	assert_in_range(most_in_turn, 1, 2);
}

static void readers_that_wake_up_at_once(void **state)
{
	uint8_t *bytes = xcalloc(1, OUTPUT_BYTES);

	(void)state;
	executor_enter(&executor);
	for (size_t i = 0; i < SOCKETS; i++) {
		stream_write(streams[i], slice_of(bytes, OUTPUT_BYTES));
		assert_true(stream_backlog(streams[i]) > STREAM_BACKLOG_LOW);
		while (read(far_ends[i], bytes, OUTPUT_BYTES) > 0)
			;
	}
	executor_leave();
	loop_run(loop);
	free(bytes);
	assert_int_equal(handled, SOCKETS);
	assert_int_equal(most_in_turn, 1);
}

static void peers_that_close_at_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < SOCKETS; i++)
		shutdown(far_ends[i], SHUT_RDWR);
	loop_run(loop);
	assert_int_equal(handled, SOCKETS);
	assert_int_equal(most_in_turn, 1);
	assert_true(turns >= SOCKETS);
}

/* Who stays does not wait for those who leave; what they have sent is read, too. */
static void peers_that_send_and_close_at_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < SOCKETS; i++) {
		assert_int_equal(write(far_ends[i], "x", 1), 1);
		if (i < SOCKETS - 1)
			shutdown(far_ends[i], SHUT_RDWR);
	}
	loop_run(loop);
	assert_ptr_equal(first, &streams[SOCKETS - 1]);
	assert_int_equal(handled, SOCKETS);
	assert_in_range(most_in_turn, 1, 2);
}

static void on_enough(struct timer *timer, void *executor_arg)
{
	(void)timer;
	(void)executor_arg;
	assert_in_range(turns, 1, 20);
	handled = SOCKETS;
}

/* Bytes that nobody wants to read wake the loop a few times, and then no more. */
static void a_pause_lets_the_loop_sleep(void **state)
{
	struct timer enough = {.fire = on_enough};

	(void)state;
	executor_enter(&executor);
	for (size_t i = 0; i < SOCKETS; i++) {
		stream_pause(streams[i]);
		assert_int_equal(write(far_ends[i], "x", 1), 1);
	}
	executor_timer_arm(&executor, &enough, 50);
	executor_leave();
	loop_run(loop);
	assert_int_equal(ended, SOCKETS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(bytes_that_come_at_once, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(readers_that_wake_up_at_once, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(peers_that_close_at_once, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(peers_that_send_and_close_at_once, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_pause_lets_the_loop_sleep, set_up, tear_down),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
