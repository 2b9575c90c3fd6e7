/* The peer's certificate: its names and key, and whether it would be accepted again. */
#include "net/tls/tls_peer.h"

#include "base/container.h"
#include "base/require.h"
#include "net/tls/tls_certificate.h"
#include "net/tls/tls_certificate_check.h"
#include "net/tls/tls_context_internal.h"
#include "net/tls/tls_date.h"
#include "net/tls/tls_log.h"
#include "net/tls/tls_names.h"
#include "net/tls/tls_stream_internal.h"

static const struct tls_stream *stream_of(const struct stream_tls *tls)
{
	return container_of_const(tls, struct tls_stream, peer);
}

/* The session of a resumed connection was verified again before it was taken (tls_tickets.c). */
static X509 *certificate_of(const struct tls_stream *t)
{
	return SSL_get_verify_result(t->ssl) == X509_V_OK ? SSL_get0_peer_certificate(t->ssl)
	                                                  : NULL;
}

static size_t certificate_names(const struct stream_tls *tls, enum conf_certificate_user kind,
                                struct buf *out)
{
	return tls_names_of(certificate_of(stream_of(tls)), kind, out);
}

static void certificate_subject(const struct stream_tls *tls, struct buf *out)
{
	X509 *certificate = certificate_of(stream_of(tls));

	if (certificate != NULL)
		tls_certificate_put_name(X509_get_subject_name(certificate), out);
}

static bool certificate_key(const struct stream_tls *tls, uint8_t out[KEY_PIN_BYTES])
{
	return key_pin_of(certificate_of(stream_of(tls)), out);
}

/* A resumed session has its leaf only. */
static int64_t certificate_until(const struct stream_tls *tls)
{
	const struct tls_stream *t = stream_of(tls);
	const X509 *leaf = certificate_of(t);
	STACK_OF(X509) *verified = SSL_get0_verified_chain(t->ssl);
	int64_t until_s = leaf == NULL ? 0 : tls_date_epoch_s(X509_get0_notAfter(leaf));

	for (int i = 1; until_s != 0 && i < sk_X509_num(verified); i++) {
		int64_t end_s = tls_date_epoch_s(X509_get0_notAfter(sk_X509_value(verified, i)));

		until_s = end_s < until_s ? end_s : until_s;
	}
	return until_s;
}

static void put_mismatch(const struct stream_tls *tls, struct buf *out)
{
	tls_log_put_mismatch(stream_of(tls)->ssl, tls->server_name, out);
}

/* Where certificates are no longer asked for, one that was given counts as none. */
static enum stream_fit fits(const struct stream_tls *tls, const struct tls_context *ctx,
                            bool connected, const char **why)
{
	const struct tls_stream *t = stream_of(tls);
	X509 *certificate = certificate_of(t);
	STACK_OF(X509) *verified = SSL_get0_verified_chain(t->ssl);

	if (ctx->min_version == 13 && SSL_version(t->ssl) < TLS1_3_VERSION) {
		*why = "the TLS version is below tls.min_version now";
		/* mutant: min_version_on_reload */
		return STREAM_VERSION_TOO_OLD;
	}
	if (ctx->client_certificates == CLIENT_CERTIFICATES_NONE)
		return STREAM_FITS;
	if (certificate == NULL) {
		*why = "a client certificate is required now";
		return ctx->client_certificates == CLIENT_CERTIFICATES_REQUIRED
		           ? STREAM_CERTIFICATE_BAD
		           : STREAM_FITS;
	}
	/* Verified by the same CAs and CRL before: only the dates may have come to an end. */
	if (verified != NULL && memcmp(t->ctx->trust, ctx->trust, sizeof(ctx->trust)) == 0 &&
	    tls_certificate_check_dates(verified))
		return STREAM_FITS;
	return tls_certificate_check_again(ctx, certificate, SSL_get_peer_cert_chain(t->ssl),
	                                   connected, why)
	           ? STREAM_FITS
	           : STREAM_CERTIFICATE_BAD;
}

static const struct stream_tls_ops ops = {
    .certificate_names = certificate_names,
    .certificate_subject = certificate_subject,
    .certificate_key = certificate_key,
    .certificate_until = certificate_until,
    .put_mismatch = put_mismatch,
    .fits = fits,
};

void tls_peer_init(struct tls_stream *t)
{
	REQUIRE(SSL_is_init_finished(t->ssl) == 1);
	t->peer = (struct stream_tls){
	    .version = SSL_get_version(t->ssl),
	    .server_name = SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name),
	    .has_certificate = certificate_of(t) != NULL,
	    .ops = &ops,
	};
}
