/* What every stream does, whatever it is made of: the same table of behaviours over a socket, a
 * Unix socket, memory, TLS over a socket and over memory, and a stream over TLS. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "net_fixture.h"
#include "stream_stack.h"

/* More than any kernel takes at once. */
#define MANY ((size_t)12 * 1024 * 1024)

static struct tls_server server;

static uint8_t *numbered(size_t len)
{
	uint8_t *bytes = xalloc(len);

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(i * 31 + i / 251);
	return bytes;
}

static bool has_got(const struct buf *got, const uint8_t *bytes, size_t len)
{
	return got->len == len && (len == 0 || memcmp(got->data, bytes, len) == 0);
}

/* --- reading and writing --- */

static void facts(struct stack *s)
{
	bool is_network = s->kind == STACK_SOCKET || s->kind == STACK_TLS_SOCKET ||
	                  s->kind == STACK_MASKED_TLS || s->kind == STACK_WEBSOCKET;
	char peer[STREAM_PEER_TEXT], key[STREAM_PEER_TEXT];
	char user[STREAM_PEER_TEXT];
	const char *why = NULL;

	snprintf(user, sizeof(user), "unix:uid=%u", (unsigned)getuid());
	(void)stream_peer_text(s->stream, peer, sizeof(peer));
	(void)stream_peer_key_text(s->stream, key, sizeof(key));
	assert_int_equal(stream_has_address(s->stream), is_network);
	assert_string_equal(peer, is_network              ? "127.0.0.1:7"
	                          : s->kind == STACK_UNIX ? user
	                                                  : "far end");
	assert_string_equal(key, is_network ? "127.0.0.1" : peer);
	assert_int_equal(stream_listener(s->stream), 7);
	assert_string_equal(stream_tls_version(s->stream), s->ssl == NULL ? "none" : "TLSv1.3");
	assert_false(stream_has_certificate(s->stream));
	if (s->ssl == NULL)
		assert_int_equal(stream_fits(s->stream, NULL, true, &why), STREAM_FITS);
}

static void bytes_pass_both_ways(struct stack *s)
{
	uint8_t *bytes = numbered(300000);

	stack_write(s, SLICE("hello "));
	stack_write(s, SLICE_EMPTY);
	stack_write(s, slice_of(bytes, 300000));
	stack_far_send(s, slice_of(bytes, 300000));
	stack_until(s, s->far_got.len == 300006 && s->got.len == 300000);
	assert_memory_equal(s->far_got.data, "hello ", 6);
	assert_memory_equal(s->far_got.data + 6, bytes, 300000);
	assert_true(has_got(&s->got, bytes, 300000));
	stack_enter(s);
	assert_int_equal(stream_backlog(s->stream), 0);
	stack_leave();
	free(bytes);
}

static size_t backlog_of(struct stack *s)
{
	size_t n;

	stack_enter(s);
	n = stream_backlog(s->stream);
	stack_leave();
	return n;
}

/* A peer that does not read makes a backlog; what is written later never overtakes it. */
static void a_write_may_be_partial(struct stack *s)
{
	uint8_t *bytes = numbered(MANY);

	stack_far_stall(s, true);
	stack_write(s, slice_of(bytes, MANY - 1000));
	stack_settle(s);
	assert_true(backlog_of(s) > STREAM_BACKLOG_LOW);
	assert_int_equal(s->drained, 0);
	stack_write(s, slice_of(bytes + MANY - 1000, 1000));
	stack_far_stall(s, false);
	stack_until(s, s->far_got.len == MANY);
	assert_true(has_got(&s->far_got, bytes, MANY));
	stack_until(s, backlog_of(s) == 0 && s->drained > 0);
	free(bytes);
}

/* --- pauses --- */

static void pause_now(struct stack *s)
{
	stream_pause(s->stream);
}

static void pause_and_resume(struct stack *s)
{
	stream_pause(s->stream);
	stream_resume(s->stream);
}

static void nothing_comes_while_paused(struct stack *s)
{
	uint8_t *bytes = numbered(200000);
	size_t before;

	s->on_bytes = pause_now;
	stack_far_send(s, slice_of(bytes, 200000));
	while (s->got.len < 200000) {
		before = s->got.len;
		stack_until(s, s->got.len > before);
		before = s->got.len;
		stack_settle(s);
		assert_int_equal(s->got.len, before);
		stack_write(s, SLICE("w")); /* writing goes on */
		stack_enter(s);
		stream_resume(s->stream);
		stack_leave();
	}
	assert_true(has_got(&s->got, bytes, 200000));
	stack_until(s, s->far_got.len > 0);
	free(bytes);
}

static void pause_and_resume_at_once(struct stack *s)
{
	uint8_t *bytes = numbered(200000);

	s->on_bytes = pause_and_resume;
	stack_far_send(s, slice_of(bytes, 200000));
	stack_until(s, s->got.len == 200000);
	assert_true(has_got(&s->got, bytes, 200000));
	free(bytes);
}

/* The end waits too, and comes when it reads again. */
static void the_end_waits_while_paused(struct stack *s)
{
	s->on_bytes = pause_now;
	stack_far_send(s, SLICE("last words"));
	stack_far_end(s, STREAM_END_PEER);
	stack_until(s, s->got.len == 10);
	stack_settle(s);
	assert_int_equal(s->closed, 0);
	s->on_bytes = NULL;
	stack_enter(s);
	stream_resume(s->stream);
	stack_leave();
	stack_until(s, s->closed == 1);
	assert_int_equal(s->end, STREAM_END_PEER);
}

/* --- the owner ends it --- */

static void close_stack(struct stack *s, uint64_t flush_ms)
{
	stack_enter(s);
	stream_close(s->stream, flush_ms);
	assert_int_equal(s->closed, 0); /* never from inside a call */
	stream_write(s->stream, SLICE("too late"));
	stack_leave();
}

static void close_without_output(struct stack *s)
{
	close_stack(s, 60000);
	stack_until(s, s->closed == 1 && s->far_ended);
	assert_int_equal(s->end, STREAM_END_LOCAL);
	assert_int_equal(s->far_got.len, 0);
	if (s->ssl != NULL)
		assert_true((SSL_get_shutdown(s->ssl) & SSL_RECEIVED_SHUTDOWN) != 0);
}

static void close_sends_what_is_pending(struct stack *s)
{
	uint8_t *bytes = numbered(MANY);

	stack_far_stall(s, true);
	stack_write(s, slice_of(bytes, MANY));
	close_stack(s, 60000);
	stack_far_send(s, SLICE("not read"));
	stack_settle(s);
	assert_int_equal(s->closed, 0);
	stack_far_stall(s, false);
	stack_until(s, s->far_ended);
	assert_true(has_got(&s->far_got, bytes, MANY));
	stack_far_end(s, STREAM_END_PEER); /* a socket lingers until the peer has finished */
	stack_until(s, s->closed == 1);
	assert_int_equal(s->end, STREAM_END_LOCAL);
	assert_int_equal(s->got.len, 0);
	free(bytes);
}

static void close_has_a_deadline(struct stack *s)
{
	uint8_t *bytes = numbered(MANY);

	stack_far_stall(s, true);
	stack_write(s, slice_of(bytes, MANY));
	close_stack(s, 20);
	stack_until(s, s->closed == 1);
	assert_int_equal(s->end, STREAM_END_LOCAL);
	free(bytes);
}

static void abort_now(struct stack *s)
{
	stream_abort(s->stream);
	stream_abort(s->stream);
	stream_close(s->stream, 1000);
}

static void abort_ends_it(struct stack *s)
{
	uint8_t *bytes = numbered(MANY);

	stack_far_stall(s, true);
	stack_write(s, slice_of(bytes, MANY));
	s->on_bytes = abort_now;
	stack_far_send(s, SLICE("x"));
	stack_until(s, s->closed == 1);
	assert_int_equal(s->end, STREAM_END_LOCAL);
	stack_far_stall(s, false);
	stack_until(s, s->far_ended);
	assert_true(s->far_got.len < MANY);
	free(bytes);
}

/* --- the peer ends it --- */

static void the_peer_ends_it(struct stack *s)
{
	stack_far_send(s, SLICE("bye"));
	stack_far_end(s, STREAM_END_PEER);
	stack_until(s, s->closed == 1);
	assert_true(has_got(&s->got, (const uint8_t *)"bye", 3));
	assert_int_equal(s->end, STREAM_END_PEER);
}

/* Of a Unix socket the other side sees an orderly end, unless there was unread output. */
static void the_peer_resets_it(struct stack *s)
{
	stack_far_stall(s, true);
	stack_write(s, SLICE("unread"));
	stack_far_end(s, STREAM_END_RESET);
	stack_until(s, s->closed == 1);
	assert_int_equal(s->end, STREAM_END_RESET);
}

/* --- moving --- */

static void detach_now(struct stack *s)
{
	stream_detach(s->stream);
}

static void it_moves_with_what_is_inside(struct stack *s)
{
	uint8_t *bytes = numbered(200000), *out = numbered(MANY);
	unsigned moves = 0;

	stack_far_stall(s, true);
	stack_write(s, slice_of(out, MANY));
	s->on_bytes = detach_now;
	stack_far_send(s, slice_of(bytes, 200000));
	while (s->got.len < 200000) {
		stack_until(s, s->stream->executor == NULL);
		stack_settle(s); /* nobody's */
		assert_null(s->stream->executor);
		stack_attach(s, 1 - s->at);
		moves++;
	}
	stack_until(s, s->stream->executor != NULL || s->got.len == 200000);
	if (s->stream->executor == NULL)
		stack_attach(s, 1 - s->at);
	assert_true(moves > 0);
	assert_true(has_got(&s->got, bytes, 200000));
	s->on_bytes = NULL;
	stack_far_stall(s, false);
	stack_until(s, s->far_got.len == MANY);
	assert_true(has_got(&s->far_got, out, MANY));
	free(bytes);
	free(out);
}

static void a_pause_moves_along(struct stack *s)
{
	stack_enter(s);
	stream_pause(s->stream);
	stream_detach(s->stream);
	stack_leave();
	stack_far_send(s, SLICE("abc"));
	stack_attach(s, 1);
	stack_settle(s);
	assert_int_equal(s->got.len, 0);
	stack_enter(s);
	stream_resume(s->stream);
	stack_leave();
	stack_until(s, s->got.len == 3);
}

static void abort_and_detach(struct stack *s)
{
	stream_abort(s->stream);
	stream_detach(s->stream);
}

static void an_end_is_reported_where_it_is_attached_next(struct stack *s)
{
	s->on_bytes = abort_and_detach;
	stack_far_send(s, SLICE("x"));
	stack_until(s, s->stream->executor == NULL);
	stack_settle(s);
	assert_int_equal(s->closed, 0);
	stack_attach(s, 1);
	assert_int_equal(s->closed, 0);
	stack_until(s, s->closed == 1);
	assert_int_equal(s->end, STREAM_END_LOCAL);
}

static void a_detached_one_is_discarded(struct stack *s)
{
	stack_enter(s);
	stream_detach(s->stream);
	stack_leave();
	stream_discard(s->stream);
	s->stream = NULL;
	stack_until(s, s->far_ended);
	assert_int_equal(s->closed, 0);
}

/* --- all of them --- */

static const struct {
	const char *name;
	void (*run)(struct stack *s);
} behaviours[] = {
    {"facts", facts},
    {"bytes pass both ways", bytes_pass_both_ways},
    {"a write may be partial", a_write_may_be_partial},
    {"nothing comes while paused", nothing_comes_while_paused},
    {"pause and resume at once", pause_and_resume_at_once},
    {"the end waits while paused", the_end_waits_while_paused},
    {"close without output", close_without_output},
    {"close sends what is pending", close_sends_what_is_pending},
    {"close has a deadline", close_has_a_deadline},
    {"abort ends it", abort_ends_it},
    {"the peer ends it", the_peer_ends_it},
    {"the peer resets it", the_peer_resets_it},
    {"it moves with what is inside", it_moves_with_what_is_inside},
    {"a pause moves along", a_pause_moves_along},
    {"an end is reported where it is attached next", an_end_is_reported_where_it_is_attached_next},
    {"a detached one is discarded", a_detached_one_is_discarded},
};

static void run_all(enum stack_kind kind)
{
	for (size_t i = 0; i < sizeof(behaviours) / sizeof(behaviours[0]); i++) {
		struct stack s;

		print_message("# %s: %s\n", stack_name(kind), behaviours[i].name);
		stack_open(&s, kind, &server);
		behaviours[i].run(&s);
		stack_close(&s);
	}
}

static void over_a_socket(void **state)
{
	(void)state;
	run_all(STACK_SOCKET);
}

static void over_a_unix_socket(void **state)
{
	(void)state;
	run_all(STACK_UNIX);
}

static void over_memory(void **state)
{
	(void)state;
	run_all(STACK_MEMORY);
}

static void over_tls_over_a_socket(void **state)
{
	(void)state;
	run_all(STACK_TLS_SOCKET);
}

static void over_tls_over_memory(void **state)
{
	(void)state;
	run_all(STACK_TLS_MEMORY);
}

static void over_a_stream_over_tls(void **state)
{
	(void)state;
	run_all(STACK_MASKED_TLS);
}

static void over_a_websocket_over_tls(void **state)
{
	(void)state;
	run_all(STACK_WEBSOCKET);
}

/* What is said to a client that takes nothing would be kept: pongs are dropped. */
static void pings_of_a_client_that_reads_nothing(void **state)
{
	uint8_t *bytes = numbered(MANY);
	struct stack s = {0};
	size_t before;

	(void)state;
	stack_open(&s, STACK_WEBSOCKET, &server);
	stack_far_frame(&s, 0x89, SLICE("ping"));
	stack_until(&s, s.far_pongs == 1);
	stack_far_stall(&s, true);
	stack_write(&s, slice_of(bytes, MANY));
	stack_settle(&s);
	before = backlog_of(&s);
	assert_true(before > STREAM_BACKLOG_LOW);
	for (size_t i = 0; i < 100; i++) {
		stack_far_frame(&s, 0x89, SLICE("ping"));
		stack_step(&s);
	}
	stack_far_send(&s, SLICE("after the pings"));
	stack_until(&s, s.got.len == strlen("after the pings"));
	assert_int_equal(backlog_of(&s), before);
	stack_far_stall(&s, false);
	stack_until(&s, s.far_got.len == MANY);
	assert_int_equal(s.far_pongs, 1);
	stack_close(&s);
	free(bytes);
}

static int set_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	tls_server_init(&server);
	net_fixture_log_start();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	net_fixture_log_stop();
	tls_server_fini(&server);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(over_a_socket),
	    cmocka_unit_test(over_a_unix_socket),
	    cmocka_unit_test(over_memory),
	    cmocka_unit_test(over_tls_over_a_socket),
	    cmocka_unit_test(over_tls_over_memory),
	    cmocka_unit_test(over_a_stream_over_tls),
	    cmocka_unit_test(over_a_websocket_over_tls),
	    cmocka_unit_test(pings_of_a_client_that_reads_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
