/* A client certificate that was accepted once is verified again when a session is resumed, and when
 * CA or CRL change while the connection lives.  The same rules as in a full handshake: purpose,
 * depth, strength, dates, CRL. */
#include "net/tls/tls_certificate_check.h"

#include <pthread.h>

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "base/require.h"
#include "net/tls/tls_certificate.h"
#include "net/tls/tls_context_internal.h"
#include "net/tls/tls_io.h"
#include "net/tls/tls_work.h"

#define RSA_BITS_MAX 8192 /* one of 16384 takes as long as twenty handshakes */
/* mutant: tls_client_names */
#define NAMES_BYTES_MAX 8192

/* --- bounds --- */

/* A certificate of 200 bytes with a compressed key takes half a millisecond to parse, 160 of them
 * fit into a chain, and OpenSSL parses all before it asks anybody. It shows the message first: a
 * length that is wrong makes it stop there. */
/* NOLINTNEXTLINE(readability-function-size): OpenSSL's signature */
static void on_message(int is_sent, int version, int type, const void *message, size_t len,
                       SSL *ssl, void *arg)
{
	struct slice all = slice_of(message, len);
	struct tls_work *w;

	(void)arg;
	if (is_sent != 0 || type != SSL3_RT_HANDSHAKE || len < 8 ||
	    all.data[0] != SSL3_MT_CERTIFICATE)
		return;
	w = &tls_io_of(ssl)->work;
	w->certificates = tls_work_count_certificates(all, version == TLS1_3_VERSION);
	/* mutant: tls_client_chain */
	if (w->certificates > TLS_CERTIFICATES_MAX)
		memset((uint8_t *)(uintptr_t)message + 4, 0xff, 4);
}

bool tls_certificate_check_is_bounded(X509 *certificate)
{
	const EVP_PKEY *key = X509_get0_pubkey(certificate);
	int at = X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1);

	/* mutant: tls_client_keys */
	if (key != NULL && EVP_PKEY_get_bits(key) > RSA_BITS_MAX)
		return false;
	return at < 0 ||
	       ASN1_STRING_length(X509_EXTENSION_get_data(X509_get_ext(certificate, at))) <=
	           NAMES_BYTES_MAX;
}

/* --- whose certificate was refused --- */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int refused_index = -1;

/* NOLINTNEXTLINE(readability-function-size): OpenSSL's signature */
static void on_free(void *parent, void *refused, CRYPTO_EX_DATA *data, int index, long argl,
                    void *argp)
{
	(void)parent;
	(void)data;
	(void)index;
	(void)argl;
	(void)argp;
	X509_free(refused);
}

static void make_index(void)
{
	refused_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, on_free);
	REQUIRE(refused_index >= 0);
}

/* OpenSSL forgets it with the failure, and the owner wants to know which device it is. */
static void remember_refused(X509_STORE_CTX *check)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(check, SSL_get_ex_data_X509_STORE_CTX_idx());
	X509 *leaf = X509_STORE_CTX_get0_cert(check);

	if (ssl == NULL || leaf == NULL || SSL_get_ex_data(ssl, refused_index) != NULL)
		return;
	if (X509_up_ref(leaf) == 1 && SSL_set_ex_data(ssl, refused_index, leaf) != 1)
		X509_free(leaf);
}

void tls_certificate_check_refused(const SSL *ssl, struct buf *out)
{
	const X509 *leaf = SSL_get_ex_data(ssl, refused_index);

	if (leaf != NULL)
		tls_certificate_put_name(X509_get_subject_name(leaf), out);
}

/* crl_expired: accept: what is on an ended list is refused all the same, by the errors that follow.
 */
static int pass_over_ended_list(int ok, X509_STORE_CTX *check)
{
	if (ok == 1 || X509_STORE_CTX_get_error(check) != X509_V_ERR_CRL_HAS_EXPIRED)
		return ok;
	X509_STORE_CTX_set_error(check, X509_V_OK);
	return 1;
}

static const struct tls_context *context_of(X509_STORE_CTX *check)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(check, SSL_get_ex_data_X509_STORE_CTX_idx());

	REQUIRE(ssl != NULL);
	return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

/* Before OpenSSL computes anything with what the client sent. */
static int on_verify(X509_STORE_CTX *check, void *arg)
{
	STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(check);

	(void)arg;
	for (int i = 0; i < sk_X509_num(sent); i++) {
		if (tls_certificate_check_is_bounded(sk_X509_value(sent, i)))
			continue;
		X509_STORE_CTX_set_error(check, X509_V_ERR_APPLICATION_VERIFICATION);
		return 0;
	}
	/* mutant: ended_list_is_accepted */
	if (context_of(check)->accepts_ended_lists)
		X509_STORE_CTX_set_verify_cb(check, pass_over_ended_list);
	if (X509_verify_cert(check) == 1)
		return 1;
	remember_refused(check);
	return 0;
}

void tls_certificate_check_bound(SSL_CTX *ssl_ctx)
{
	REQUIRE(pthread_once(&once, make_index) == 0);
	SSL_CTX_set_msg_callback(ssl_ctx, on_message);
	SSL_CTX_set_cert_verify_callback(ssl_ctx, on_verify, NULL);
}

/* --- again --- */

/* A CRL that has ended since keeps new clients out, but ends no connection; nor does a clock that
 * was set back meanwhile. */
static int pass_over_dates(int ok, X509_STORE_CTX *check)
{
	int error = X509_STORE_CTX_get_error(check);

	/* mutant: tls_client_clock_back */
	return ok == 1 || error == X509_V_ERR_CRL_HAS_EXPIRED ||
	       error == X509_V_ERR_CERT_NOT_YET_VALID || error == X509_V_ERR_CRL_NOT_YET_VALID;
}

static bool verify_certificate(X509_STORE_CTX *check, const struct tls_context *ctx,
                               X509 *certificate, STACK_OF(X509) * chain, bool connected)
{
	X509_VERIFY_PARAM *param;

	if (X509_STORE_CTX_init(check, ctx->client_store, certificate, chain) != 1 ||
	    X509_STORE_CTX_set_default(check, "ssl_client") != 1)
		return false;
	param = X509_STORE_CTX_get0_param(check);
	X509_VERIFY_PARAM_set_depth(param, TLS_CHECK_DEPTH);
	X509_VERIFY_PARAM_set_auth_level(param, 2);
	if (connected)
		X509_STORE_CTX_set_verify_cb(check, pass_over_dates);
	else if (ctx->accepts_ended_lists)
		X509_STORE_CTX_set_verify_cb(check, pass_over_ended_list);
	return X509_verify_cert(check) == 1;
}

bool tls_certificate_check_again(const struct tls_context *ctx, X509 *certificate,
                                 STACK_OF(X509) * chain, bool connected, const char **why)
{
	X509_STORE_CTX *check = X509_STORE_CTX_new();
	bool good = false;

	*why = "client certificates are not accepted any more";
	if (check != NULL && ctx->client_store != NULL) {
		good = verify_certificate(check, ctx, certificate, chain, connected);
		if (!good)
			*why = X509_verify_cert_error_string(X509_STORE_CTX_get_error(check));
	}
	X509_STORE_CTX_free(check);
	ERR_clear_error();
	return good;
}

bool tls_certificate_check_dates(STACK_OF(X509) * verified)
{
	for (int i = 0; i < sk_X509_num(verified); i++) {
		const X509 *one = sk_X509_value(verified, i);

		if (X509_cmp_timeframe(NULL, X509_get0_notBefore(one), X509_get0_notAfter(one)) !=
		    0)
			return false;
	}
	return true;
}
