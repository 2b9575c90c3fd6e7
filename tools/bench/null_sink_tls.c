/* TLS of the null sink: a P-256 key and its certificate, made when it starts and never written. */
#include "null_sink_tls.h"

#include <stdbool.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#define VALID_S 86400L

static bool fill(X509 *certificate, EVP_PKEY *key)
{
	static const unsigned char name[] = "null sink";
	X509_NAME *subject = X509_get_subject_name(certificate);

	return X509_set_version(certificate, X509_VERSION_3) == 1 &&
	       ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) == 1 &&
	       X509_gmtime_adj(X509_getm_notBefore(certificate), 0) != NULL &&
	       X509_gmtime_adj(X509_getm_notAfter(certificate), VALID_S) != NULL &&
	       X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, name, -1, -1, 0) == 1 &&
	       X509_set_issuer_name(certificate, subject) == 1 &&
	       X509_set_pubkey(certificate, key) == 1 &&
	       X509_sign(certificate, key, EVP_sha256()) > 0;
}

SSL_CTX *null_sink_tls_new(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();
	bool ok = ctx != NULL && key != NULL && certificate != NULL && fill(certificate, key) &&
	          SSL_CTX_use_certificate(ctx, certificate) == 1 &&
	          SSL_CTX_use_PrivateKey(ctx, key) == 1;

	X509_free(certificate);
	EVP_PKEY_free(key);
	if (ok) {
		SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
		                          SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
		                          SSL_MODE_RELEASE_BUFFERS);
		SSL_CTX_set_read_ahead(ctx, 1);
		return ctx;
	}
	SSL_CTX_free(ctx);
	return NULL;
}
