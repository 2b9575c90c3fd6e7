/* Sessions that are resumed, and what is asked again of those who come with one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "net/tls/tls_session_cache.h"
#include "tls_fixture.h"

static void tickets_resume(void **state)
{
	struct tls_fixture_server server = {
	    .identities = {&tls_fixture.ec, &tls_fixture.rsa, &tls_fixture.other_name}};
	int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	struct net_fixture h;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct net_client_options options = {.min_version = versions[i],
		                                     .max_version = versions[i]};
		SSL_SESSION *session;

		tls_fixture_start(&h, &server);
		session = tls_fixture_session(&h, &options);
		assert_non_null(session);
		assert_int_equal(tls_fixture_comes_back(&h, options, session), 1);
		assert_int_equal(SSL_SESSION_get_max_early_data(session), 0);
		assert_in_range(SSL_SESSION_get_ticket_lifetime_hint(session), 1, 6 * 3600);
		net_fixture_stop(&h);
		tls_fixture_start(
		    &h, &server); /* another context, the same keys: a reload keeps tickets */
		assert_int_equal(tls_fixture_comes_back(&h, options, session), 1);
		net_fixture_stop(&h);
		server.tickets = tls_tickets_new();
		tls_fixture_start(&h, &server); /* new keys: they are worth nothing */
		assert_int_equal(tls_fixture_comes_back(&h, options, session), 0);
		net_fixture_stop(&h);
		tls_tickets_free(server.tickets);
		server.tickets = NULL;
		SSL_SESSION_free(session);
	}
}

/* RFC 8446 C.4: a client uses a ticket once, and needs a new one each time. */
static void each_resumed_connection_gets_a_ticket(void **state)
{
	struct net_client_options options = {.min_version = TLS1_3_VERSION};
	struct net_fixture h;
	SSL_SESSION *session;

	(void)state;
	tls_fixture_start(&h, &(struct tls_fixture_server){.identities = {&tls_fixture.ec}});
	session = tls_fixture_session(&h, &options);
	for (int i = 0; i < 5; i++) {
		SSL_SESSION *next;

		assert_non_null(session);
		options.session = session;
		assert_int_equal(tls_fixture_comes_back(&h, options, session), 1);
		next = tls_fixture_session(&h, &options);
		SSL_SESSION_free(session);
		session = next;
	}
	SSL_SESSION_free(session);
	net_fixture_stop(&h);
}

/* --- a clock that jumps --- */

static _Atomic uint64_t ahead_ns;

static uint64_t jumping_ns(void *arg)
{
	struct timespec now;

	(void)arg;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return ahead_ns + (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int64_t wall_ms(void *arg)
{
	(void)arg;
	return (int64_t)time(NULL) * 1000;
}

/* With a new ticket each time, but not without end. */
static void a_session_has_a_full_handshake_each_week(void **state)
{
	static const struct clock_source jumping = {.monotonic_ns = jumping_ns, .wall_ms = wall_ms};
	const uint64_t hours_13 = UINT64_C(13) * 3600 * 1000000000u;
	struct net_client_options options = {.min_version = TLS1_3_VERSION};
	struct tls_fixture_server server = {.identities = {&tls_fixture.ec}};
	struct net_fixture h;

	(void)state;
	clock_use(&jumping);
	server.tickets = tls_tickets_new();
	options.session = NULL;
	for (unsigned hours = 0; hours <= 7 * 24 + 13; hours += 13) {
		SSL_SESSION *session = options.session;

		tls_fixture_start(&h, &server);
		if (session != NULL)
			assert_int_equal(tls_fixture_comes_back(&h, options, session),
			                 hours < 7 * 24);
		options.session = tls_fixture_session(&h, &options);
		SSL_SESSION_free(session);
		net_fixture_stop(&h);
		ahead_ns += hours_13;
	}
	SSL_SESSION_free(options.session);
	tls_tickets_free(server.tickets);
	clock_use(NULL);
}

/* --- clients without tickets --- */

/* As BearSSL on an ESP8266. */
static void as_bearssl(SSL_CTX *ctx)
{
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_EXTENDED_MASTER_SECRET);
}

static void without_tickets(SSL_CTX *ctx)
{
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
}

static void without_extended_master_secret(SSL_CTX *ctx)
{
	SSL_CTX_set_options(ctx, SSL_OP_NO_EXTENDED_MASTER_SECRET);
}

static void sessions_resume_by_id(void **state)
{
	struct tls_fixture_server server = {.identities = {&tls_fixture.ec, &tls_fixture.rsa}};
	struct net_client_options options = {.max_version = TLS1_2_VERSION, .prepare = as_bearssl};
	struct net_fixture h;
	SSL_SESSION *session;
	unsigned len;

	(void)state;
	tls_fixture_start(&h, &server);
	session = tls_fixture_session(&h, &options);
	(void)SSL_SESSION_get_id(session, &len);
	assert_int_equal(len, 32);
	assert_false(SSL_SESSION_has_ticket(session));
	for (int i = 0; i < 3; i++)
		assert_int_equal(tls_fixture_comes_back(&h, options, session), 1);
	net_fixture_stop(&h);
	tls_fixture_start(&h, &server); /* a reload keeps it */
	assert_int_equal(tls_fixture_comes_back(&h, options, session), 1);
	net_fixture_stop(&h);
	server.listener = 2; /* it is worth nothing at another listener */
	tls_fixture_start(&h, &server);
	assert_int_equal(tls_fixture_comes_back(&h, options, session), 0);
	net_fixture_stop(&h);
	server.listener = 0;
	server.min_version = 13; /* nor where TLS 1.2 is not accepted any more */
	tls_fixture_start(&h, &server);
	assert_int_equal(tls_fixture_comes_back(&h, options, session), -1);
	net_fixture_stop(&h);
	server.min_version = 0;
	server.tickets = tls_tickets_new(); /* nor after CA or CRL have changed */
	tls_fixture_start(&h, &server);
	assert_int_equal(tls_fixture_comes_back(&h, options, session), 0);
	net_fixture_stop(&h);
	tls_tickets_free(server.tickets);
	SSL_SESSION_free(session);
}

/* RFC 7627: where clients have certificates, only with the extended master secret; with a ticket
 * and with a session id. */
static void not_without_extended_master_secret(void **state)
{
	static const struct {
		const char *name;
		enum conf_client_certificates clients;
		void (*prepare)(SSL_CTX *ctx);
		int resumed;
	} rows[] = {
	    {"none, ticket", CLIENT_CERTIFICATES_NONE, without_extended_master_secret, 1},
	    {"none, id", CLIENT_CERTIFICATES_NONE, as_bearssl, 1},
	    {"optional, ticket", CLIENT_CERTIFICATES_OPTIONAL, without_extended_master_secret, 0},
	    {"optional, id", CLIENT_CERTIFICATES_OPTIONAL, as_bearssl, 0},
	    {"optional, id, with it", CLIENT_CERTIFICATES_OPTIONAL, without_tickets, 1},
	};
	struct net_fixture h;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_fixture_server server = {.identities = {&tls_fixture.ec},
		                                    .clients = rows[i].clients};
		struct net_client_options options = {.max_version = TLS1_2_VERSION,
		                                     .prepare = rows[i].prepare};
		SSL_SESSION *session;

		if (rows[i].clients != CLIENT_CERTIFICATES_NONE)
			server.client_ca = tls_fixture.client_ca_file;
		tls_fixture_start(&h, &server);
		session = tls_fixture_session(&h, &options);
		if (session != NULL &&
		    tls_fixture_comes_back(&h, options, session) != rows[i].resumed)
			fail_msg("%s", rows[i].name);
		assert_true(session != NULL || rows[i].resumed == 0);
		SSL_SESSION_free(session);
		net_fixture_stop(&h);
	}
}

/* A record that is forged: the session ends with its connection (RFC 5246 7.2.2). */
static void a_broken_connection_ends_its_session(void **state)
{
	struct net_client_options options = {.max_version = TLS1_2_VERSION, .prepare = as_bearssl};
	static const char forged[] = "\x17\x03\x03\x00\x20................................";
	struct net_fixture h;
	struct net_client c;
	SSL_SESSION *session;

	(void)state;
	tls_fixture_start(&h, &(struct tls_fixture_server){.identities = {&tls_fixture.ec}});
	session = tls_fixture_session(&h, &options);
	options.session = session;
	assert_true(net_client_open(&c, h.port, &options));
	assert_non_null(tls_fixture_ask_who(&c));
	assert_int_equal(write(c.fd, forged, sizeof(forged) - 1), sizeof(forged) - 1);
	(void)net_fixture_log_wait(EVENT_TLS_BROKEN, "cause=");
	net_client_close(&c);
	assert_int_equal(tls_fixture_comes_back(&h, options, session), 0);
	SSL_SESSION_free(session);
	net_fixture_stop(&h);
}

/* It is off: a client that sends some all the same has not read its ticket. */
static void early_data_is_refused(void **state)
{
	struct net_client_options options = {.min_version = TLS1_3_VERSION};
	struct net_fixture h;
	struct net_client c;
	SSL_SESSION *session;
	size_t n;

	(void)state;
	tls_fixture_start(&h, &(struct tls_fixture_server){.identities = {&tls_fixture.ec}});
	assert_true(net_client_open(&c, h.port, &options));
	assert_non_null(tls_fixture_ask_who(&c));
	session = SSL_SESSION_dup(c.ticket);
	assert_int_equal(SSL_SESSION_get_max_early_data(session), 0);
	assert_int_equal(SSL_SESSION_set_max_early_data(session, 16384), 1);
	net_client_close(&c);

	c = (struct net_client){.ctx = SSL_CTX_new(TLS_client_method()),
	                        .fd = net_client_dial(h.port)};
	c.ssl = SSL_new(c.ctx);
	SSL_set_fd(c.ssl, c.fd);
	assert_int_equal(SSL_set_session(c.ssl, session), 1);
	assert_int_equal(SSL_write_early_data(c.ssl, "?", 1, &n), 1);
	if (SSL_connect(c.ssl) == 1)
		assert_null(tls_fixture_ask_who(&c));
	(void)net_fixture_log_wait(EVENT_HANDSHAKE_FAILED, "too much early data");
	SSL_SESSION_free(session);
	net_client_close(&c);
	net_fixture_stop(&h);
}

/* A ticket does not get anybody in whose certificate would not. */
static void resumption_asks_again(void **state)
{
	struct tls_fixture_server open = {.identities = {&tls_fixture.ec},
	                                  .clients = CLIENT_CERTIFICATES_REQUIRED,
	                                  .client_ca = tls_fixture.client_ca_file};
	int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION, TLS1_2_VERSION};
	struct net_fixture h;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct net_client_options options = {.min_version = versions[i],
		                                     .max_version = versions[i],
		                                     .prepare = i == 2 ? without_tickets : NULL};
		struct tls_fixture_server now = open;
		SSL_SESSION *session;

		tls_fixture_with_certificate(&options, &tls_fixture.revoked);
		tls_fixture_start(&h, &open);
		session = tls_fixture_session(&h, &options);
		assert_int_equal(tls_fixture_comes_back(&h, options, session), 1);
		net_fixture_stop(&h);
		now.client_crl = tls_fixture.crl; /* it is revoked now */
		tls_fixture_start(&h, &now);
		assert_int_equal(tls_fixture_comes_back(&h, options, session), -1);
		(void)net_fixture_log_wait(EVENT_HANDSHAKE_FAILED, "is revoked");
		net_fixture_stop(&h);
		now.client_crl = NULL; /* another CA now */
		now.client_ca = tls_fixture.bad_ca_file;
		tls_fixture_start(&h, &now);
		assert_int_equal(tls_fixture_comes_back(&h, options, session), -1);
		net_fixture_stop(&h);
		SSL_SESSION_free(session);
	}
}

/* Resumed, the certificate still says who it is. */
static void a_resumed_client_is_known(void **state)
{
	static const struct net_client_options ways[] = {
	    {.min_version = TLS1_3_VERSION},
	    {.max_version = TLS1_2_VERSION},
	    {.max_version = TLS1_2_VERSION, .prepare = without_tickets},
	};
	struct net_fixture h;
	struct net_client c;
	SSL_SESSION *session;

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct net_client_options options = ways[i];

		tls_fixture_with_certificate(&options, &tls_fixture.good);
		tls_fixture_start(
		    &h, &(struct tls_fixture_server){.identities = {&tls_fixture.ec},
		                                     .clients = CLIENT_CERTIFICATES_OPTIONAL,
		                                     .client_ca = tls_fixture.client_ca_file,
		                                     .client_crl = tls_fixture.crl});
		session = tls_fixture_session(&h, &options);
		options.session = session;
		assert_true(net_client_open(&c, h.port, &options));
		assert_string_equal(tls_fixture_ask_who(&c), "lamp....");
		assert_int_equal(SSL_session_reused(c.ssl), 1);
		net_client_close(&c);
		SSL_SESSION_free(session);
		net_fixture_stop(&h);
	}
}

/* --- the cache --- */

static struct slice id_of(unsigned n)
{
	static unsigned id;

	id = n;
	return slice_of(&id, sizeof(id));
}

static bool has(const struct tls_session_cache *c, unsigned n)
{
	struct buf found = {0};
	bool there = tls_session_cache_find(c, id_of(n), &found);

	if (there)
		assert_memory_equal(found.data, &n, sizeof(n)); /* the session is the id again */
	buf_fini(&found);
	return there;
}

static void put(struct tls_session_cache *c, unsigned n, const char *source)
{
	tls_session_cache_put(c, id_of(n), slice_of_str(source), id_of(n));
}

static void the_oldest_session_goes(void **state)
{
	struct tls_session_cache c = {0};

	(void)state;
	for (unsigned n = 0; n < TLS_SESSIONS_MAX; n++)
		put(&c, n, n % 2 == 0 ? "even" : "odd");
	put(&c, 0, "even"); /* it is the newest now */
	assert_true(has(&c, 0) && has(&c, 1));
	put(&c, TLS_SESSIONS_MAX, "another");
	assert_false(has(&c, 1));
	assert_true(has(&c, 0) && has(&c, 2) && has(&c, TLS_SESSIONS_MAX));
	tls_session_cache_remove(&c, id_of(2));
	tls_session_cache_remove(&c, id_of(2));
	assert_false(has(&c, 2));
	tls_session_cache_fini(&c);
	assert_false(has(&c, 0));
}

/* A crowd from one address does not cost the others their sessions. */
static void one_source_has_its_share(void **state)
{
	struct tls_session_cache c = {0};

	(void)state;
	for (unsigned n = 0; n < TLS_SESSIONS_MAX - TLS_SESSIONS_PER_SOURCE_MAX; n++)
		put(&c, n, "house");
	for (unsigned n = 0; n < 10000; n++)
		put(&c, 100000 + n, "crowd");
	for (unsigned n = 0; n < TLS_SESSIONS_MAX - TLS_SESSIONS_PER_SOURCE_MAX; n++)
		assert_true(has(&c, n));
	assert_true(has(&c, 109999));
	assert_int_equal(c.by_id.count, TLS_SESSIONS_MAX);
	tls_session_cache_fini(&c);
}

static void a_large_session_is_left_out(void **state)
{
	static const uint8_t bytes[TLS_SESSION_BYTES_MAX + 1];
	struct tls_session_cache c = {0};

	(void)state;
	tls_session_cache_put(&c, id_of(1), SLICE_EMPTY, slice_of(bytes, sizeof(bytes)));
	assert_int_equal(c.by_id.count, 0);
	tls_session_cache_put(&c, id_of(1), SLICE_EMPTY, slice_of(bytes, sizeof(bytes) - 1));
	assert_int_equal(c.by_id.count, 1);
	tls_session_cache_fini(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tickets_resume),
	    cmocka_unit_test(each_resumed_connection_gets_a_ticket),
	    cmocka_unit_test(a_session_has_a_full_handshake_each_week),
	    cmocka_unit_test(sessions_resume_by_id),
	    cmocka_unit_test(not_without_extended_master_secret),
	    cmocka_unit_test(a_broken_connection_ends_its_session),
	    cmocka_unit_test(early_data_is_refused),
	    cmocka_unit_test(resumption_asks_again),
	    cmocka_unit_test(a_resumed_client_is_known),
	    cmocka_unit_test(the_oldest_session_goes),
	    cmocka_unit_test(one_source_has_its_share),
	    cmocka_unit_test(a_large_session_is_left_out),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, tls_fixture_set_up, tls_fixture_tear_down);
}
