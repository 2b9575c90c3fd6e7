/* Building a context: what is refused, what is warned about, and in which words; and the names that
 * a client's certificate gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/alloc.h"
#include "net/tls/tls_certificate_check.h"
#include "net/tls/tls_context_internal.h"
#include "net/tls/tls_names.h"
#include "net/tls/tls_tickets.h"
#include "net_fixture.h"
#include "pki.h"

static struct pki_identity ca, good, other, rsa, expired, soon, young, for_clients, small;
static struct tls_tickets *tickets;

static int set_up(void **state)
{
	(void)state;
	ca = pki_make(&(struct pki_options){.common_name = "CA", .ca = true});
	good = pki_make(&(struct pki_options){
	    .common_name = "a", .alternatives = "DNS:a", .usage = "serverAuth", .issuer = &ca});
	other = pki_make(&(struct pki_options){.common_name = "a", .issuer = &ca});
	rsa = pki_make(&(struct pki_options){
	    .common_name = "a", .alternatives = "DNS:a", .rsa_bits = 2048, .issuer = &ca});
	small =
	    pki_make(&(struct pki_options){.common_name = "a", .curve = "P-224", .issuer = &ca});
	expired = pki_make(&(struct pki_options){.common_name = "a",
	                                         .alternatives = "DNS:a",
	                                         .days_from = -9,
	                                         .days_to = -3,
	                                         .issuer = &ca});
	soon = pki_make(&(struct pki_options){.common_name = "a",
	                                      .alternatives = "DNS:a",
	                                      .days_from = -9,
	                                      .days_to = 5,
	                                      .issuer = &ca});
	young = pki_make(&(struct pki_options){.common_name = "a",
	                                       .alternatives = "DNS:a",
	                                       .days_from = 2,
	                                       .days_to = 90,
	                                       .issuer = &ca});
	for_clients = pki_make(&(struct pki_options){
	    .common_name = "a", .alternatives = "DNS:a", .usage = "clientAuth", .issuer = &ca});
	tickets = tls_tickets_new();
	net_fixture_log_start();
	return 0;
}

static int tear_down(void **state)
{
	struct pki_identity *all[] = {&ca,   &good,  &other,       &rsa,  &expired,
	                              &soon, &young, &for_clients, &small};

	(void)state;
	net_fixture_log_stop();
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		pki_drop(all[i]);
	tls_tickets_free(tickets);
	pki_cleanup();
	return 0;
}

static struct tls_context *build(const char *certificate, const char *key, char **said)
{
	struct conf_certificate pair = {
	    .certificate = xstrdup(certificate), .key = xstrdup(key), .line = 3, .column = 7};
	struct conf_tls conf = {.certificates = &pair, .certificate_count = 1, .min_version = 12};
	struct errors errors = {0};
	struct tls_context *ctx =
	    tls_context_new(&conf, "broker.yaml", 1, CONF_PROTOCOL_MQTT, tickets, &errors);

	*said = errors_text(&errors);
	errors_fini(&errors);
	free(pair.certificate);
	free(pair.key);
	return ctx;
}

static const char *encrypted_key(void)
{
	const char *path = pki_write_text("encrypted.key", "");
	FILE *file = fopen(path, "we");

	assert_int_equal(PEM_write_PrivateKey(file, good.key, EVP_aes_128_cbc(),
	                                      (const unsigned char *)"secret", 6, NULL, NULL),
	                 1);
	fclose(file);
	return path;
}

static const char *readable_key(void)
{
	const char *path = pki_write_key("readable.key", good.key);

	assert_int_equal(chmod(path, 0644), 0);
	return path;
}

static const char *short_rsa(bool want_key)
{
	static struct pki_identity id;
	const char *path;

	if (id.key == NULL)
		id = pki_make(
		    &(struct pki_options){.common_name = "a", .rsa_bits = 1024, .issuer = &ca});
	path =
	    want_key ? pki_write_key("short.key", id.key) : pki_write("short.crt", id.certificate);
	if (want_key)
		pki_drop(&id);
	return path;
}

static void pairs_that_are_refused(void **state)
{
	const char *crt = pki_write("good.crt", good.certificate);
	const char *key = pki_write_key("good.key", good.key);
	const char *short_crt = short_rsa(false), *short_key = short_rsa(true);
	const struct {
		const char *name, *certificate, *key, *text;
	} rows[] = {
	    {"no such certificate", "/nonexistent.crt", key,
	     "/nonexistent.crt: error: certificate: cannot be read"},
	    {"no such key", crt, "/nonexistent.key", "/nonexistent.key"},
	    {"empty certificate", pki_write_text("empty.crt", ""), key, "is empty"},
	    {"not PEM", pki_write_text("text.crt", "hello\n"), key, "is not a certificate in PEM"},
	    {"cut PEM",
	     pki_write_text("cut.crt", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERT"), key,
	     "is not a certificate in PEM"},
	    {"a key for a certificate", key, key, "is not a certificate in PEM"},
	    {"a certificate for a key", crt, pki_write("crt.key", good.certificate),
	     "is not a private key in PEM"},
	    {"encrypted key", crt, encrypted_key(), "openssl pkey -in"},
	    {"key that others read", crt, readable_key(), "chmod"},
	    {"key of another", crt, pki_write_key("other.key", other.key), "do not match"},
	    {"RSA 1024", short_crt, short_key, "1024 bits is too short"},
	    {"P-224", pki_write("small.crt", small.certificate),
	     pki_write_key("small.key", small.key), "224 bits is too short"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *said;
		struct tls_context *ctx = build(rows[i].certificate, rows[i].key, &said);

		if (ctx != NULL || strstr(said, rows[i].text) == NULL)
			fail_msg("%s: %s", rows[i].name, said);
		free(said);
	}
}

static void mismatch_names_both_files_and_the_place(void **state)
{
	const char *crt = pki_write("good.crt", good.certificate);
	const char *key = pki_write_key("other.key", other.key);
	char *said;

	(void)state;
	assert_null(build(crt, key, &said));
	assert_non_null(strstr(said, "broker.yaml:3:7: error:"));
	assert_non_null(strstr(said, crt));
	assert_non_null(strstr(said, key));
	free(said);
}

static void pairs_that_are_taken(void **state)
{
	const struct {
		const char *name;
		const struct pki_identity *id;
		const char *kind, *warning;
		unsigned expires, not_yet, expired;
	} rows[] = {
	    {"P-256", &good, "ECDSA P-256", NULL, 0, 0, 0},
	    {"RSA 2048", &rsa, "RSA 2048", NULL, 0, 0, 0},
	    {"expired", &expired, "ECDSA P-256", " expired on ", 0, 0, 1},
	    {"ends soon", &soon, "ECDSA P-256", " expires on ", 1, 0, 0},
	    {"not yet valid", &young, "ECDSA P-256", " is not valid before ", 0, 1, 0},
	    {"for clients", &for_clients, "ECDSA P-256", "is not for servers", 0, 0, 0},
	    {"without names", &other, "ECDSA P-256",
	     "has no DNS name or IP address in subjectAltName", 0, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *said;
		struct tls_context *ctx = build(pki_write("x.crt", rows[i].id->certificate),
		                                pki_write_key("x.key", rows[i].id->key), &said);
		struct tls_context *both[3] = {NULL}; /* two listeners, and a Unix socket */

		if (ctx == NULL || strcmp(tls_context_certificates(ctx), rows[i].kind) != 0 ||
		    (rows[i].warning == NULL) != (strlen(said) == 0) ||
		    (rows[i].warning != NULL && strstr(said, rows[i].warning) == NULL))
			fail_msg("%s: %s", rows[i].name, said);
		net_fixture_log_clear();
		both[0] = both[2] = ctx;
		tls_context_log_expiry(both, 3);
		assert_int_equal(net_fixture_log_count(EVENT_CERTIFICATE_EXPIRES), rows[i].expires);
		assert_int_equal(net_fixture_log_count(EVENT_CERTIFICATE_EXPIRED), rows[i].expired);
		assert_int_equal(net_fixture_log_count(EVENT_CERTIFICATE_NOT_YET_VALID),
		                 rows[i].not_yet);
		free(said);
		tls_context_unref(&ctx);
		assert_null(ctx);
	}
}

/* The suites of RFC 9325 and nothing else, after OpenSSL has read our list ("TLS" in SECURITY.md).
 */
static void exactly_nine_suites(void **state)
{
	static const uint32_t wanted[] = {0x1301, 0x1302, 0x1303, 0xc02b, 0xc02c,
	                                  0xcca9, 0xc02f, 0xc030, 0xcca8};
	char *said;
	struct tls_context *ctx =
	    build(pki_write("x.crt", good.certificate), pki_write_key("x.key", good.key), &said);
	STACK_OF(SSL_CIPHER) *all = SSL_CTX_get_ciphers(ctx->groups[0].ssl_ctx);
	unsigned found = 0;

	(void)state;
	assert_int_equal(sk_SSL_CIPHER_num(all), 9);
	for (int i = 0; i < 9; i++) {
		for (size_t k = 0; k < 9; k++)
			found +=
			    SSL_CIPHER_get_protocol_id(sk_SSL_CIPHER_value(all, i)) == wanted[k];
	}
	assert_int_equal(found, 9);
	assert_int_equal(SSL_CTX_get_min_proto_version(ctx->groups[0].ssl_ctx), TLS1_2_VERSION);
	assert_int_equal(SSL_CTX_get_max_early_data(ctx->groups[0].ssl_ctx), 0);
	free(said);
	tls_context_unref(&ctx);
}

/* The leaf, and then `above`. */
static const char *chain_file(const char *name, const struct pki_identity *leaf,
                              const struct pki_identity *above)
{
	const char *path = pki_write(name, leaf->certificate);
	FILE *file = fopen(path, "ae");

	assert_int_equal(PEM_write_X509(file, above->certificate), 1);
	fclose(file);
	return path;
}

static const char *with_its_key(const char *name, mode_t mode)
{
	const char *path = pki_write(name, good.certificate);
	FILE *file = fopen(path, "ae");

	assert_int_equal(PEM_write_PrivateKey(file, good.key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(file);
	assert_int_equal(chmod(path, mode), 0);
	return path;
}

static void certificate_files_with_more_in_them(void **state)
{
	struct pki_identity middle =
	    pki_make(&(struct pki_options){.common_name = "middle", .ca = true, .issuer = &ca});
	struct pki_identity leaf = pki_make(
	    &(struct pki_options){.common_name = "a", .alternatives = "DNS:a", .issuer = &middle});
	char *good_key = xstrdup(pki_write_key("good.key", good.key));
	char *leaf_key = xstrdup(pki_write_key("leaf.key", leaf.key));
	const struct {
		const char *name, *certificate, *key, *text;
		bool taken;
	} rows[] = {
	    {"chain", chain_file("chain.crt", &leaf, &middle), leaf_key, NULL, true},
	    {"chain of another", chain_file("chain2.crt", &good, &middle), good_key,
	     "certificate 2 in it did not issue the one before it", true},
	    {"with its key", with_its_key("both.crt", 0600), good_key, NULL, true},
	    {"with its key, for others to read", with_its_key("open.crt", 0644), good_key,
	     "this certificate has a private key in it, too: others may read it (mode 0644", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *said;
		struct tls_context *ctx = build(rows[i].certificate, rows[i].key, &said);

		if ((ctx != NULL) != rows[i].taken || (rows[i].text == NULL && said[0] != '\0') ||
		    (rows[i].text != NULL && strstr(said, rows[i].text) == NULL))
			fail_msg("%s: %s", rows[i].name, said);
		free(said);
		tls_context_unref(&ctx);
	}
	free(good_key);
	free(leaf_key);
	pki_drop(&middle);
	pki_drop(&leaf);
}

static void certificate_that_is_never_sent_is_warned_of(void **state)
{
	char *crt = xstrdup(pki_write("good.crt", good.certificate));
	char *key = xstrdup(pki_write_key("good.key", good.key));
	struct conf_certificate pairs[] = {
	    {.certificate = crt, .key = key, .line = 3, .column = 7},
	    {.certificate = crt, .key = key, .line = 4, .column = 7}};
	struct conf_tls conf = {.certificates = pairs, .certificate_count = 2, .min_version = 12};
	struct errors errors = {0};
	struct tls_context *ctx =
	    tls_context_new(&conf, "broker.yaml", 1, CONF_PROTOCOL_MQTT, tickets, &errors);
	char *said = errors_text(&errors);

	(void)state;
	assert_non_null(ctx);
	assert_non_null(strstr(said, "broker.yaml:4:7: warning: "));
	assert_non_null(strstr(said, " is never sent: "));
	free(said);
	free(crt);
	free(key);
	errors_fini(&errors);
	tls_context_unref(&ctx);
}

static void client_files(void **state)
{
	char *crt = xstrdup(pki_write("good.crt", good.certificate));
	char *key = xstrdup(pki_write_key("good.key", good.key));
	const char *ca_file = pki_write("ca.crt", ca.certificate);
	struct pki_identity elsewhere =
	    pki_make(&(struct pki_options){.common_name = "elsewhere", .ca = true});
	struct pki_identity old_ca = pki_make(&(struct pki_options){
	    .common_name = "old", .ca = true, .days_from = -9, .days_to = -3});
	struct pki_identity soon_ca = pki_make(&(struct pki_options){
	    .common_name = "soon", .ca = true, .days_from = -9, .days_to = 5});
	const char *old_ca_file = pki_write("old-ca.crt", old_ca.certificate);
	const char *soon_ca_file = pki_write("soon-ca.crt", soon_ca.certificate);
	X509_CRL *crl = pki_crl(&ca, NULL, 30), *old = pki_crl(&ca, NULL, -1);
	X509_CRL *foreign = pki_crl(&elsewhere, NULL, 30);
	const struct {
		const char *name, *ca, *crl, *text;
		bool taken;
	} rows[] = {
	    {"no CA", NULL, NULL, "needs client_ca", false},
	    {"missing CA", "/nonexistent", NULL, "client CA: cannot be read", false},
	    {"empty CA", pki_write_text("e.crt", ""), NULL, "is empty", false},
	    {"no certificate", pki_write_text("t.crt", "x"), NULL, "not a certificate", false},
	    {"no CA certificate", crt, NULL, "not a CA certificate", false},
	    {"fine", ca_file, NULL, "", true},
	    {"missing list", ca_file, "/nonexistent", "revocation list: cannot be read", false},
	    {"no list", ca_file, ca_file, "not a revocation list", false},
	    {"list", ca_file, pki_write_crl("x.crl", &crl, 1), "", true},
	    {"expired list", ca_file, pki_write_crl("y.crl", &old, 1), "expired", true},
	    {"list of another CA", ca_file, pki_write_crl("z.crl", &foreign, 1),
	     "the revocation list of 'CN=elsewhere' is never used", true},
	    {"expired CA", old_ca_file, NULL, "the CA 'CN=old' expired on ", true},
	    {"CA that ends soon", soon_ca_file, NULL, "the CA 'CN=soon' ends on ", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct conf_certificate pair = {.certificate = crt, .key = key};
		struct conf_tls conf = {.certificates = &pair,
		                        .certificate_count = 1,
		                        .min_version = 12,
		                        .client_certificates = CLIENT_CERTIFICATES_OPTIONAL,
		                        .client_ca = (char *)(uintptr_t)rows[i].ca,
		                        .client_crl = (char *)(uintptr_t)rows[i].crl};
		struct errors errors = {0};
		struct tls_context *ctx =
		    tls_context_new(&conf, "x", 1, CONF_PROTOCOL_MQTT, tickets, &errors);
		char *said = errors_text(&errors);

		if ((ctx != NULL) != rows[i].taken || strstr(said, rows[i].text) == NULL)
			fail_msg("%s: %s", rows[i].name, said);
		free(said);
		errors_fini(&errors);
		tls_context_unref(&ctx);
	}
	X509_CRL_free(crl);
	X509_CRL_free(old);
	X509_CRL_free(foreign);
	pki_drop(&elsewhere);
	pki_drop(&old_ca);
	pki_drop(&soon_ca);
	free(crt);
	free(key);
}

/* --- names --- */

static X509 *with_names(const char *const *common_names, size_t count, const char *alternatives)
{
	struct pki_identity id = pki_make(
	    &(struct pki_options){.common_name = common_names[0], .alternatives = alternatives});

	for (size_t i = 1; i < count; i++)
		X509_NAME_add_entry_by_txt(X509_get_subject_name(id.certificate), "CN",
		                           MBSTRING_UTF8, (const unsigned char *)common_names[i],
		                           -1, -1, 0);
	EVP_PKEY_free(id.key);
	return id.certificate;
}

static void names_of_a_certificate(void **state)
{
	static const struct {
		const char *name;
		const char *cn[2];
		const char *alternatives;
		enum conf_certificate_user kind;
		size_t count;
		const char *first;
	} rows[] = {
	    {"cn", {"lamp"}, NULL, CERTIFICATE_USER_CN, 1, "lamp"},
	    {"cn in UTF-8", {"k\xc3\xb6k"}, NULL, CERTIFICATE_USER_CN, 1, "k\xc3\xb6k"},
	    {"two cn", {"lamp", "admin"}, NULL, CERTIFICATE_USER_CN, 2, "lamp"},
	    {"none asked", {"lamp"}, NULL, CERTIFICATE_USER_NONE, 0, ""},
	    {"no alternatives", {"lamp"}, NULL, CERTIFICATE_USER_SAN_DNS, 0, ""},
	    {"dns", {"x"}, "DNS:lamp.home", CERTIFICATE_USER_SAN_DNS, 1, "lamp.home"},
	    {"two dns", {"x"}, "DNS:a,DNS:b", CERTIFICATE_USER_SAN_DNS, 2, "a"},
	    {"uri", {"x"}, "DNS:a,URI:urn:dev:1", CERTIFICATE_USER_SAN_URI, 1, "urn:dev:1"},
	    {"email", {"x"}, "email:a@b.c,IP:1.2.3.4", CERTIFICATE_USER_SAN_EMAIL, 1, "a@b.c"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		X509 *certificate =
		    with_names(rows[i].cn, rows[i].cn[1] == NULL ? 1 : 2, rows[i].alternatives);
		struct buf out = {0};
		size_t count = tls_names_of(certificate, rows[i].kind, &out);

		if (count != rows[i].count ||
		    !slice_equal(buf_slice(&out), slice_of_str(rows[i].first)))
			fail_msg("%s: %zu", rows[i].name, count);
		buf_fini(&out);
		X509_free(certificate);
	}
}

/* "admin" NUL ".attacker": who stops at the NUL lets the attacker in as admin. */
static void names_with_tricks_name_nobody(void **state)
{
	static const struct {
		const char *name;
		int type;
		struct slice value;
	} rows[] = {
	    {"NUL inside", V_ASN1_UTF8STRING, SLICE_INIT("admin\0.x")},
	    {"NUL at the end", V_ASN1_UTF8STRING, SLICE_INIT("admin\0")},
	    {"NUL in a BMP string", V_ASN1_BMPSTRING, SLICE_INIT("\0a\0\0\0b")},
	    {"bad UTF-8", V_ASN1_UTF8STRING, SLICE_INIT("adm\xff")},
	    {"empty", V_ASN1_UTF8STRING, SLICE_INIT("")},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *cn[] = {"good"};
		X509 *certificate = with_names(cn, 1, NULL);
		ASN1_STRING *value = X509_NAME_ENTRY_get_data(
		    X509_NAME_get_entry(X509_get_subject_name(certificate), 0));
		struct buf out = {0};

		value->type = rows[i].type;
		ASN1_STRING_set(value, rows[i].value.data, (int)rows[i].value.len);
		if (tls_names_of(certificate, CERTIFICATE_USER_CN, &out) != 0 || out.len != 0)
			fail_msg("%s", rows[i].name);
		buf_fini(&out);
		X509_free(certificate);
	}
}

/* A key of `bits`, of which nobody has the other half. */
static EVP_PKEY *public_rsa(int bits)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	BIGNUM *n = BN_new(), *e = BN_new();
	EVP_PKEY *key = NULL;
	OSSL_PARAM *params;

	assert_int_equal(BN_rand(n, bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD), 1);
	assert_int_equal(BN_set_word(e, 65537), 1);
	OSSL_PARAM_BLD_push_BN(build, "n", n);
	OSSL_PARAM_BLD_push_BN(build, "e", e);
	params = OSSL_PARAM_BLD_to_param(build);
	assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
	assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params), 1);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(ctx);
	BN_free(n);
	BN_free(e);
	return key;
}

static void keys_of_clients_are_bounded(void **state)
{
	static const struct {
		int bits;
		bool bounded;
	} rows[] = {{2048, true}, {4096, true}, {8192, true}, {8256, false}, {16384, false}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		EVP_PKEY *key = public_rsa(rows[i].bits);
		const char *cn[] = {"x"};
		X509 *certificate = with_names(cn, 1, NULL);

		assert_int_equal(X509_set_pubkey(certificate, key), 1);
		assert_int_equal(tls_certificate_check_is_bounded(certificate), rows[i].bounded);
		X509_free(certificate);
		EVP_PKEY_free(key);
	}
}

/* A clock that is set back keeps new clients out, but ends no connection. */
static void certificate_that_is_not_valid_yet_ends_no_connection(void **state)
{
	struct conf_certificate pair = {.certificate =
	                                    (char *)(uintptr_t)pki_write("s.crt", good.certificate),
	                                .key = (char *)(uintptr_t)pki_write_key("s.key", good.key)};
	struct conf_tls conf = {.certificates = &pair,
	                        .certificate_count = 1,
	                        .min_version = 12,
	                        .client_certificates = CLIENT_CERTIFICATES_REQUIRED,
	                        .client_ca =
	                            (char *)(uintptr_t)pki_write("ca.crt", ca.certificate)};
	static const struct {
		const struct pki_identity *id;
		bool connected, want;
		const char *why;
	} rows[] = {
	    {&for_clients, false, true, NULL},       {&for_clients, true, true, NULL},
	    {&young, false, false, "not yet valid"}, {&young, true, true, NULL},
	    {&expired, false, false, "has expired"}, {&expired, true, false, "has expired"},
	};
	struct errors errors = {0};
	struct tls_context *ctx =
	    tls_context_new(&conf, "broker.yaml", 1, CONF_PROTOCOL_MQTT, tickets, &errors);

	(void)state;
	assert_non_null(ctx);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *why = "";

		assert_int_equal(tls_certificate_check_again(ctx, rows[i].id->certificate, NULL,
		                                             rows[i].connected, &why),
		                 rows[i].want);
		assert_true(rows[i].want || strstr(why, rows[i].why) != NULL);
	}
	tls_context_unref(&ctx);
	errors_fini(&errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pairs_that_are_refused),
	    cmocka_unit_test(mismatch_names_both_files_and_the_place),
	    cmocka_unit_test(pairs_that_are_taken),
	    cmocka_unit_test(exactly_nine_suites),
	    cmocka_unit_test(certificate_files_with_more_in_them),
	    cmocka_unit_test(certificate_that_is_never_sent_is_warned_of),
	    cmocka_unit_test(client_files),
	    cmocka_unit_test(names_of_a_certificate),
	    cmocka_unit_test(names_with_tricks_name_nobody),
	    cmocka_unit_test(keys_of_clients_are_bounded),
	    cmocka_unit_test(certificate_that_is_not_valid_yet_ends_no_connection),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
