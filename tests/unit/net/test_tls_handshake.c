/* Who gets in: versions, suites, groups, ALPN, server names, tickets, client certificates and
 * revocation; and what the log says about those who do not. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/alloc.h"
#include "net/tls_tickets.h"
#include "net/tls_work.h"
#include "net_client.h"
#include "net_fixture.h"
#include "pki.h"

/* The server's side, the clients' side, and files of each. */
static struct {
	struct pki_identity ca, ec, rsa, other_name;
	struct pki_identity client_ca, good, revoked, expired, for_servers, stranger_ca, stranger;
	struct pki_identity middle_ca, below_middle;
	const char *ca_file, *client_ca_file, *two_cas_file, *bad_ca_file;
	const char *crl, *crl_expired, *crl_middle, *crl_all;
} p;

static struct tls_tickets *tickets;

static struct pki_identity client_of(const struct pki_identity *ca, const char *name,
                                     const char *usage)
{
	return pki_make(&(struct pki_options){.common_name = name, .usage = usage, .issuer = ca});
}

static void make_clients(void)
{
	X509_CRL *lists[2];
	X509 *cas[2];

	p.client_ca = pki_make(&(struct pki_options){.common_name = "client CA", .ca = true});
	p.good = client_of(&p.client_ca, "lamp", "clientAuth");
	p.revoked = client_of(&p.client_ca, "stolen", "clientAuth");
	p.for_servers = client_of(&p.client_ca, "server", "serverAuth");
	p.expired = pki_make(&(struct pki_options){
	    .common_name = "old", .days_from = -20, .days_to = -1, .issuer = &p.client_ca});
	p.stranger_ca = pki_make(&(struct pki_options){.common_name = "stranger CA", .ca = true});
	p.stranger = client_of(&p.stranger_ca, "stranger", "clientAuth");
	p.middle_ca = pki_make(
	    &(struct pki_options){.common_name = "middle CA", .ca = true, .issuer = &p.client_ca});
	p.below_middle = client_of(&p.middle_ca, "deep", NULL);
	p.client_ca_file = pki_write("clients.crt", p.client_ca.certificate);
	cas[0] = p.client_ca.certificate;
	cas[1] = p.middle_ca.certificate;
	p.two_cas_file = pki_write_chain("clients2.crt", cas, 2);
	p.bad_ca_file = pki_write("stranger.crt", p.stranger_ca.certificate);

	lists[0] = pki_crl(&p.client_ca, &p.revoked, 30);
	lists[1] = pki_crl(&p.middle_ca, NULL, 30);
	p.crl = pki_write_crl("clients.crl", lists, 1);
	p.crl_all = pki_write_crl("all.crl", lists, 2);
	p.crl_middle = pki_write_crl("middle.crl", &lists[1], 1);
	X509_CRL_free(lists[0]);
	X509_CRL_free(lists[1]);
	lists[0] = pki_crl(&p.client_ca, &p.revoked, -1);
	p.crl_expired = pki_write_crl("expired.crl", lists, 1);
	X509_CRL_free(lists[0]);
}

static int set_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	p.ca = pki_make(&(struct pki_options){.common_name = "test CA", .ca = true});
	p.ec = pki_make(&(struct pki_options){.common_name = "localhost",
	                                      .alternatives = "DNS:localhost,IP:127.0.0.1",
	                                      .issuer = &p.ca});
	p.rsa = pki_make(&(struct pki_options){.common_name = "localhost",
	                                       .alternatives = "DNS:localhost,IP:127.0.0.1",
	                                       .rsa_bits = 2048,
	                                       .issuer = &p.ca});
	p.other_name = pki_make(&(struct pki_options){
	    .common_name = "other", .alternatives = "DNS:*.example.org", .issuer = &p.ca});
	p.ca_file = pki_write("ca.crt", p.ca.certificate);
	make_clients();
	tickets = tls_tickets_new();
	net_fixture_log_start();
	return 0;
}

static int tear_down(void **state)
{
	struct pki_identity *all[] = {
	    &p.ca,        &p.ec,           &p.rsa,         &p.other_name, &p.client_ca,
	    &p.good,      &p.revoked,      &p.for_servers, &p.expired,    &p.stranger,
	    &p.middle_ca, &p.below_middle, &p.stranger_ca,
	};

	(void)state;
	net_fixture_log_stop();
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		pki_drop(all[i]);
	tls_tickets_free(tickets);
	pki_cleanup();
	return 0;
}

/* --- servers --- */

struct server_wish {
	const struct pki_identity *identities[3];
	unsigned min_version;
	enum conf_client_certificates clients;
	const char *client_ca, *client_crl;
	struct tls_tickets *tickets;
};

static char *file_of(const char *kind, size_t i)
{
	return xasprintf("server%zu.%s", i, kind);
}

static void write_pair(struct conf_certificate *pair, const struct pki_identity *id, size_t i)
{
	char *certificate = file_of("crt", i), *key = file_of("key", i);

	pair->certificate = xstrdup(pki_write(certificate, id->certificate));
	pair->key = xstrdup(pki_write_key(key, id->key));
	free(certificate);
	free(key);
}

static struct tls_context *context_of(const struct server_wish *options)
{
	struct conf_certificate pairs[3] = {0};
	struct conf_tls conf = {.certificates = pairs,
	                        .min_version =
	                            options->min_version == 0 ? 12 : options->min_version,
	                        .client_certificates = options->clients};
	struct errors errors = {0};
	struct tls_context *ctx;

	for (size_t i = 0; i < 3 && options->identities[i] != NULL; i++) {
		write_pair(&pairs[i], options->identities[i], i);
		conf.certificate_count++;
	}
	conf.client_ca = options->client_ca == NULL ? NULL : xstrdup(options->client_ca);
	conf.client_crl = options->client_crl == NULL ? NULL : xstrdup(options->client_crl);
	ctx = tls_context_new(&conf, "test.yaml", 1,
	                      options->tickets == NULL ? tickets : options->tickets, &errors);
	if (ctx == NULL)
		fail_msg("%s", errors_text(&errors));
	errors_fini(&errors);
	for (size_t i = 0; i < conf.certificate_count; i++) {
		free(pairs[i].certificate);
		free(pairs[i].key);
	}
	free(conf.client_ca);
	free(conf.client_crl);
	return ctx;
}

/* Answers with what it knows of the client. */
static void say_who(struct net_fixture_conn *c, struct slice bytes)
{
	struct buf answer = {0};

	(void)bytes;
	if (!stream_has_certificate(c->stream))
		buf_printf(&answer, "nobody");
	else if (stream_certificate_names(c->stream, CERTIFICATE_USER_CN, &answer) != 1)
		buf_printf(&answer, "?");
	while (answer.len < 8)
		buf_put_u8(&answer, '.');
	stream_write(c->stream, buf_slice(&answer));
	buf_fini(&answer);
}

static const struct net_fixture_rules who = {.on_bytes = say_who};

static void start(struct net_fixture *h, const struct server_wish *options)
{
	struct tls_context *ctx = context_of(options);

	net_fixture_log_clear();
	net_fixture_start(h, &who, ctx, NULL);
	tls_context_unref(&ctx);
}

/* "lamp....", or NULL where it does not come that far. */
static const char *ask_who(struct net_client *c)
{
	static char answer[9];

	return net_client_send(c, "?", 1) && net_client_recv(c, answer, 8) ? answer : NULL;
}

static bool gets_in(struct net_fixture *h, const struct net_client_options *options)
{
	struct net_client c;
	bool in = net_client_open(&c, h->port, options) && ask_who(&c) != NULL;

	net_client_close(&c);
	return in;
}

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
		if (gets_in(h, &rows[i].options) != rows[i].in)
			fail_msg("%s", rows[i].name);
		if (rows[i].in)
			continue;
		line = net_fixture_log_wait(EVENT_HANDSHAKE_FAILED, rows[i].log);
		assert_non_null(strstr(line, "peer=127.0.0.1:"));
		assert_non_null(strstr(line, "listener=127.0.0.1:0"));
		assert_non_null(strstr(line, "certificates=\"ECDSA P-256\""));
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
	     "versions=TLSv1.1"},
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
	     "suites=ECDHE-ECDSA-AES128-SHA256"},
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
	    {"ALPN foreign", {.alpn = "\x08http/1.1"}, false, "alpn=http/1.1"},
	    {"ALPN almost", {.alpn = "\x05mqtt2"}, false, "(ALPN)"},
	    {"unknown server name", {.server_name = "somebody.else"}, true, NULL},
	};
	struct net_fixture h;

	(void)state;
	start(&h, &(struct server_wish){.identities = {&p.ec}});
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
	start(&h, &(struct server_wish){.identities = {&p.ec}});
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
	start(&h, &(struct server_wish){.identities = {&p.ec}, .min_version = 13});
	assert_true(gets_in(&h, &(struct net_client_options){0}));
	assert_false(gets_in(&h, &(struct net_client_options){.max_version = TLS1_2_VERSION}));
	(void)net_fixture_log_wait(EVENT_HANDSHAKE_FAILED, "versions=TLSv1.2");
	net_fixture_stop(&h);
}

static void renegotiation_is_refused(void **state)
{
	struct net_fixture h;
	struct net_client c;

	(void)state;
	start(&h, &(struct server_wish){.identities = {&p.ec}});
	assert_true(net_client_open(&c, h.port,
	                            &(struct net_client_options){.max_version = TLS1_2_VERSION}));
	assert_non_null(ask_who(&c));
	assert_int_equal(SSL_renegotiate(c.ssl), 1);
	assert_true(SSL_do_handshake(c.ssl) != 1 || ask_who(&c) == NULL ||
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
	start(&h, &(struct server_wish){.identities = {&p.ec}});
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
	start(&h, &(struct server_wish){.identities = {&p.rsa}});
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
	struct net_client_options options = {.ca = p.ca_file, .server_name = asked};
	bool there = net_client_open(&c, h->port, &options) &&
	             X509_check_host(SSL_get0_peer_certificate(c.ssl), expected, 0, 0, NULL) == 1;

	net_client_close(&c);
	return there;
}

static void certificates_side_by_side_and_by_name(void **state)
{
	struct net_client_options rsa_only = {.ca = p.ca_file,
	                                      .server_name = "localhost",
	                                      .max_version = TLS1_2_VERSION,
	                                      .suites_12 = "ECDHE-RSA-AES128-GCM-SHA256"};
	struct net_client_options any = {.ca = p.ca_file};
	struct tls_context *ctx;
	struct net_fixture h;

	(void)state;
	ctx = context_of(&(struct server_wish){.identities = {&p.ec, &p.rsa, &p.other_name}});
	assert_string_equal(tls_context_certificates(ctx), "ECDSA P-256, RSA 2048 and ECDSA P-256");
	net_fixture_start(&h, &who, ctx, NULL);
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
	start(&h, &(struct server_wish){.identities = {&p.ec}});
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
	start(&h, &(struct server_wish){.identities = {&p.ec}});
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
	start(&h, &(struct server_wish){.identities = {&p.ec}});
	close(net_client_dial(h.port));
	net_fixture_wait(&h, &h.ended, 1);
	assert_int_equal(h.last_end, STREAM_END_PEER);
	assert_int_equal(net_fixture_log_count(EVENT_HANDSHAKE_FAILED), 0);
	assert_false(
	    net_client_open(&c, h.port, &(struct net_client_options){.ca = p.client_ca_file}));
	net_client_close(&c);
	(void)net_fixture_log_wait(EVENT_HANDSHAKE_FAILED,
	                           "does not trust the broker's certificate");
	net_fixture_stop(&h);
}

static void failures_are_limited_in_the_log(void **state)
{
	struct net_fixture h;

	(void)state;
	start(&h, &(struct server_wish){.identities = {&p.ec}});
	for (int i = 0; i < 30; i++)
		assert_false(gets_in(&h, &(struct net_client_options){.alpn = "\x02h2"}));
	net_fixture_wait(&h, &h.ended, 30);
	assert_in_range(net_fixture_log_count(EVENT_HANDSHAKE_FAILED), 20,
	                40); /* a window may turn */
	assert_true(net_fixture_log_count(EVENT_HANDSHAKE_FAILED) < 30);
	net_fixture_stop(&h);
}

/* --- tickets --- */

static SSL_SESSION *session_of(struct net_fixture *h, const struct net_client_options *options)
{
	struct net_client c;
	SSL_SESSION *session;

	assert_true(net_client_open(&c, h->port, options));
	assert_non_null(ask_who(&c)); /* TLS 1.3: the ticket came before */
	session = c.ticket;
	c.ticket = NULL;
	net_client_close(&c);
	return session;
}

/* -1: did not get in, 0: full handshake, 1: resumed. The library uses a session of TLS 1.3 only
 * once, so it gets a copy. */
static int comes_back(struct net_fixture *h, struct net_client_options options,
                      const SSL_SESSION *session)
{
	SSL_SESSION *copy = SSL_SESSION_dup(session);
	struct net_client c;
	int resumed = -1;

	options.session = copy;
	if (net_client_open(&c, h->port, &options) && ask_who(&c) != NULL)
		resumed = SSL_session_reused(c.ssl);
	net_client_close(&c);
	SSL_SESSION_free(copy);
	return resumed;
}

static void tickets_resume(void **state)
{
	struct server_wish server = {.identities = {&p.ec, &p.rsa, &p.other_name}};
	int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	struct net_fixture h;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct net_client_options options = {.min_version = versions[i],
		                                     .max_version = versions[i]};
		SSL_SESSION *session;

		start(&h, &server);
		session = session_of(&h, &options);
		assert_non_null(session);
		assert_int_equal(comes_back(&h, options, session), 1);
		assert_int_equal(SSL_SESSION_get_max_early_data(session), 0);
		assert_in_range(SSL_SESSION_get_ticket_lifetime_hint(session), 1, 6 * 3600);
		net_fixture_stop(&h);
		start(&h, &server); /* another context, the same keys: a reload keeps tickets */
		assert_int_equal(comes_back(&h, options, session), 1);
		net_fixture_stop(&h);
		server.tickets = tls_tickets_new();
		start(&h, &server); /* new keys: they are worth nothing */
		assert_int_equal(comes_back(&h, options, session), 0);
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
	start(&h, &(struct server_wish){.identities = {&p.ec}});
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
		assert_non_null(ask_who(&c));
		if (i == 0)
			session = SSL_get1_session(c.ssl);
		else
			assert_int_equal(SSL_session_reused(c.ssl), 0);
		net_client_close(&c);
	}
	SSL_SESSION_free(session);
	net_fixture_stop(&h);
}

/* --- client certificates --- */

struct client_row {
	const char *name;
	enum conf_client_certificates mode;
	const char *ca, *crl;
	const struct pki_identity *client;
	const char *who; /* NULL: does not get in */
	const char *log;
};

static void with_certificate(struct net_client_options *options, const struct pki_identity *id)
{
	if (id == NULL)
		return;
	options->certificate = pki_write("client.crt", id->certificate);
	options->key = pki_write_key("client.key", id->key);
}

static void check_client(const struct client_row *row, int version)
{
	struct net_client_options options = {.min_version = version, .max_version = version};
	struct net_fixture h;
	struct net_client c;
	const char *answer = NULL;

	with_certificate(&options, row->client);
	start(&h, &(struct server_wish){.identities = {&p.ec},
	                                .clients = row->mode,
	                                .client_ca = row->ca,
	                                .client_crl = row->crl});
	if (net_client_open(&c, h.port, &options))
		answer = ask_who(&c);
	net_client_close(&c);
	if ((answer == NULL) != (row->who == NULL) ||
	    (answer != NULL && strcmp(answer, row->who) != 0))
		fail_msg("%s (%x): %s", row->name, (unsigned)version, answer);
	if (row->log != NULL)
		(void)net_fixture_log_wait(EVENT_HANDSHAKE_FAILED, row->log);
	net_fixture_stop(&h);
}

static void client_certificates(void **state)
{
	const struct client_row rows[] = {
	    {"none wanted", CLIENT_CERTIFICATES_NONE, NULL, NULL, &p.good, "nobody..", NULL},
	    {"optional, none given", CLIENT_CERTIFICATES_OPTIONAL, p.client_ca_file, NULL, NULL,
	     "nobody..", NULL},
	    {"optional, given", CLIENT_CERTIFICATES_OPTIONAL, p.client_ca_file, NULL, &p.good,
	     "lamp....", NULL},
	    {"optional, of another CA", CLIENT_CERTIFICATES_OPTIONAL, p.client_ca_file, NULL,
	     &p.stranger, NULL, "not in client_ca"},
	    {"required, none given", CLIENT_CERTIFICATES_REQUIRED, p.client_ca_file, NULL, NULL,
	     NULL, "sent no certificate"},
	    {"required, given", CLIENT_CERTIFICATES_REQUIRED, p.client_ca_file, p.crl, &p.good,
	     "lamp....", NULL},
	    {"expired", CLIENT_CERTIFICATES_REQUIRED, p.client_ca_file, NULL, &p.expired, NULL,
	     "certificate has expired"},
	    {"revoked", CLIENT_CERTIFICATES_REQUIRED, p.client_ca_file, p.crl, &p.revoked, NULL,
	     "certificate is revoked"},
	    {"revoked, but nobody looks", CLIENT_CERTIFICATES_REQUIRED, p.client_ca_file, NULL,
	     &p.revoked, "stolen..", NULL},
	    {"expired list", CLIENT_CERTIFICATES_REQUIRED, p.client_ca_file, p.crl_expired, &p.good,
	     NULL, "revocation list in client_crl has expired"},
	    {"no list of that CA", CLIENT_CERTIFICATES_REQUIRED, p.client_ca_file, p.crl_middle,
	     &p.good, NULL, "no revocation list of the CA"},
	    {"for servers only", CLIENT_CERTIFICATES_REQUIRED, p.client_ca_file, NULL,
	     &p.for_servers, NULL, "not for clients"},
	    {"two levels, list of the issuer", CLIENT_CERTIFICATES_REQUIRED, p.two_cas_file,
	     p.crl_middle, &p.below_middle, "deep....", NULL},
	    {"two levels, lists of both", CLIENT_CERTIFICATES_REQUIRED, p.two_cas_file, p.crl_all,
	     &p.below_middle, "deep....", NULL},
	    {"two levels, list of the root only", CLIENT_CERTIFICATES_REQUIRED, p.two_cas_file,
	     p.crl, &p.below_middle, NULL, "no revocation list of the CA"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		check_client(&rows[i], TLS1_2_VERSION);
		check_client(&rows[i], TLS1_3_VERSION);
	}
}

/* The client's own and others that nobody needs, `count` in all. */
static bool gets_in_with_chain(int count, int version)
{
	struct net_client_options options = {.min_version = version, .max_version = version};
	X509 *chain[TLS_CERTIFICATES_MAX + 1];
	struct net_fixture h;
	bool in;

	for (int i = 0; i < count; i++)
		chain[i] = i == 0 ? p.good.certificate : p.client_ca.certificate;
	options.certificate = pki_write_chain("chain.crt", chain, count);
	options.key = pki_write_key("chain.key", p.good.key);
	start(&h, &(struct server_wish){.identities = {&p.ec},
	                                .clients = CLIENT_CERTIFICATES_REQUIRED,
	                                .client_ca = p.client_ca_file});
	in = gets_in(&h, &options);
	if (!in)
		(void)net_fixture_log_wait(EVENT_TLS_EXCESS, "counted=\"certificates in a client's "
		                                             "chain\" number=9 bound=8");
	net_fixture_stop(&h);
	return in;
}

/* Each would be parsed before anybody asks whom they lead to. */
static void long_chains_are_not_parsed(void **state)
{
	(void)state;
	assert_true(gets_in_with_chain(TLS_CERTIFICATES_MAX, TLS1_2_VERSION));
	assert_true(gets_in_with_chain(TLS_CERTIFICATES_MAX, TLS1_3_VERSION));
	assert_false(gets_in_with_chain(TLS_CERTIFICATES_MAX + 1, TLS1_2_VERSION));
	assert_false(gets_in_with_chain(TLS_CERTIFICATES_MAX + 1, TLS1_3_VERSION));
}

static void a_certificate_with_very_many_names(void **state)
{
	struct pki_options options = {.common_name = "many", .usage = "clientAuth"};
	struct buf names = {0};
	struct pki_identity many;
	struct client_row row = {
	    .name = "many", .mode = CLIENT_CERTIFICATES_REQUIRED, .ca = p.client_ca_file};

	(void)state;
	for (unsigned i = 0; i < 700; i++)
		buf_printf(&names, "%sDNS:name-%06u", i == 0 ? "" : ",", i);
	buf_put_u8(&names, 0);
	options.alternatives = (const char *)names.data;
	options.issuer = &p.client_ca;
	many = pki_make(&options);
	row.client = &many;
	row.log = "alternative names of more than 8 kB";
	check_client(&row, TLS1_2_VERSION);
	check_client(&row, TLS1_3_VERSION);
	pki_drop(&many);
	buf_fini(&names);
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
	start(&h, &(struct server_wish){.identities = {&p.ec}});
	assert_true(net_client_open(&c, h.port, &options));
	assert_non_null(ask_who(&c));
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
		assert_null(ask_who(&c));
	(void)net_fixture_log_wait(EVENT_HANDSHAKE_FAILED, "too much early data");
	SSL_SESSION_free(session);
	net_client_close(&c);
	net_fixture_stop(&h);
}

/* A ticket does not get anybody in whose certificate would not. */
static void resumption_asks_again(void **state)
{
	struct server_wish open = {.identities = {&p.ec},
	                           .clients = CLIENT_CERTIFICATES_REQUIRED,
	                           .client_ca = p.client_ca_file};
	int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	struct net_fixture h;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct net_client_options options = {.min_version = versions[i],
		                                     .max_version = versions[i]};
		struct server_wish now = open;
		SSL_SESSION *session;

		with_certificate(&options, &p.revoked);
		start(&h, &open);
		session = session_of(&h, &options);
		assert_int_equal(comes_back(&h, options, session), 1);
		net_fixture_stop(&h);
		now.client_crl = p.crl; /* it is revoked now */
		start(&h, &now);
		assert_int_equal(comes_back(&h, options, session), -1);
		(void)net_fixture_log_wait(EVENT_HANDSHAKE_FAILED, "is revoked");
		net_fixture_stop(&h);
		now.client_crl = NULL; /* another CA now */
		now.client_ca = p.bad_ca_file;
		start(&h, &now);
		assert_int_equal(comes_back(&h, options, session), -1);
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
	with_certificate(&options, &p.good);
	start(&h, &(struct server_wish){.identities = {&p.ec},
	                                .clients = CLIENT_CERTIFICATES_OPTIONAL,
	                                .client_ca = p.client_ca_file,
	                                .client_crl = p.crl});
	session = session_of(&h, &options);
	options.session = session;
	assert_true(net_client_open(&c, h.port, &options));
	assert_string_equal(ask_who(&c), "lamp....");
	assert_int_equal(SSL_session_reused(c.ssl), 1);
	net_client_close(&c);
	SSL_SESSION_free(session);
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
	    cmocka_unit_test(tickets_resume),
	    cmocka_unit_test(no_ticket_without_extended_master_secret),
	    cmocka_unit_test(client_certificates),
	    cmocka_unit_test(long_chains_are_not_parsed),
	    cmocka_unit_test(a_certificate_with_very_many_names),
	    cmocka_unit_test(early_data_is_refused),
	    cmocka_unit_test(resumption_asks_again),
	    cmocka_unit_test(a_resumed_client_is_known),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
