/* Client certificates that were accepted once, judged again: a session that is resumed, a
 * connection that lives on when CA or CRL change.  The same rules as in a full handshake: purpose,
 * depth, strength, dates, CRL. */
#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "net/tls_inside.h"

static bool verify(X509_STORE_CTX *check, X509_STORE *store, X509 *certificate,
                   STACK_OF(X509) * chain)
{
	X509_VERIFY_PARAM *param;

	if (X509_STORE_CTX_init(check, store, certificate, chain) != 1 ||
	    X509_STORE_CTX_set_default(check, "ssl_client") != 1)
		return false;
	param = X509_STORE_CTX_get0_param(check);
	X509_VERIFY_PARAM_set_depth(param, TLS_CLIENT_DEPTH);
	X509_VERIFY_PARAM_set_auth_level(param, 2);
	return X509_verify_cert(check) == 1;
}

bool tls_client_still_good(const struct tls_context *ctx, X509 *certificate, STACK_OF(X509) * chain,
                           const char **why)
{
	X509_STORE_CTX *check = X509_STORE_CTX_new();
	bool good = false;

	*why = "client certificates are not accepted any more";
	if (check != NULL && ctx->client_store != NULL) {
		good = verify(check, ctx->client_store, certificate, chain);
		if (!good)
			*why = X509_verify_cert_error_string(X509_STORE_CTX_get_error(check));
	}
	X509_STORE_CTX_free(check);
	ERR_clear_error();
	return good;
}
