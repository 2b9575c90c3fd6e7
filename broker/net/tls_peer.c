/* The peer's certificate, and whether it would be accepted again. */
#include "net/tls_peer.h"

#include "base/container.h"
#include "net/tls_certificate_check.h"
#include "net/tls_context_internal.h"
#include "net/tls_names.h"

static const struct tls_peer *peer_of(const struct stream_tls *tls)
{
	return (const struct tls_peer *)(const void *)tls; /* its first member */
}

/* The session of a resumed connection was verified again before it was taken (tls_tickets.c). */
static X509 *certificate_of(const struct tls_peer *peer)
{
	return SSL_get_verify_result(peer->ssl) == X509_V_OK ? SSL_get0_peer_certificate(peer->ssl)
	                                                     : NULL;
}

static size_t certificate_names(const struct stream_tls *tls, enum conf_certificate_user kind,
                                struct buf *out)
{
	return tls_names_of_certificate(certificate_of(peer_of(tls)), kind, out);
}

/* Verified by the same CAs and CRL before: only the dates may have come to an end. */
static bool verified_alike(const struct tls_peer *peer, const struct tls_context *ctx)
{
	STACK_OF(X509) *verified = SSL_get0_verified_chain(peer->ssl);

	return memcmp(peer->ctx->trust, ctx->trust, sizeof(ctx->trust)) == 0 && verified != NULL &&
	       tls_certificate_check_dates(verified);
}

/* Where certificates are no longer asked for, one that was given counts as none. */
static bool certificate_fits(const struct tls_peer *peer, const struct tls_context *ctx,
                             bool connected, const char **why)
{
	X509 *certificate = certificate_of(peer);

	if (ctx->client_certificates == CLIENT_CERTIFICATES_NONE)
		return true;
	if (certificate == NULL) {
		*why = "a client certificate is required now";
		return ctx->client_certificates != CLIENT_CERTIFICATES_REQUIRED;
	}
	return verified_alike(peer, ctx) ||
	       tls_certificate_check_again(ctx, certificate, SSL_get_peer_cert_chain(peer->ssl),
	                                   connected, why);
}

static enum stream_fit fits(const struct stream_tls *tls, const struct tls_context *ctx,
                            bool connected, const char **why)
{
	const struct tls_peer *peer = peer_of(tls);

	if (ctx->min_version == 13 && SSL_version(peer->ssl) < TLS1_3_VERSION) {
		*why = "the TLS version is below tls.min_version now";
		/* mutant: min_version_on_reload */
		return STREAM_VERSION_TOO_OLD;
	}
	return certificate_fits(peer, ctx, connected, why) ? STREAM_FITS : STREAM_CERTIFICATE_BAD;
}

void tls_peer_init(struct tls_peer *peer, const struct tls_context *ctx, const SSL *ssl)
{
	*peer = (struct tls_peer){.ctx = ctx, .ssl = ssl};
	peer->tls = (struct stream_tls){
	    .version = SSL_get_version(ssl),
	    .has_certificate = certificate_of(peer) != NULL,
	    .certificate_names = certificate_names,
	    .fits = fits,
	};
}
