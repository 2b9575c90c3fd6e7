/* Client certificates that were accepted once, judged again: a session that is resumed, a
 * connection that lives on when CA or CRL change.  The same rules as in a full handshake: purpose,
 * depth, strength, dates, CRL. */
#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "net/tls_inside.h"

/* A CRL that has ended since keeps new clients out, but ends no connection. */
static int pass_over_expired_crl(int ok, X509_STORE_CTX *check)
{
	return ok == 1 || X509_STORE_CTX_get_error(check) == X509_V_ERR_CRL_HAS_EXPIRED;
}

static bool verify(X509_STORE_CTX *check, X509_STORE *store, X509 *certificate,
                   STACK_OF(X509) * chain, bool connected)
{
	X509_VERIFY_PARAM *param;

	if (X509_STORE_CTX_init(check, store, certificate, chain) != 1 ||
	    X509_STORE_CTX_set_default(check, "ssl_client") != 1)
		return false;
	param = X509_STORE_CTX_get0_param(check);
	X509_VERIFY_PARAM_set_depth(param, TLS_CLIENT_DEPTH);
	X509_VERIFY_PARAM_set_auth_level(param, 2);
	if (connected)
		X509_STORE_CTX_set_verify_cb(check, pass_over_expired_crl);
	return X509_verify_cert(check) == 1;
}

bool tls_client_still_good(const struct tls_context *ctx, X509 *certificate, STACK_OF(X509) * chain,
                           bool connected, const char **why)
{
	X509_STORE_CTX *check = X509_STORE_CTX_new();
	bool good = false;

	*why = "client certificates are not accepted any more";
	if (check != NULL && ctx->client_store != NULL) {
		good = verify(check, ctx->client_store, certificate, chain, connected);
		if (!good)
			*why = X509_verify_cert_error_string(X509_STORE_CTX_get_error(check));
	}
	X509_STORE_CTX_free(check);
	ERR_clear_error();
	return good;
}

bool tls_client_in_date(STACK_OF(X509) * verified)
{
	for (int i = 0; i < sk_X509_num(verified); i++) {
		const X509 *one = sk_X509_value(verified, i);

		if (X509_cmp_timeframe(NULL, X509_get0_notBefore(one), X509_get0_notAfter(one)) !=
		    0)
			return false;
	}
	return true;
}
