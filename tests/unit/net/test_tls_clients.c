/* Client certificates: who gets in, and what the log says about those who do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "net/tls/tls_work.h"
#include "tls_fixture.h"

struct client_row {
	const char *name;
	enum conf_client_certificates mode;
	const char *ca, *crl;
	const struct pki_identity *client;
	const char *who; /* NULL: does not get in */
	const char *log;
};

static void check_client(const struct client_row *row, int version)
{
	struct net_client_options options = {.min_version = version, .max_version = version};
	struct net_fixture h;
	struct net_client c;
	const char *answer = NULL;

	tls_fixture_with_certificate(&options, row->client);
	tls_fixture_start(&h, &(struct tls_fixture_server){.identities = {&tls_fixture.ec},
	                                                   .clients = row->mode,
	                                                   .client_ca = row->ca,
	                                                   .client_crl = row->crl});
	if (net_client_open(&c, h.port, &options))
		answer = tls_fixture_ask_who(&c);
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
	    {"none wanted", CLIENT_CERTIFICATES_NONE, NULL, NULL, &tls_fixture.good, "nobody..",
	     NULL},
	    {"optional, none given", CLIENT_CERTIFICATES_OPTIONAL, tls_fixture.client_ca_file, NULL,
	     NULL, "nobody..", NULL},
	    {"optional, given", CLIENT_CERTIFICATES_OPTIONAL, tls_fixture.client_ca_file, NULL,
	     &tls_fixture.good, "lamp....", NULL},
	    {"optional, of another CA", CLIENT_CERTIFICATES_OPTIONAL, tls_fixture.client_ca_file,
	     NULL, &tls_fixture.stranger, NULL, "not in client_ca"},
	    {"required, none given", CLIENT_CERTIFICATES_REQUIRED, tls_fixture.client_ca_file, NULL,
	     NULL, NULL, "sent no certificate"},
	    {"required, given", CLIENT_CERTIFICATES_REQUIRED, tls_fixture.client_ca_file,
	     tls_fixture.crl, &tls_fixture.good, "lamp....", NULL},
	    {"expired", CLIENT_CERTIFICATES_REQUIRED, tls_fixture.client_ca_file, NULL,
	     &tls_fixture.expired, NULL, "certificate has expired"},
	    {"revoked", CLIENT_CERTIFICATES_REQUIRED, tls_fixture.client_ca_file, tls_fixture.crl,
	     &tls_fixture.revoked, NULL, "certificate is revoked"},
	    {"revoked, but nobody looks", CLIENT_CERTIFICATES_REQUIRED, tls_fixture.client_ca_file,
	     NULL, &tls_fixture.revoked, "stolen..", NULL},
	    {"expired list", CLIENT_CERTIFICATES_REQUIRED, tls_fixture.client_ca_file,
	     tls_fixture.crl_expired, &tls_fixture.good, NULL,
	     "revocation list in client_crl has expired"},
	    {"no list of that CA", CLIENT_CERTIFICATES_REQUIRED, tls_fixture.client_ca_file,
	     tls_fixture.crl_middle, &tls_fixture.good, NULL, "no revocation list of the CA"},
	    {"for servers only", CLIENT_CERTIFICATES_REQUIRED, tls_fixture.client_ca_file, NULL,
	     &tls_fixture.for_servers, NULL, "not for clients"},
	    {"two levels, list of the issuer", CLIENT_CERTIFICATES_REQUIRED,
	     tls_fixture.two_cas_file, tls_fixture.crl_middle, &tls_fixture.below_middle,
	     "deep....", NULL},
	    {"two levels, lists of both", CLIENT_CERTIFICATES_REQUIRED, tls_fixture.two_cas_file,
	     tls_fixture.crl_all, &tls_fixture.below_middle, "deep....", NULL},
	    {"two levels, list of the root only", CLIENT_CERTIFICATES_REQUIRED,
	     tls_fixture.two_cas_file, tls_fixture.crl, &tls_fixture.below_middle, NULL,
	     "no revocation list of the CA"},
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
		chain[i] =
		    i == 0 ? tls_fixture.good.certificate : tls_fixture.client_ca.certificate;
	options.certificate = pki_write_chain("chain.crt", chain, count);
	options.key = pki_write_key("chain.key", tls_fixture.good.key);
	tls_fixture_start(&h,
	                  &(struct tls_fixture_server){.identities = {&tls_fixture.ec},
	                                               .clients = CLIENT_CERTIFICATES_REQUIRED,
	                                               .client_ca = tls_fixture.client_ca_file});
	in = tls_fixture_gets_in(&h, &options);
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
	    .name = "many", .mode = CLIENT_CERTIFICATES_REQUIRED, .ca = tls_fixture.client_ca_file};

	(void)state;
	for (unsigned i = 0; i < 700; i++)
		buf_printf(&names, "%sDNS:name-%06u", i == 0 ? "" : ",", i);
	buf_put_u8(&names, 0);
	options.alternatives = (const char *)names.data;
	options.issuer = &tls_fixture.client_ca;
	many = pki_make(&options);
	row.client = &many;
	row.log = "alternative names of more than 8 kB";
	check_client(&row, TLS1_2_VERSION);
	check_client(&row, TLS1_3_VERSION);
	pki_drop(&many);
	buf_fini(&names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(client_certificates),
	    cmocka_unit_test(long_chains_are_not_parsed),
	    cmocka_unit_test(a_certificate_with_very_many_names),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, tls_fixture_set_up, tls_fixture_tear_down);
}
