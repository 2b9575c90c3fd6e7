/* Sessions that are resumed, and what is asked again of those who come with one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

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

/* RFC 7627: resumable only with the extended master secret. */
static void no_ticket_without_extended_master_secret(void **state)
{
	struct net_fixture h;
	struct net_client c;
	SSL_SESSION *session;

	(void)state;
	tls_fixture_start(&h, &(struct tls_fixture_server){.identities = {&tls_fixture.ec}});
	for (int i = 0; i < 2; i++) {
		c = (struct net_client){.ctx = SSL_CTX_new(TLS_client_method()),
		                        .fd = net_client_dial(h.port)};
		SSL_CTX_set_max_proto_version(c.ctx, TLS1_2_VERSION);
		SSL_CTX_set_options(c.ctx, SSL_OP_NO_EXTENDED_MASTER_SECRET);
		c.ssl = SSL_new(c.ctx);
		SSL_set_fd(c.ssl, c.fd);
		if (i == 1)
			assert_int_equal(SSL_set_session(c.ssl, session), 1);
		assert_int_equal(SSL_connect(c.ssl), 1);
		assert_non_null(tls_fixture_ask_who(&c));
		if (i == 0)
			session = SSL_get1_session(c.ssl);
		else
			assert_int_equal(SSL_session_reused(c.ssl), 0);
		net_client_close(&c);
	}
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
	int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	struct net_fixture h;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct net_client_options options = {.min_version = versions[i],
		                                     .max_version = versions[i]};
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
	struct net_client_options options = {.min_version = TLS1_3_VERSION};
	struct net_fixture h;
	struct net_client c;
	SSL_SESSION *session;

	(void)state;
	tls_fixture_with_certificate(&options, &tls_fixture.good);
	tls_fixture_start(&h, &(struct tls_fixture_server){.identities = {&tls_fixture.ec},
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tickets_resume),
	    cmocka_unit_test(no_ticket_without_extended_master_secret),
	    cmocka_unit_test(early_data_is_refused),
	    cmocka_unit_test(resumption_asks_again),
	    cmocka_unit_test(a_resumed_client_is_known),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, tls_fixture_set_up, tls_fixture_tear_down);
}
