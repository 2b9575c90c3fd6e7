/* Everything is set here explicitly: neither OpenSSL's defaults nor its configuration file decide
 * (RFC 9325, RFC 8996, RFC 9155). */
#include "net/tls/tls_ssl_ctx.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/bytes.h"
#include "base/require.h"
#include "net/tls/tls_certificate.h"
#include "net/tls/tls_certificate_check.h"
#include "net/tls/tls_context_internal.h"
#include "net/tls/tls_hello.h"
#include "net/tls/tls_io.h"
#include "net/tls/tls_tickets.h"

#define SUITES_12                                                                                  \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"                             \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256:"                               \
	"ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305"
#define SUITES_13        "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define SUITES_ALL       9
#define CERTIFICATES_MAX 32768 /* bytes of a client's chain */

/* Not const: OpenSSL's macros cast it away. */
static char key_groups[] = "X25519:P-256:P-384";
static char signatures[] =
    "ECDSA+SHA256:ECDSA+SHA384:ed25519:RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:"
    "RSA+SHA256:RSA+SHA384:RSA+SHA512";

/* --- callbacks --- */

/* NOLINTBEGIN(readability-non-const-parameter): OpenSSL's types */

static int on_client_hello(SSL *ssl, int *alert, void *arg)
{
	struct tls_hello *hello = tls_io_of(ssl)->hello;

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

static const struct slice alpn_names[] = {
    [CONF_PROTOCOL_MQTT] = SLICE_INIT("mqtt"),
    [CONF_PROTOCOL_HTTPS] = SLICE_INIT("http/1.1"),
};

/* A client that asks for the listener's protocol gets it. One that asks for something else only was
 * led to the wrong server (ALPACA) and is refused. One without ALPN is accepted: most devices have
 * none, and most programs that speak WebSocket. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                   const unsigned char *offered, unsigned offered_len, void *arg)
{
	const struct tls_context *ctx = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	struct reader r = reader_of(slice_of(offered, offered_len));

	(void)arg;
	while (reader_left(&r) > 0) {
		struct slice name = read_bytes(&r, read_u8(&r));

		if (!r.bad && slice_equal(name, alpn_names[ctx->protocol])) {
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

/* An unknown name gets the default certificate: the client decides. */
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

/* The client asks; OpenSSL has chosen the certificate. */
static int on_status(SSL *ssl, void *arg)
{
	const struct tls_context *ctx = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const X509 *leaf = SSL_get_certificate(ssl);

	(void)arg;
	for (size_t i = 0; leaf != NULL && i < ctx->certificate_count; i++) {
		const struct tls_certificate *c = &ctx->certificates[i];
		uint8_t *copy;

		if (c->leaf != leaf || !tls_staple_is_fresh(&c->staple))
			continue;
		copy = OPENSSL_memdup(c->staple.response.data, c->staple.response.len);
		if (copy == NULL)
			break;
		(void)SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)c->staple.response.len);
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_NOACK;
}

/* NOLINTEND(readability-non-const-parameter) */

/* --- one SSL_CTX --- */

/* SSL_CTX_set_cipher_list succeeds when it knows one of the names, so the result is checked:
 * without authenticated encryption, forward secrecy and an authenticated server the broker does not
 * start.
 */
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

/* Tickets of one listener, or of other demands on clients, are worth nothing at another. */
static bool set_session_id_context(SSL_CTX *ssl_ctx, const struct tls_building *b)
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

static void set_client_verification(SSL_CTX *ssl_ctx, const struct tls_building *b)
{
	int mode = SSL_VERIFY_PEER;

	if (b->ctx->client_store == NULL) {
		SSL_CTX_set_verify(ssl_ctx, SSL_VERIFY_NONE, NULL);
		return;
	}
	if (b->conf->client_certificates == CLIENT_CERTIFICATES_REQUIRED)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(ssl_ctx, mode, NULL); /* no callback that could forgive */
	SSL_CTX_set_verify_depth(ssl_ctx, TLS_CHECK_DEPTH);
	SSL_CTX_set1_cert_store(ssl_ctx, b->ctx->client_store);
	tls_certificate_check_bound(ssl_ctx);
}

SSL_CTX *tls_ssl_ctx_new(const struct tls_building *b)
{
	SSL_CTX *ssl_ctx = SSL_CTX_new(TLS_server_method());

	ERR_clear_error();
	if (ssl_ctx == NULL || !set_algorithms(ssl_ctx, b->conf->min_version) ||
	    !set_session_id_context(ssl_ctx, b)) {
		tls_building_report(b, "this OpenSSL does not support the required settings");
		SSL_CTX_free(ssl_ctx);
		return NULL;
	}
	set_client_verification(ssl_ctx, b);
	/* No early data: MQTT has no profile for it (RFC 8446 E.5). */
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
	SSL_CTX_set_app_data(ssl_ctx, b->ctx);
	SSL_CTX_set_client_hello_cb(ssl_ctx, on_client_hello, NULL);
	SSL_CTX_set_alpn_select_cb(ssl_ctx, on_alpn, NULL);
	SSL_CTX_set_tlsext_servername_callback(ssl_ctx, on_server_name);
	REQUIRE(SSL_CTX_set_tlsext_status_cb(ssl_ctx, on_status) == 1);
	tls_tickets_use(ssl_ctx);
	return ssl_ctx;
}
