/* From the configuration to the SSL_CTX of a listener.  Everything is set here explicitly: neither
 * OpenSSL's defaults nor its configuration file decide (RFC 9325, RFC 8996, RFC 9155). */
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/alloc.h"
#include "base/crypto.h"
#include "base/require.h"
#include "net/tls_context_internal.h"
#include "net/tls_stream.h"

#define SUITES_12                                                                                  \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"                             \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256:"                               \
	"ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305"
#define SUITES_13           "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define SUITES_ALL          9
#define VERIFY_DEPTH        4
#define CERTIFICATES_MAX    32768 /* bytes of a client's chain */
#define EXPIRY_WARNING_DAYS 30

/* Not const: OpenSSL's macros cast it away. */
static char key_groups[] = "X25519:P-256:P-384";
static char signatures[] =
    "ECDSA+SHA256:ECDSA+SHA384:ed25519:RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:"
    "RSA+SHA256:RSA+SHA384:RSA+SHA512";

/* Where building fails: what the steps below need. */
struct building {
	struct tls_context *ctx;
	const struct conf_tls *conf;
	const char *conf_path;
	unsigned listener_id;
	const struct tls_context *certificates_of; /* copied from there; NULL: read */
	struct errors *errors;
};

static void report_openssl(const struct building *b, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	errors_add(b->errors, b->conf_path, 0, 0, "TLS: %s: %s", what,
	           reason == NULL ? "OpenSSL gives no reason" : reason);
	ERR_clear_error();
}

/* --- callbacks; their types are OpenSSL's --- */

/* NOLINTBEGIN(readability-non-const-parameter): see above */

static int on_client_hello(SSL *ssl, int *alert, void *arg)
{
	struct tls_hello *hello = tls_stream_hello(ssl);

	(void)arg;
	if (hello != NULL)
		tls_hello_read(hello, ssl);
	/* mutant: tls_hello_groups */
	if (!tls_hello_is_bounded(ssl)) {
		*alert = SSL_AD_ILLEGAL_PARAMETER;
		return SSL_CLIENT_HELLO_ERROR;
	}
	return SSL_CLIENT_HELLO_SUCCESS;
}

/* A client that wants mqtt gets it; one that wants something else was led to the wrong server
 * (ALPACA) and is refused; one that says nothing is welcome: most devices do not. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                   const unsigned char *offered, unsigned offered_len, void *arg)
{
	struct reader r = reader_of(slice_of(offered, offered_len));

	(void)ssl;
	(void)arg;
	while (reader_left(&r) > 0) {
		struct slice name = read_bytes(&r, read_u8(&r));

		if (!r.bad && slice_equal(name, SLICE("mqtt"))) {
			*out = name.data;
			*out_len = (unsigned char)name.len;
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static const struct tls_group *group_for(const struct tls_context *ctx, const char *name)
{
	for (size_t g = 0; g < ctx->group_count; g++) {
		for (size_t m = 0; m < ctx->groups[g].count; m++) {
			X509 *leaf = ctx->certificates[ctx->groups[g].members[m]].leaf;

			if (X509_check_host(leaf, name, 0, 0, NULL) == 1)
				return &ctx->groups[g];
		}
	}
	return NULL;
}

/* An unknown name goes on with the default certificate: the client decides. */
static int on_server_name(SSL *ssl, int *alert, void *arg)
{
	const struct tls_context *ctx = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const struct tls_group *group = name == NULL ? NULL : group_for(ctx, name);

	(void)alert;
	(void)arg;
	if (group == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	if (group->ssl_ctx != SSL_get_SSL_CTX(ssl) && SSL_set_SSL_CTX(ssl, group->ssl_ctx) == NULL)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	return SSL_TLSEXT_ERR_OK;
}

/* NOLINTEND(readability-non-const-parameter) */

/* --- one SSL_CTX --- */

/* SSL_CTX_set_cipher_list is content when it knows one of the names: look at what came out. Authen-
 * ticated encryption, forward secrecy, an authenticated server, or the broker does not start. */
static bool suites_are_right(SSL_CTX *ssl_ctx)
{
	STACK_OF(SSL_CIPHER) *all = SSL_CTX_get_ciphers(ssl_ctx);

	for (int i = 0; i < sk_SSL_CIPHER_num(all); i++) {
		const SSL_CIPHER *suite = sk_SSL_CIPHER_value(all, i);
		int kx = SSL_CIPHER_get_kx_nid(suite), auth = SSL_CIPHER_get_auth_nid(suite);

		if (!SSL_CIPHER_is_aead(suite) || (kx != NID_kx_ecdhe && kx != NID_kx_any) ||
		    auth == NID_auth_null || auth == NID_auth_psk)
			return false;
	}
	return sk_SSL_CIPHER_num(all) == SUITES_ALL;
}

static bool set_algorithms(SSL_CTX *ssl_ctx, unsigned min_version)
{
	SSL_CTX_set_security_level(ssl_ctx, 2);
	return SSL_CTX_set_min_proto_version(ssl_ctx, min_version == 13 ? TLS1_3_VERSION
	                                                                : TLS1_2_VERSION) == 1 &&
	       SSL_CTX_set_max_proto_version(ssl_ctx, 0) == 1 &&
	       SSL_CTX_set_cipher_list(ssl_ctx, SUITES_12) == 1 &&
	       SSL_CTX_set_ciphersuites(ssl_ctx, SUITES_13) == 1 && suites_are_right(ssl_ctx) &&
	       SSL_CTX_set1_groups_list(ssl_ctx, key_groups) == 1 &&
	       SSL_CTX_set1_sigalgs_list(ssl_ctx, signatures) == 1 &&
	       SSL_CTX_set1_client_sigalgs_list(ssl_ctx, signatures) == 1;
}

/* No early data: MQTT has no profile for it (RFC 8446 E.5). */
static void set_options(SSL_CTX *ssl_ctx)
{
	SSL_CTX_clear_options(ssl_ctx, SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION |
	                                   SSL_OP_ALLOW_CLIENT_RENEGOTIATION |
	                                   SSL_OP_ALLOW_NO_DHE_KEX |
	                                   SSL_OP_NO_EXTENDED_MASTER_SECRET | SSL_OP_NO_TICKET);
	SSL_CTX_set_options(ssl_ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
	                                 SSL_OP_CIPHER_SERVER_PREFERENCE |
	                                 SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_mode(ssl_ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
	                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
	                              SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_max_cert_list(ssl_ctx, CERTIFICATES_MAX);
	REQUIRE(SSL_CTX_set_max_early_data(ssl_ctx, 0) == 1);
	REQUIRE(SSL_CTX_set_recv_max_early_data(ssl_ctx, 0) == 1);
}

/* Tickets of one listener, or of other demands on clients, are worth nothing at another. */
static bool set_session_id_context(SSL_CTX *ssl_ctx, const struct building *b)
{
	uint8_t id[16];
	struct buf text = {0};
	bool ok;

	buf_printf(&text, "v%x.%d", b->listener_id, (int)b->conf->client_certificates);
	memset(id, 0, sizeof(id));
	memcpy(id, text.data, text.len < sizeof(id) ? text.len : sizeof(id));
	ok = SSL_CTX_set_session_id_context(ssl_ctx, id, sizeof(id)) == 1;
	buf_fini(&text);
	return ok;
}

static bool set_client_verification(SSL_CTX *ssl_ctx, const struct building *b)
{
	int mode = SSL_VERIFY_PEER;

	if (b->ctx->client_store == NULL) {
		SSL_CTX_set_verify(ssl_ctx, SSL_VERIFY_NONE, NULL);
		return true;
	}
	if (b->conf->client_certificates == CLIENT_CERTIFICATES_REQUIRED)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(ssl_ctx, mode, NULL); /* no callback that could forgive */
	SSL_CTX_set_verify_depth(ssl_ctx, VERIFY_DEPTH);
	SSL_CTX_set1_cert_store(ssl_ctx, b->ctx->client_store);
	tls_client_bound(ssl_ctx);
	return true;
}

static void set_callbacks(SSL_CTX *ssl_ctx, struct tls_context *ctx)
{
	SSL_CTX_set_app_data(ssl_ctx, ctx);
	SSL_CTX_set_client_hello_cb(ssl_ctx, on_client_hello, NULL);
	SSL_CTX_set_alpn_select_cb(ssl_ctx, on_alpn, NULL);
	SSL_CTX_set_tlsext_servername_callback(ssl_ctx, on_server_name);
	tls_tickets_use(ssl_ctx);
}

static SSL_CTX *new_ssl_ctx(const struct building *b)
{
	SSL_CTX *ssl_ctx = SSL_CTX_new(TLS_server_method());

	ERR_clear_error();
	if (ssl_ctx == NULL || !set_algorithms(ssl_ctx, b->conf->min_version) ||
	    !set_session_id_context(ssl_ctx, b) || !set_client_verification(ssl_ctx, b)) {
		report_openssl(b, "this OpenSSL cannot do what is demanded of it");
		SSL_CTX_free(ssl_ctx);
		return NULL;
	}
	set_options(ssl_ctx);
	set_callbacks(ssl_ctx, b->ctx);
	return ssl_ctx;
}

/* --- certificates --- */

static bool group_takes(const struct tls_context *ctx, const struct tls_group *group, size_t n)
{
	const struct tls_certificate *c = &ctx->certificates[n];
	bool shares = false;

	for (size_t m = 0; m < group->count; m++) {
		const struct tls_certificate *other = &ctx->certificates[group->members[m]];

		if (EVP_PKEY_get_base_id(other->key) == EVP_PKEY_get_base_id(c->key))
			return false;
		shares = shares || tls_certificate_shares_name(c, other) ||
		         tls_certificate_shares_name(other, c);
	}
	return shares;
}

static struct tls_group *find_or_add_group(const struct building *b, size_t n)
{
	struct tls_context *ctx = b->ctx;
	struct tls_group *group;

	for (size_t g = 0; g < ctx->group_count; g++) {
		if (group_takes(ctx, &ctx->groups[g], n))
			return &ctx->groups[g];
	}
	ctx->groups = xrealloc_array(ctx->groups, ctx->group_count + 1, sizeof(*ctx->groups));
	group = &ctx->groups[ctx->group_count];
	*group = (struct tls_group){.ssl_ctx = new_ssl_ctx(b)};
	if (group->ssl_ctx == NULL)
		return NULL;
	ctx->group_count++;
	return group;
}

static void add_certificate(const struct building *b, size_t n)
{
	const struct tls_certificate *c = &b->ctx->certificates[n];
	struct tls_group *group = find_or_add_group(b, n);

	if (group == NULL)
		return;
	group->members = xrealloc_array(group->members, group->count + 1, sizeof(size_t));
	group->members[group->count++] = n;
	ERR_clear_error();
	if (SSL_CTX_use_cert_and_key(group->ssl_ctx, c->leaf, c->key, c->chain, 1) == 1)
		return;
	errors_add(b->errors, b->conf_path, b->conf->certificates[n].line,
	           b->conf->certificates[n].column,
	           "%s cannot be used: %s (keys below RSA 2048 or P-256 and signatures with SHA-1 "
	           "are not, in the whole chain)",
	           c->path, ERR_reason_error_string(ERR_peek_last_error()));
	ERR_clear_error();
}

static bool load_certificate(const struct building *b, size_t n)
{
	if (b->certificates_of == NULL)
		return tls_certificate_load(&b->ctx->certificates[n], &b->conf->certificates[n],
		                            b->conf_path, b->errors);
	tls_certificate_copy(&b->ctx->certificates[n], &b->certificates_of->certificates[n]);
	return true;
}

static void load_certificates(const struct building *b)
{
	struct tls_context *ctx = b->ctx;

	if (b->conf->certificate_count == 0)
		errors_add(b->errors, b->conf_path, 0, 0, "tls.certificates: TLS needs one");
	ctx->certificates = xcalloc(b->conf->certificate_count + 1, sizeof(*ctx->certificates));
	for (size_t i = 0; i < b->conf->certificate_count; i++) {
		ctx->certificate_count++;
		if (load_certificate(b, i))
			add_certificate(b, i);
	}
}

static void describe(struct tls_context *ctx)
{
	struct buf text = {0};

	for (size_t i = 0; i < ctx->certificate_count; i++) {
		if (i > 0)
			buf_printf(&text, i + 1 < ctx->certificate_count ? ", " : " and ");
		tls_certificate_kind(&ctx->certificates[i], &text);
	}
	ctx->description = slice_dup(buf_slice(&text));
	buf_fini(&text);
}

/* --- client certificates --- */

static bool add_client_ca(const struct building *b, X509_STORE *store, STACK_OF(X509) * all)
{
	for (int i = 0; i < sk_X509_num(all); i++) {
		if (X509_check_ca(sk_X509_value(all, i)) == 0) {
			errors_add(b->errors, b->conf->client_ca, 0, 0,
			           "certificate %d of this file is not one of a CA", i + 1);
			return false;
		}
		if (X509_STORE_add_cert(store, sk_X509_value(all, i)) != 1) {
			report_openssl(b, "client_ca");
			return false;
		}
	}
	return true;
}

static bool has_crl(STACK_OF(X509_CRL) * crls, const X509 *ca)
{
	for (int i = 0; i < sk_X509_CRL_num(crls); i++) {
		if (X509_NAME_cmp(X509_CRL_get_issuer(sk_X509_CRL_value(crls, i)),
		                  X509_get_subject_name(ca)) == 0)
			return true;
	}
	return false;
}

static bool stands_above_a_ca(const X509 *ca, STACK_OF(X509) * all)
{
	if ((X509_get_extension_flags((X509 *)(uintptr_t)ca) & EXFLAG_SS) != 0)
		return true;
	for (int i = 0; i < sk_X509_num(all); i++) {
		const X509 *other = sk_X509_value(all, i);

		if (other != ca &&
		    X509_NAME_cmp(X509_get_issuer_name(other), X509_get_subject_name(ca)) == 0)
			return true;
	}
	return false;
}

/* The client's own certificate is looked up always. Those of the CAs above it only where the file
 * has a list of each: else an executor with two levels of CA could not log in at all. */
static unsigned long crl_flags(STACK_OF(X509) * cas, STACK_OF(X509_CRL) * crls)
{
	for (int i = 0; i < sk_X509_num(cas); i++) {
		if (stands_above_a_ca(sk_X509_value(cas, i), cas) &&
		    !has_crl(crls, sk_X509_value(cas, i)))
			return X509_V_FLAG_CRL_CHECK;
	}
	return X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
}

static void warn_about_crl(const struct building *b, const X509_CRL *crl)
{
	const ASN1_TIME *next = X509_CRL_get0_nextUpdate(crl);

	if (next != NULL && X509_cmp_current_time(next) < 0)
		errors_warn(b->errors, b->conf->client_crl, 0, 0,
		            "the revocation list has EXPIRED: until it is renewed no client "
		            "certificate of its CA is accepted");
}

/* The files one after the other: a digest over the digests. */
static void add_trust(struct tls_context *ctx, struct slice file)
{
	uint8_t both[2 * sizeof(ctx->trust)];

	memcpy(both, ctx->trust, sizeof(ctx->trust));
	crypto_sha256(file, both + sizeof(ctx->trust));
	crypto_sha256(slice_of(both, sizeof(both)), ctx->trust);
}

static bool add_crls(const struct building *b, X509_STORE *store, STACK_OF(X509) * cas)
{
	struct conf_file file = {.path = b->conf->client_crl,
	                         .what = "revocation list",
	                         .max_bytes = TLS_FILE_BYTES_MAX};
	struct buf bytes = {0};
	STACK_OF(X509_CRL) *crls = NULL;
	bool ok = false;

	if (!tls_read_file(&file, &bytes, b->errors))
		goto done;
	crls = tls_parse_crls(buf_slice(&bytes));
	if (crls == NULL) {
		errors_add(b->errors, b->conf->client_crl, 0, 0,
		           "this is not a revocation list in PEM (-----BEGIN X509 CRL-----) or "
		           "DER");
		goto done;
	}
	ok = true;
	add_trust(b->ctx, buf_slice(&bytes));
	for (int i = 0; i < sk_X509_CRL_num(crls); i++) {
		ok = ok && X509_STORE_add_crl(store, sk_X509_CRL_value(crls, i)) == 1;
		warn_about_crl(b, sk_X509_CRL_value(crls, i));
	}
	ok = ok && X509_STORE_set_flags(store, crl_flags(cas, crls)) == 1;
	if (!ok)
		report_openssl(b, "client_crl");
done:
	sk_X509_CRL_pop_free(crls, X509_CRL_free);
	buf_fini(&bytes);
	return ok;
}

static bool load_client_ca(const struct building *b)
{
	struct conf_file file = {
	    .path = b->conf->client_ca, .what = "client CA", .max_bytes = TLS_FILE_BYTES_MAX};
	X509_STORE *store = X509_STORE_new();
	struct buf bytes = {0};
	STACK_OF(X509) *cas = NULL;
	bool ok = false;

	if (store == NULL || !tls_read_file(&file, &bytes, b->errors))
		goto done;
	cas = tls_parse_certificates(buf_slice(&bytes));
	if (cas == NULL) {
		errors_add(b->errors, b->conf->client_ca, 0, 0,
		           "this is not a certificate in PEM (-----BEGIN CERTIFICATE-----) or DER");
		goto done;
	}
	add_trust(b->ctx, buf_slice(&bytes));
	ok = add_client_ca(b, store, cas) &&
	     (b->conf->client_crl == NULL || add_crls(b, store, cas));
done:
	sk_X509_pop_free(cas, X509_free);
	buf_fini(&bytes);
	if (ok)
		b->ctx->client_store = store;
	else
		X509_STORE_free(store);
	return ok;
}

/* What the server names in its request for a certificate, so that the client can choose. */
static void announce_client_cas(struct tls_context *ctx)
{
	STACK_OF(X509_OBJECT) * all;

	if (ctx->client_store == NULL)
		return;
	all = X509_STORE_get0_objects(ctx->client_store);
	for (size_t g = 0; g < ctx->group_count; g++) {
		for (int i = 0; i < sk_X509_OBJECT_num(all); i++) {
			X509 *ca = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(all, i));

			if (ca != NULL)
				(void)SSL_CTX_add_client_CA(ctx->groups[g].ssl_ctx, ca);
		}
	}
}

static void load_clients(const struct building *b)
{
	if (b->conf->client_certificates == CLIENT_CERTIFICATES_NONE)
		return;
	if (b->conf->client_ca == NULL)
		errors_add(b->errors, b->conf_path, 0, 0,
		           "client_certificates needs client_ca: the CA that signs them");
	else
		(void)load_client_ca(b);
}

/* --- the whole --- */

static struct tls_context *build(struct building *b, struct tls_tickets *tickets)
{
	struct tls_context *ctx = xnew(ctx);
	size_t errors_before = b->errors->error_count;

	b->ctx = ctx;
	atomic_init(&ctx->refs, 1);
	mutex_init(&ctx->lock);
	ctx->client_certificates = b->conf->client_certificates;
	ctx->min_version = b->conf->min_version;
	ctx->tickets = tls_tickets_ref(tickets);
	load_clients(b);
	load_certificates(b);
	announce_client_cas(ctx);
	if (b->errors->error_count > errors_before) {
		tls_context_unref(&ctx);
		return NULL;
	}
	describe(ctx);
	return ctx;
}

struct tls_context *tls_context_new(const struct conf_tls *conf, const char *conf_path,
                                    unsigned listener_id, struct tls_tickets *tickets,
                                    struct errors *errors)
{
	struct building b = {
	    .conf = conf, .conf_path = conf_path, .listener_id = listener_id, .errors = errors};

	return build(&b, tickets);
}

struct tls_context *tls_context_renew_clients(const struct tls_context *now,
                                              const struct conf_tls *conf, const char *conf_path,
                                              unsigned listener_id, struct errors *errors)
{
	struct building b = {.conf = conf,
	                     .conf_path = conf_path,
	                     .listener_id = listener_id,
	                     .certificates_of = now,
	                     .errors = errors};

	REQUIRE(conf->certificate_count == now->certificate_count);
	return build(&b, now->tickets);
}

struct tls_context *tls_context_ref(struct tls_context *ctx)
{
	atomic_fetch_add(&ctx->refs, 1);
	return ctx;
}

void tls_context_unref(struct tls_context **where)
{
	struct tls_context *ctx = *where;

	*where = NULL;
	if (ctx == NULL || atomic_fetch_sub(&ctx->refs, 1) != 1)
		return;
	for (size_t g = 0; g < ctx->group_count; g++) {
		SSL_CTX_free(ctx->groups[g].ssl_ctx);
		free(ctx->groups[g].members);
	}
	for (size_t i = 0; i < ctx->certificate_count; i++)
		tls_certificate_fini(&ctx->certificates[i]);
	X509_STORE_free(ctx->client_store);
	tls_tickets_free(ctx->tickets);
	mutex_fini(&ctx->lock);
	free(ctx->groups);
	free(ctx->certificates);
	free(ctx->description);
	free(ctx->bind);
	free(ctx);
}

void tls_context_name(struct tls_context *ctx, const char *bind)
{
	mutex_lock(&ctx->lock);
	if (ctx->bind == NULL)
		ctx->bind = xstrdup(bind);
	mutex_unlock(&ctx->lock);
}

const char *tls_context_certificates(const struct tls_context *ctx)
{
	return ctx->description;
}

static void log_expiry(const struct tls_certificate *c)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	long len = 0;

	if (bio != NULL && ASN1_TIME_print(bio, X509_get0_notAfter(c->leaf)) == 1)
		len = BIO_get_mem_data(bio, &text);
	LOG(CERTIFICATE_EXPIRES, .certificate = c->path, .not_after = slice_of(text, (size_t)len),
	    .days = tls_certificate_days_left(c));
	BIO_free(bio);
}

void tls_context_log_expiry(const struct tls_context *ctx)
{
	for (size_t i = 0; i < ctx->certificate_count; i++) {
		const struct tls_certificate *c = &ctx->certificates[i];

		if (tls_certificate_days_left(c) < EXPIRY_WARNING_DAYS ||
		    tls_certificate_not_yet_valid(c))
			log_expiry(c);
	}
}

bool tls_context_same_certificates(const struct tls_context *a, const struct tls_context *b)
{
	if (a->certificate_count != b->certificate_count)
		return false;
	for (size_t i = 0; i < a->certificate_count; i++) {
		if (X509_cmp(a->certificates[i].leaf, b->certificates[i].leaf) != 0)
			return false;
	}
	return true;
}

void tls_context_describe_certificates(const struct tls_context *ctx, struct buf *out)
{
	for (size_t i = 0; i < ctx->certificate_count; i++) {
		if (i > 0)
			buf_put_slice(out, SLICE("; "));
		tls_certificate_describe(&ctx->certificates[i], out);
	}
}
