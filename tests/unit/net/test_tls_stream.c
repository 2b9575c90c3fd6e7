/* Bytes through TLS: both versions, any sizes, pauses, moves between executors in the middle of a
 * burst, slow readers, and every way to end. Real sockets, a real OpenSSL client. */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/container.h"
#include "net_client.h"
#include "net_fixture.h"
#include "tls_server.h"

static struct tls_server server;
static struct tls_context *context;

static int set_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	tls_server_init(&server);
	context = tls_server_context(&server);
	net_fixture_log_start();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	net_fixture_log_stop();
	tls_context_unref(&context);
	tls_server_fini(&server);
	return 0;
}

/* --- echo --- */

static uint64_t random_state = 2463534242u;

static size_t random_below(size_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (size_t)(random_state % n);
}

static void fill_random(uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)random_below(256);
}

#define BURST ((size_t)1500000)

/* Everything that is sent comes back, in order, whatever the sizes. */
static void echo_all(struct net_client *c, size_t total)
{
	uint8_t *sent = xalloc(total), *back = xalloc(total);
	size_t out = 0, in = 0;

	fill_random(sent, total);
	while (in < total) {
		size_t n = random_below(2) == 0 ? random_below(200) + 1 : random_below(150000) + 1;

		n = n < total - out ? n : total - out;
		assert_true(net_client_send(c, sent + out, n));
		out += n;
		n = out == total ? out - in : random_below(out - in + 1);
		assert_true(net_client_recv(c, back + in, n));
		in += n;
	}
	assert_memory_equal(sent, back, total);
	free(sent);
	free(back);
}

static void echo_with(const struct net_fixture_rules *rules, int version, size_t total)
{
	struct net_fixture h;
	struct net_client c;
	struct net_client_options options = {.ca = server.ca_file,
	                                     .server_name = "localhost",
	                                     .min_version = version,
	                                     .max_version = version};

	net_fixture_start(&h, rules, context, NULL);
	assert_true(net_client_open(&c, h.port, &options));
	echo_all(&c, total);
	net_client_close(&c);
	net_fixture_wait(&h, &h.ended, 1);
	assert_int_equal(h.last_end, STREAM_END_PEER);
	assert_int_equal(h.bytes, total);
	net_fixture_stop(&h);
}

static void echo_both_versions(void **state)
{
	(void)state;
	echo_with(&(struct net_fixture_rules){0}, TLS1_2_VERSION, BURST);
	echo_with(&(struct net_fixture_rules){0}, TLS1_3_VERSION, BURST);
}

static void on_resume(struct timer *timer, void *executor_arg)
{
	(void)executor_arg;
	stream_resume(container_of(timer, struct net_fixture_conn, timer)->stream);
}

/* Pauses of 0 to 2 ms, and pause and resume in one breath. */
static void echo_and_pause(struct net_fixture_conn *c, struct slice bytes)
{
	net_fixture_echo(c, bytes);
	if (net_fixture_random(c) % 3 == 0)
		return;
	stream_pause(c->stream);
	if (net_fixture_random(c) % 3 == 0) {
		stream_resume(c->stream);
		return;
	}
	c->timer.fire = on_resume;
	executor_timer_arm(&c->at->executor, &c->timer, net_fixture_random(c) % 3);
}

static void echo_with_pauses(void **state)
{
	(void)state;
	echo_with(&(struct net_fixture_rules){.on_bytes = echo_and_pause}, TLS1_2_VERSION, BURST);
	echo_with(&(struct net_fixture_rules){.on_bytes = echo_and_pause}, TLS1_3_VERSION, BURST);
}

/* To the other worker and back, often from inside on_bytes with more behind it. */
static void echo_and_move(struct net_fixture_conn *c, struct slice bytes)
{
	net_fixture_echo(c, bytes);
	if (net_fixture_random(c) % 2 == 0)
		net_fixture_move(c);
}

static void echo_while_moving(void **state)
{
	(void)state;
	echo_with(&(struct net_fixture_rules){.on_bytes = echo_and_move}, TLS1_2_VERSION, BURST);
	echo_with(&(struct net_fixture_rules){.on_bytes = echo_and_move}, TLS1_3_VERSION, BURST);
}

/* Paused first, with decrypted bytes and ciphertext inside, then moved by a timer. */
static void on_move(struct timer *timer, void *executor_arg)
{
	struct net_fixture_conn *c = container_of(timer, struct net_fixture_conn, timer);

	(void)executor_arg;
	stream_resume(c->stream);
	net_fixture_move(c);
}

static void echo_pause_move(struct net_fixture_conn *c, struct slice bytes)
{
	net_fixture_echo(c, bytes);
	if (timer_is_armed(&c->timer))
		return;
	stream_pause(c->stream);
	c->timer.fire = on_move;
	executor_timer_arm(&c->at->executor, &c->timer, net_fixture_random(c) % 2);
}

static void echo_while_pausing_and_moving(void **state)
{
	(void)state;
	echo_with(&(struct net_fixture_rules){.on_bytes = echo_pause_move}, TLS1_3_VERSION, BURST);
}

/* Records that do not fit into what one read takes: decrypted bytes stay inside OpenSSL. */
static void data_inside_openssl_survives_a_pause(void **state)
{
	struct net_fixture h;
	struct net_client c;
	struct net_client_options options = {.min_version = TLS1_3_VERSION};
	uint8_t *sent = xalloc(10000), *back = xalloc(10000);

	(void)state;
	fill_random(sent, 10000);
	net_fixture_start(&h, &(struct net_fixture_rules){.on_bytes = echo_pause_move}, context,
	                  NULL);
	assert_true(net_client_open(&c, h.port, &options));
	for (int i = 0; i < 60; i++)
		assert_true(net_client_send(&c, sent, 10000));
	for (int i = 0; i < 60; i++) {
		assert_true(net_client_recv(&c, back, 10000));
		assert_memory_equal(sent, back, 10000);
	}
	net_client_close(&c);
	net_fixture_stop(&h);
	free(sent);
	free(back);
}

static void two_hundred_clients_at_once(void **state)
{
	enum {
		CLIENTS = 200,
	};
	static struct net_client clients[CLIENTS];
	struct net_client_options options = {.ca = server.ca_file, .min_version = TLS1_2_VERSION};
	struct net_fixture h;
	int fds[CLIENTS];

	(void)state;
	net_fixture_start(&h, &(struct net_fixture_rules){.on_bytes = echo_and_move}, context,
	                  NULL);
	for (int i = 0; i < CLIENTS; i++)
		fds[i] = net_client_dial(h.port); /* say nothing yet */
	for (int i = 0; i < CLIENTS; i++)
		assert_true(net_client_open(&clients[i], h.port, &options));
	for (int i = 0; i < CLIENTS; i++)
		assert_true(net_client_echoes(&clients[i]));
	for (int i = 0; i < CLIENTS; i++) {
		net_client_close(&clients[i]);
		close(fds[i]);
	}
	net_fixture_wait(&h, &h.ended, 2 * CLIENTS);
	net_fixture_stop(&h);
	assert_int_equal(net_fixture_log_count(EVENT_HANDSHAKE_FAILED), 0);
}

/* A storm of handshakes: their first flights are all sent before any is answered. */
static void a_storm_of_handshakes(void **state)
{
	enum {
		CLIENTS = 100,
	};
	static struct net_client clients[CLIENTS];
	struct net_client early;
	struct net_client_options options = {.ca = server.ca_file, .min_version = TLS1_3_VERSION};
	struct net_fixture h;
	unsigned open = 0;

	(void)state;
	net_fixture_start(&h, &(struct net_fixture_rules){0}, context, NULL);
	assert_true(net_client_open(&early, h.port, &options));
	for (int i = 0; i < CLIENTS; i++) {
		struct net_client *c = &clients[i];

		*c = (struct net_client){.ctx = SSL_CTX_new(TLS_client_method()),
		                         .fd = net_client_dial(h.port)};
		assert_int_equal(SSL_CTX_load_verify_file(c->ctx, server.ca_file), 1);
		c->ssl = SSL_new(c->ctx);
		SSL_set_fd(c->ssl, c->fd);
		SSL_set_connect_state(c->ssl);
		BIO_socket_nbio(c->fd, 1);
		(void)SSL_do_handshake(c->ssl); /* the hello is out */
	}
	assert_true(net_client_echoes(&early));
	for (int i = 0; i < CLIENTS; i++) {
		BIO_socket_nbio(clients[i].fd, 0);
		open += SSL_do_handshake(clients[i].ssl) == 1 && net_client_echoes(&clients[i]);
		net_client_close(&clients[i]);
	}
	assert_int_equal(open, CLIENTS);
	net_client_close(&early);
	net_fixture_stop(&h);
}

/* --- output --- */

#define FLOOD ((size_t)8 * 1024 * 1024)

static void flood(struct net_fixture_conn *c, struct slice bytes)
{
	uint8_t *all = xalloc(FLOOD);

	(void)bytes;
	memset(all, 'x', FLOOD);
	stream_write(c->stream, slice_of(all, FLOOD));
	free(all);
	net_fixture_set_fact(c->fixture, 0, stream_backlog(c->stream));
}

static void note_backlog(struct net_fixture_conn *c)
{
	net_fixture_set_fact(c->fixture, 1, stream_backlog(c->stream) + 1);
}

/* A reader that does not read costs a backlog, and says when it is half gone, and gone. */
static void a_slow_reader(void **state)
{
	struct net_fixture h;
	struct net_client c;
	struct net_client_options options = {.min_version = TLS1_3_VERSION};
	uint8_t *back = xalloc(FLOOD);
	uint64_t first;

	(void)state;
	net_fixture_start(
	    &h, &(struct net_fixture_rules){.on_bytes = flood, .on_drained = note_backlog}, context,
	    NULL);
	assert_true(net_client_open(&c, h.port, &options));
	assert_true(net_client_send(&c, "go", 2));
	net_fixture_wait_fact(&h, 0, 1);
	mutex_lock(&h.lock);
	first = h.facts[0];
	assert_int_equal(h.drained, 0);
	mutex_unlock(&h.lock);
	assert_true(first > STREAM_BACKLOG_LOW);
	assert_true(net_client_recv(&c, back, FLOOD));
	net_fixture_wait(
	    &h, &h.drained,
	    1); /* half, quarter, ..., nothing: how many depends on what the kernel took */
	while (h.facts[1] != 1) {
		unsigned drained;

		mutex_lock(&h.lock);
		drained = h.drained;
		mutex_unlock(&h.lock);
		if (h.facts[1] != 1)
			net_fixture_wait(&h, &h.drained, drained + 1);
	}
	net_client_close(&c);
	net_fixture_stop(&h);
	free(back);
}

static void flood_and_close(struct net_fixture_conn *c, struct slice bytes)
{
	flood(c, bytes);
	stream_close(c->stream, PATIENCE_MS);
	stream_write(c->stream, SLICE("too late"));
}

/* All of it arrives, then close_notify and FIN. */
static void close_flushes(void **state)
{
	struct net_fixture h;
	struct net_client c;
	struct net_client_options options = {.min_version = TLS1_3_VERSION};
	uint8_t *back = xalloc(FLOOD);
	size_t n;

	(void)state;
	net_fixture_start(&h, &(struct net_fixture_rules){.on_bytes = flood_and_close}, context,
	                  NULL);
	assert_true(net_client_open(&c, h.port, &options));
	assert_true(net_client_send(&c, "go", 2));
	assert_true(net_client_recv(&c, back, FLOOD));
	assert_int_equal(SSL_read_ex(c.ssl, back, 1, &n), 0);
	assert_int_equal(SSL_get_error(c.ssl, 0), SSL_ERROR_ZERO_RETURN);
	net_fixture_wait(&h, &h.ended, 1);
	assert_int_equal(h.last_end, STREAM_END_LOCAL);
	net_client_close(&c);
	net_fixture_stop(&h);
	free(back);
}

static void flood_and_close_soon(struct net_fixture_conn *c, struct slice bytes)
{
	flood(c, bytes);
	stream_close(c->stream, 30);
}

/* A reader that never reads does not hold a closed stream longer than it was given. */
static void close_has_a_deadline(void **state)
{
	struct net_fixture h;
	struct net_client c;
	struct net_client_options options = {.min_version = TLS1_3_VERSION};

	(void)state;
	net_fixture_start(&h, &(struct net_fixture_rules){.on_bytes = flood_and_close_soon},
	                  context, NULL);
	assert_true(net_client_open(&c, h.port, &options));
	assert_true(net_client_send(&c, "go", 2));
	net_fixture_wait(&h, &h.ended, 1);
	assert_int_equal(h.last_end, STREAM_END_LOCAL);
	net_client_close(&c);
	net_fixture_stop(&h);
}

static void last_words(struct net_fixture_conn *c, struct slice bytes)
{
	(void)bytes;
	stream_write(c->stream, SLICE("bye!"));
	stream_close(c->stream, 1000);
}

/* A client that goes on sending must not lose the answer to a reset. */
static void a_busy_client_gets_the_last_words(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		struct net_fixture h;
		struct net_client c;
		struct net_client_options options = {.min_version = TLS1_3_VERSION};
		uint8_t more[5000] = {0};
		char back[4];

		net_fixture_start(&h, &(struct net_fixture_rules){.on_bytes = last_words}, context,
		                  NULL);
		assert_true(net_client_open(&c, h.port, &options));
		for (int k = 0; k < 30; k++)
			(void)net_client_send(&c, more, sizeof(more));
		assert_true(net_client_recv(&c, back, 4));
		assert_memory_equal(back, "bye!", 4);
		net_client_close(&c);
		net_fixture_wait(&h, &h.ended, 1);
		assert_int_equal(h.last_end, STREAM_END_LOCAL);
		net_fixture_stop(&h);
	}
}

static void flood_and_abort(struct net_fixture_conn *c, struct slice bytes)
{
	flood(c, bytes);
	stream_abort(c->stream);
	stream_abort(c->stream);
	stream_close(c->stream, 1000);
}

static void abort_resets(void **state)
{
	struct net_fixture h;
	struct net_client c;
	struct net_client_options options = {.min_version = TLS1_3_VERSION};
	uint8_t *back = xalloc(FLOOD);

	(void)state;
	net_fixture_start(&h, &(struct net_fixture_rules){.on_bytes = flood_and_abort}, context,
	                  NULL);
	assert_true(net_client_open(&c, h.port, &options));
	assert_true(net_client_send(&c, "go", 2));
	net_fixture_wait(&h, &h.ended,
	                 1); /* without a byte read, for the kernel not to take it all */
	assert_false(net_client_recv(&c, back, FLOOD));
	assert_int_equal(h.last_end, STREAM_END_LOCAL);
	net_client_close(&c);
	net_fixture_stop(&h);
	free(back);
}

/* --- the other side ends it --- */

static void a_reset_ends_it(void **state)
{
	struct net_fixture h;
	struct net_client c;
	struct net_client_options options = {.min_version = TLS1_3_VERSION};
	struct linger reset = {.l_onoff = 1};

	(void)state;
	net_fixture_start(&h, &(struct net_fixture_rules){0}, context, NULL);
	assert_true(net_client_open(&c, h.port, &options));
	assert_true(net_client_echoes(&c));
	assert_int_equal(setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
	SSL_set_quiet_shutdown(c.ssl, 1);
	net_client_close(&c);
	net_fixture_wait(&h, &h.ended, 1);
	assert_int_equal(h.last_end, STREAM_END_RESET);
	net_fixture_stop(&h);
}

static void forged_bytes_end_it(void **state)
{
	struct net_fixture h;
	struct net_client c;
	struct net_client_options options = {.min_version = TLS1_3_VERSION};
	uint8_t record[69] = {23, 3, 3, 0, 64};

	(void)state;
	net_fixture_start(&h, &(struct net_fixture_rules){0}, context, NULL);
	assert_true(net_client_open(&c, h.port, &options));
	assert_true(net_client_echoes(&c));
	assert_int_equal(write(c.fd, record, sizeof(record)), sizeof(record));
	net_fixture_wait(&h, &h.ended, 1);
	assert_int_equal(h.last_end, STREAM_END_TLS);
	(void)net_fixture_log_wait(EVENT_TLS_BROKEN, "damaged or forged");
	net_client_close(&c);
	net_fixture_stop(&h);
}

/* The owner learns of what came before the end, and of the end when it reads again. (TLS 1.2: with
 * 1.3 the client would close with a ticket unread, which is a reset.) */
static void pause_and_count(struct net_fixture_conn *c, struct slice bytes)
{
	(void)bytes;
	stream_pause(c->stream);
	c->timer.fire = on_resume;
	executor_timer_arm(&c->at->executor, &c->timer, 20);
}

static void the_end_behind_a_pause(void **state)
{
	struct net_fixture h;
	struct net_client c;
	struct net_client_options options = {.max_version = TLS1_2_VERSION};

	(void)state;
	net_fixture_start(&h, &(struct net_fixture_rules){.on_bytes = pause_and_count}, context,
	                  NULL);
	assert_true(net_client_open(&c, h.port, &options));
	assert_true(net_client_send(&c, "last words", 10));
	net_client_close(&c); /* in the same flight */
	net_fixture_wait(&h, &h.ended, 1);
	assert_int_equal(h.last_end, STREAM_END_PEER);
	assert_int_equal(h.bytes, 10);
	net_fixture_stop(&h);
}

/* --- what a moved stream takes along when it has ended on its way --- */

static void abort_in_flight(struct net_fixture_conn *c, struct slice bytes)
{
	(void)bytes;
	stream_abort(c->stream);
	net_fixture_move(c);
}

static void an_ended_stream_is_reported_at_its_new_owner(void **state)
{
	struct net_fixture h;
	struct net_client c;
	struct net_client_options options = {.min_version = TLS1_3_VERSION};

	(void)state;
	net_fixture_start(&h, &(struct net_fixture_rules){.on_bytes = abort_in_flight}, context,
	                  NULL);
	assert_true(net_client_open(&c, h.port, &options));
	assert_true(net_client_send(&c, "x", 1));
	net_fixture_wait(&h, &h.ended, 1);
	net_client_close(&c);
	net_fixture_stop(&h);
}

static void check_facts(struct net_fixture_conn *c, struct slice bytes)
{
	char text[64];
	size_t len = stream_peer_text(c->stream, text, sizeof(text));
	struct buf name = {0};

	(void)bytes;
	REQUIRE(strncmp(text, "127.0.0.1:", 10) == 0 && strlen(text) == len);
	REQUIRE(stream_peer_text(c->stream, text, 5) == 4 && strcmp(text, "127.") == 0);
	REQUIRE(slice_equal(stream_peer_key(c->stream), SLICE("\x7f\0\0\x01")));
	REQUIRE(strcmp(stream_tls_version(c->stream), "TLSv1.2") == 0);
	REQUIRE(stream_listener(c->stream) == 7);
	REQUIRE(!stream_has_certificate(c->stream));
	REQUIRE(stream_certificate_names(c->stream, CERTIFICATE_USER_CN, &name) == 0);
	stream_write(c->stream, SLICE("fine"));
}

static void facts_of_a_stream(void **state)
{
	struct net_fixture h;
	struct net_client c;
	struct net_client_options options = {.max_version = TLS1_2_VERSION};
	char back[4];

	(void)state;
	net_fixture_start(&h, &(struct net_fixture_rules){.on_bytes = check_facts}, context, NULL);
	assert_true(net_client_open(&c, h.port, &options));
	assert_true(net_client_send(&c, "x", 1));
	assert_true(net_client_recv(&c, back, 4));
	net_client_close(&c);
	net_fixture_stop(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(echo_both_versions),
	    cmocka_unit_test(echo_with_pauses),
	    cmocka_unit_test(echo_while_moving),
	    cmocka_unit_test(echo_while_pausing_and_moving),
	    cmocka_unit_test(data_inside_openssl_survives_a_pause),
	    cmocka_unit_test(two_hundred_clients_at_once),
	    cmocka_unit_test(a_storm_of_handshakes),
	    cmocka_unit_test(a_slow_reader),
	    cmocka_unit_test(close_flushes),
	    cmocka_unit_test(close_has_a_deadline),
	    cmocka_unit_test(a_busy_client_gets_the_last_words),
	    cmocka_unit_test(abort_resets),
	    cmocka_unit_test(a_reset_ends_it),
	    cmocka_unit_test(forged_bytes_end_it),
	    cmocka_unit_test(the_end_behind_a_pause),
	    cmocka_unit_test(an_ended_stream_is_reported_at_its_new_owner),
	    cmocka_unit_test(facts_of_a_stream),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
