/* The identities, the server and the clients of the tests of TLS handshakes. */
#include "tls_fixture.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/x509v3.h>

#include "base/alloc.h"

struct tls_fixture tls_fixture;

static struct pki_identity client_of(const struct pki_identity *ca, const char *name,
                                     const char *usage)
{
	return pki_make(&(struct pki_options){.common_name = name, .usage = usage, .issuer = ca});
}

static void make_clients(void)
{
	X509_CRL *lists[2];
	X509 *cas[2];

	tls_fixture.client_ca =
	    pki_make(&(struct pki_options){.common_name = "client CA", .ca = true});
	tls_fixture.good = client_of(&tls_fixture.client_ca, "lamp", "clientAuth");
	tls_fixture.revoked = client_of(&tls_fixture.client_ca, "stolen", "clientAuth");
	tls_fixture.for_servers = client_of(&tls_fixture.client_ca, "server", "serverAuth");
	tls_fixture.expired = pki_make(&(struct pki_options){.common_name = "old",
	                                                     .days_from = -20,
	                                                     .days_to = -1,
	                                                     .issuer = &tls_fixture.client_ca});
	tls_fixture.stranger_ca =
	    pki_make(&(struct pki_options){.common_name = "stranger CA", .ca = true});
	tls_fixture.stranger = client_of(&tls_fixture.stranger_ca, "stranger", "clientAuth");
	tls_fixture.middle_ca = pki_make(&(struct pki_options){
	    .common_name = "middle CA", .ca = true, .issuer = &tls_fixture.client_ca});
	tls_fixture.below_middle = client_of(&tls_fixture.middle_ca, "deep", NULL);
	tls_fixture.client_ca_file = pki_write("clients.crt", tls_fixture.client_ca.certificate);
	cas[0] = tls_fixture.client_ca.certificate;
	cas[1] = tls_fixture.middle_ca.certificate;
	tls_fixture.two_cas_file = pki_write_chain("clients2.crt", cas, 2);
	tls_fixture.bad_ca_file = pki_write("stranger.crt", tls_fixture.stranger_ca.certificate);

	lists[0] = pki_crl(&tls_fixture.client_ca, &tls_fixture.revoked, 30);
	lists[1] = pki_crl(&tls_fixture.middle_ca, NULL, 30);
	tls_fixture.crl = pki_write_crl("clients.crl", lists, 1);
	tls_fixture.crl_all = pki_write_crl("all.crl", lists, 2);
	tls_fixture.crl_middle = pki_write_crl("middle.crl", &lists[1], 1);
	X509_CRL_free(lists[0]);
	X509_CRL_free(lists[1]);
	lists[0] = pki_crl(&tls_fixture.client_ca, &tls_fixture.revoked, -1);
	tls_fixture.crl_expired = pki_write_crl("expired.crl", lists, 1);
	X509_CRL_free(lists[0]);
}

int tls_fixture_set_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	tls_fixture.ca = pki_make(&(struct pki_options){.common_name = "test CA", .ca = true});
	tls_fixture.ec =
	    pki_make(&(struct pki_options){.common_name = "localhost",
	                                   .alternatives = "DNS:localhost,IP:127.0.0.1",
	                                   .issuer = &tls_fixture.ca});
	tls_fixture.rsa =
	    pki_make(&(struct pki_options){.common_name = "localhost",
	                                   .alternatives = "DNS:localhost,IP:127.0.0.1",
	                                   .rsa_bits = 2048,
	                                   .issuer = &tls_fixture.ca});
	tls_fixture.other_name = pki_make(&(struct pki_options){.common_name = "other",
	                                                        .alternatives = "DNS:*.example.org",
	                                                        .issuer = &tls_fixture.ca});
	tls_fixture.ca_file = pki_write("ca.crt", tls_fixture.ca.certificate);
	make_clients();
	tls_fixture.tickets = tls_tickets_new();
	net_fixture_log_start();
	return 0;
}

int tls_fixture_tear_down(void **state)
{
	struct pki_identity *all[] = {
	    &tls_fixture.ca,          &tls_fixture.ec,          &tls_fixture.rsa,
	    &tls_fixture.other_name,  &tls_fixture.client_ca,   &tls_fixture.good,
	    &tls_fixture.revoked,     &tls_fixture.for_servers, &tls_fixture.expired,
	    &tls_fixture.stranger,    &tls_fixture.middle_ca,   &tls_fixture.below_middle,
	    &tls_fixture.stranger_ca,
	};

	(void)state;
	net_fixture_log_stop();
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		pki_drop(all[i]);
	tls_tickets_free(tls_fixture.tickets);
	pki_cleanup();
	return 0;
}

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

struct tls_context *tls_fixture_context(const struct tls_fixture_server *options)
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
	ctx = tls_context_new(
	    &conf, "test.yaml", options->listener == 0 ? 1 : options->listener, options->protocol,
	    options->tickets == NULL ? tls_fixture.tickets : options->tickets, &errors);
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

const struct net_fixture_rules tls_fixture_who = {.on_bytes = say_who};

void tls_fixture_start(struct net_fixture *h, const struct tls_fixture_server *options)
{
	struct tls_context *ctx = tls_fixture_context(options);

	net_fixture_log_clear();
	net_fixture_start(h, &tls_fixture_who, ctx, NULL);
	tls_context_unref(&ctx);
}

/* "lamp....", or NULL where it does not come that far. */
const char *tls_fixture_ask_who(struct net_client *c)
{
	static char answer[9];

	return net_client_send(c, "?", 1) && net_client_recv(c, answer, 8) ? answer : NULL;
}

bool tls_fixture_gets_in(struct net_fixture *h, const struct net_client_options *options)
{
	struct net_client c;
	bool in = net_client_open(&c, h->port, options) && tls_fixture_ask_who(&c) != NULL;

	net_client_close(&c);
	return in;
}

void tls_fixture_with_certificate(struct net_client_options *options, const struct pki_identity *id)
{
	if (id == NULL)
		return;
	options->certificate = pki_write("client.crt", id->certificate);
	options->key = pki_write_key("client.key", id->key);
}

SSL_SESSION *tls_fixture_session(struct net_fixture *h, const struct net_client_options *options)
{
	struct net_client c;
	SSL_SESSION *session;

	assert_true(net_client_open(&c, h->port, options));
	assert_non_null(tls_fixture_ask_who(&c)); /* TLS 1.3: the ticket came before */
	session = c.ticket;
	c.ticket = NULL;
	net_client_close(&c);
	return session;
}

/* -1: did not get in, 0: full handshake, 1: resumed. The library uses a session of TLS 1.3 only
 * once, so it gets a copy. */
int tls_fixture_comes_back(struct net_fixture *h, struct net_client_options options,
                           const SSL_SESSION *session)
{
	SSL_SESSION *copy = SSL_SESSION_dup(session);
	struct net_client c;
	int resumed = -1;

	options.session = copy;
	if (net_client_open(&c, h->port, &options) && tls_fixture_ask_who(&c) != NULL)
		resumed = SSL_session_reused(c.ssl);
	net_client_close(&c);
	SSL_SESSION_free(copy);
	return resumed;
}
