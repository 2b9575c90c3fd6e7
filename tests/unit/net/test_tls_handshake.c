/* Which handshakes succeed: versions, suites, groups, ALPN, server names; and what the log says
 * about those that do not. */
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

/* --- versions, suites, groups, protocols --- */

struct demand {
	const char *name;
	struct net_client_options options;
	bool in;
	const char *log; /* in the line of the failed handshake */
};

static void check_demands(struct net_fixture *h, const struct demand *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *line;

		net_fixture_log_clear();
		if (tls_fixture_gets_in(h, &rows[i].options) != rows[i].in)
			fail_msg("%s", rows[i].name);
		if (rows[i].in)
			continue;
		line = net_fixture_log_wait(EVENT_HANDSHAKE_FAILED, rows[i].log);
		assert_non_null(strstr(line, "peer=127.0.0.1:"));
		assert_non_null(strstr(line, "listener=127.0.0.1:0"));
	}
}

static void versions_suites_groups_protocols(void **state)
{
	static const struct demand rows[] = {
	    {"TLS 1.3", {.min_version = TLS1_3_VERSION}, true, NULL},
	    {"TLS 1.2", {.max_version = TLS1_2_VERSION}, true, NULL},
	    {"TLS 1.1",
	     {.min_version = TLS1_1_VERSION, .max_version = TLS1_1_VERSION, .no_security = true},
	     false,
	     "offered=TLSv1.1"},
	    {"TLS 1.0",
	     {.min_version = TLS1_VERSION, .max_version = TLS1_VERSION, .no_security = true},
	     false,
	     "offers only TLS versions below"},
	    {"ChaCha20",
	     {.max_version = TLS1_2_VERSION, .suites_12 = "ECDHE-ECDSA-CHACHA20-POLY1305"},
	     true,
	     NULL},
	    {"CBC",
	     {.max_version = TLS1_2_VERSION, .suites_12 = "ECDHE-ECDSA-AES128-SHA256"},
	     false,
	     "no suite in common"},
	    {"static RSA",
	     {.max_version = TLS1_2_VERSION, .suites_12 = "AES128-GCM-SHA256"},
	     false,
	     "no suite in common"},
	    {"finite-field DHE",
	     {.max_version = TLS1_2_VERSION, .suites_12 = "DHE-RSA-AES128-GCM-SHA256"},
	     false,
	     "openssl=\"no shared cipher\""},
	    {"an RSA client at an ECDSA server",
	     {.max_version = TLS1_2_VERSION, .suites_12 = "ECDHE-RSA-AES128-GCM-SHA256"},
	     false,
	     "RSA and an ECDSA certificate side by side"},
	    {"CCM in TLS 1.3",
	     {.min_version = TLS1_3_VERSION, .suites_13 = "TLS_AES_128_CCM_SHA256"},
	     false,
	     "no suite in common"},
	    {"X25519", {.groups = "X25519"}, true, NULL},
	    {"P-384", {.groups = "P-384"}, true, NULL},
	    {"P-521",
	     {.min_version = TLS1_3_VERSION, .groups = "P-521"},
	     false,
	     "no key-exchange group in common"},
	    {"ALPN mqtt", {.alpn = "\x04mqtt"}, true, NULL},
	    {"ALPN mqtt behind another", {.alpn = "\x08http/1.1\x04mqtt"}, true, NULL},
	    {"ALPN foreign", {.alpn = "\x08http/1.1"}, false, "offered=http/1.1"},
	    {"ALPN almost", {.alpn = "\x05mqtt2"}, false, "(ALPN)"},
	    {"unknown server name", {.server_name = "somebody.else"}, true, NULL},
	};
	struct net_fixture h;

	(void)state;
	tls_fixture_start(&h, &(struct tls_fixture_server){.identities = {&tls_fixture.ec}});
	check_demands(&h, rows, sizeof(rows) / sizeof(rows[0]));
	net_fixture_stop(&h);
}

static void alpn_is_answered(void **state)
{
	struct net_fixture h;
	struct net_client c;
	const unsigned char *chosen;
	unsigned len;

	(void)state;
	tls_fixture_start(&h, &(struct tls_fixture_server){.identities = {&tls_fixture.ec}});
	assert_true(net_client_open(&c, h.port,
	                            &(struct net_client_options){.max_version = TLS1_2_VERSION,
	                                                         .alpn = "\x03"
	                                                                 "foo\x04mqtt"}));
	SSL_get0_alpn_selected(c.ssl, &chosen, &len);
	assert_int_equal(len, 4);
	assert_memory_equal(chosen, "mqtt", 4);
	assert_int_equal(SSL_get_secure_renegotiation_support(c.ssl), 1);
	assert_null(SSL_get_current_compression(c.ssl));
	assert_int_equal(SSL_SESSION_get_max_early_data(SSL_get_session(c.ssl)), 0);
	net_client_close(&c);
	net_fixture_stop(&h);
}

static void min_version_13(void **state)
{
	struct net_fixture h;

	(void)state;
	tls_fixture_start(
	    &h, &(struct tls_fixture_server){.identities = {&tls_fixture.ec}, .min_version = 13});
	assert_true(tls_fixture_gets_in(&h, &(struct net_client_options){0}));
	assert_false(
	    tls_fixture_gets_in(&h, &(struct net_client_options){.max_version = TLS1_2_VERSION}));
	(void)net_fixture_log_wait(EVENT_HANDSHAKE_FAILED, "offered=TLSv1.2");
	net_fixture_stop(&h);
}

static void renegotiation_is_refused(void **state)
{
	struct net_fixture h;
	struct net_client c;

	(void)state;
	tls_fixture_start(&h, &(struct tls_fixture_server){.identities = {&tls_fixture.ec}});
	assert_true(net_client_open(&c, h.port,
	                            &(struct net_client_options){.max_version = TLS1_2_VERSION}));
	assert_non_null(tls_fixture_ask_who(&c));
	assert_int_equal(SSL_renegotiate(c.ssl), 1);
	assert_true(SSL_do_handshake(c.ssl) != 1 || tls_fixture_ask_who(&c) == NULL ||
	            SSL_num_renegotiations(c.ssl) == 0);
	net_client_close(&c);
	net_fixture_stop(&h);
}

/* RFC 7507: who comes with less than it could, because something broke its first attempt. */
static void a_fallback_is_refused(void **state)
{
	struct net_fixture h;
	struct net_client c = {.ctx = SSL_CTX_new(TLS_client_method())};

	(void)state;
	tls_fixture_start(&h, &(struct tls_fixture_server){.identities = {&tls_fixture.ec}});
	c.fd = net_client_dial(h.port);
	SSL_CTX_set_max_proto_version(c.ctx, TLS1_2_VERSION);
	SSL_CTX_set_mode(c.ctx, SSL_MODE_SEND_FALLBACK_SCSV);
	c.ssl = SSL_new(c.ctx);
	SSL_set_fd(c.ssl, c.fd);
	assert_int_equal(SSL_connect(c.ssl), -1);
	(void)net_fixture_log_wait(EVENT_HANDSHAKE_FAILED, "fell back to an older TLS version");
	net_client_close(&c);
	net_fixture_stop(&h);
}

static void note_record(int write, int version, int type, const void *bytes, size_t len, SSL *ssl,
                        void *largest)
{
	const uint8_t *header = bytes;
	unsigned size;

	(void)version;
	(void)ssl;
	if (write || type != SSL3_RT_HEADER || len < 5)
		return;
	size = (unsigned)header[3] << 8 | header[4];
	if (size > *(unsigned *)largest)
		*(unsigned *)largest = size;
}

/* RFC 6066 4: a microcontroller with little memory asks for small records, and gets them. */
static void small_records_for_small_devices(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	struct net_fixture h;

	(void)state;
	tls_fixture_start(&h, &(struct tls_fixture_server){.identities = {&tls_fixture.rsa}});
	h.rules.on_bytes = net_fixture_echo;
	for (size_t i = 0; i < 2; i++) {
		struct net_client c = {.ctx = SSL_CTX_new(TLS_client_method())};
		uint8_t bytes[6000] = {0};
		unsigned largest = 0;

		c.fd = net_client_dial(h.port);
		SSL_CTX_set_max_proto_version(c.ctx, versions[i]);
		SSL_CTX_set_tlsext_max_fragment_length(c.ctx, TLSEXT_max_fragment_length_512);
		SSL_CTX_set_msg_callback(c.ctx, note_record);
		SSL_CTX_set_msg_callback_arg(c.ctx, &largest);
		c.ssl = SSL_new(c.ctx);
		SSL_set_fd(c.ssl, c.fd);
		assert_int_equal(SSL_connect(c.ssl), 1);
		assert_true(net_client_send(&c, bytes, sizeof(bytes)));
		assert_true(net_client_recv(&c, bytes, sizeof(bytes)));
		assert_in_range(largest, 1, 0x218);
		net_client_close(&c);
	}
	net_fixture_stop(&h);
}

/* --- certificates of ours --- */

static int key_type_seen(struct net_fixture *h, const struct net_client_options *options)
{
	struct net_client c;
	int type = 0;

	if (net_client_open(&c, h->port, options))
		type = EVP_PKEY_get_base_id(X509_get0_pubkey(SSL_get0_peer_certificate(c.ssl)));
	net_client_close(&c);
	return type;
}

static bool name_seen(struct net_fixture *h, const char *asked, const char *expected)
{
	struct net_client c;
	struct net_client_options options = {.ca = tls_fixture.ca_file, .server_name = asked};
	bool there = net_client_open(&c, h->port, &options) &&
	             X509_check_host(SSL_get0_peer_certificate(c.ssl), expected, 0, 0, NULL) == 1;

	net_client_close(&c);
	return there;
}

static void certificates_side_by_side_and_by_name(void **state)
{
	struct net_client_options rsa_only = {.ca = tls_fixture.ca_file,
	                                      .server_name = "localhost",
	                                      .max_version = TLS1_2_VERSION,
	                                      .suites_12 = "ECDHE-RSA-AES128-GCM-SHA256"};
	struct net_client_options any = {.ca = tls_fixture.ca_file};
	struct tls_context *ctx;
	struct net_fixture h;

	(void)state;
	ctx = tls_fixture_context(&(struct tls_fixture_server){
	    .identities = {&tls_fixture.ec, &tls_fixture.rsa, &tls_fixture.other_name}});
	assert_string_equal(tls_context_certificates(ctx), "ECDSA P-256, RSA 2048 and ECDSA P-256");
	net_fixture_start(&h, &tls_fixture_who, ctx, NULL);
	tls_context_unref(&ctx);
	assert_int_equal(key_type_seen(&h, &rsa_only), EVP_PKEY_RSA);
	assert_int_equal(key_type_seen(&h, &any), EVP_PKEY_EC);
	assert_true(name_seen(&h, "localhost", "localhost"));
	assert_true(name_seen(&h, "a.example.org", "b.example.org"));
	assert_true(name_seen(&h, "A.EXAMPLE.ORG", "b.example.org"));
	assert_true(name_seen(&h, "a.b.example.org", "localhost"));
	assert_true(name_seen(&h, "unknown", "localhost"));
	net_fixture_stop(&h);
}

/* --- who does not speak TLS --- */

static void plaintext_is_refused(void **state)
{
	static const struct {
		const char *name;
		struct slice bytes;
		const char *cause;
	} rows[] = {
	    {"CONNECT", SLICE_INIT("\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00"),
	     "MQTT CONNECT without TLS"},
	    {"HTTP", SLICE_INIT("GET / HTTP/1.1\r\n\r\n"), "sent HTTP"},
	    {"PROXY", SLICE_INIT("PROXY TCP4 1.2.3.4"), "PROXY header"},
	    {"SSLv2", SLICE_INIT("\x80\x2e\x01\x03\x01"), "are not TLS"},
	    {"nearly TLS", SLICE_INIT("\x16\x02\x00\x00\x01"), "are not TLS"},
	};
	struct net_fixture h;

	(void)state;
	tls_fixture_start(&h, &(struct tls_fixture_server){.identities = {&tls_fixture.ec}});
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd = net_client_dial(h.port);
		char byte;

		net_fixture_log_clear();
		assert_int_equal(write(fd, rows[i].bytes.data, rows[i].bytes.len),
		                 rows[i].bytes.len);
		if (read(fd, &byte, 1) > 0)
			fail_msg("%s got an answer", rows[i].name);
		(void)net_fixture_log_wait(EVENT_PLAINTEXT_REFUSED, rows[i].cause);
		assert_int_equal(net_fixture_log_count(EVENT_PLAINTEXT_REFUSED), 1);
		assert_int_equal(net_fixture_log_count(EVENT_HANDSHAKE_FAILED), 0);
		close(fd);
	}
	net_fixture_wait(&h, &h.ended, 5);
	assert_int_equal(h.bytes, 0);
	net_fixture_stop(&h);
}

static void garbage_behind_a_record_header(void **state)
{
	struct net_fixture h;
	int fd;

	(void)state;
	tls_fixture_start(&h, &(struct tls_fixture_server){.identities = {&tls_fixture.ec}});
	fd = net_client_dial(h.port);
	assert_int_equal(write(fd, "\x16\x03\x01\x00\x04\x01\x02\x03\x04", 9), 9);
	net_fixture_wait(&h, &h.ended, 1);
	assert_int_equal(h.last_end, STREAM_END_TLS);
	(void)net_fixture_log_wait(EVENT_HANDSHAKE_FAILED, "cause=");
	close(fd);
	net_fixture_stop(&h);
}

/* Who comes and goes, or says nothing, is not worth a line; who goes after our certificate is. */
static void a_client_that_goes(void **state)
{
	struct net_fixture h;
	struct net_client c;

	(void)state;
	tls_fixture_start(&h, &(struct tls_fixture_server){.identities = {&tls_fixture.ec}});
	close(net_client_dial(h.port));
	net_fixture_wait(&h, &h.ended, 1);
	assert_int_equal(h.last_end, STREAM_END_PEER);
	assert_int_equal(net_fixture_log_count(EVENT_HANDSHAKE_FAILED), 0);
	assert_false(net_client_open(
	    &c, h.port, &(struct net_client_options){.ca = tls_fixture.client_ca_file}));
	net_client_close(&c);
	(void)net_fixture_log_wait(EVENT_HANDSHAKE_FAILED,
	                           "does not trust the broker's certificate");
	net_fixture_stop(&h);
}

static void failures_are_limited_in_the_log(void **state)
{
	struct net_fixture h;

	(void)state;
	tls_fixture_start(&h, &(struct tls_fixture_server){.identities = {&tls_fixture.ec}});
	for (int i = 0; i < 30; i++)
		assert_false(
		    tls_fixture_gets_in(&h, &(struct net_client_options){.alpn = "\x02h2"}));
	net_fixture_wait(&h, &h.ended, 30);
	assert_in_range(net_fixture_log_count(EVENT_HANDSHAKE_FAILED), 20,
	                40); /* a window may turn */
	assert_true(net_fixture_log_count(EVENT_HANDSHAKE_FAILED) < 30);
	net_fixture_stop(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(versions_suites_groups_protocols),
	    cmocka_unit_test(alpn_is_answered),
	    cmocka_unit_test(min_version_13),
	    cmocka_unit_test(renegotiation_is_refused),
	    cmocka_unit_test(a_fallback_is_refused),
	    cmocka_unit_test(small_records_for_small_devices),
	    cmocka_unit_test(certificates_side_by_side_and_by_name),
	    cmocka_unit_test(plaintext_is_refused),
	    cmocka_unit_test(garbage_behind_a_record_header),
	    cmocka_unit_test(a_client_that_goes),
	    cmocka_unit_test(failures_are_limited_in_the_log),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, tls_fixture_set_up, tls_fixture_tear_down);
}
