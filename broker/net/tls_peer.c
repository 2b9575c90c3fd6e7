/* The peer's certificate: its names, and whether it would be accepted again.  A name that is not
 * plain UTF-8, or has a NUL after which the rest would be ignored, makes the certificate give no
 * name. */
#include "net/tls_peer.h"

#include <openssl/x509v3.h>

#include "base/container.h"
#include "base/require.h"
#include "base/utf8.h"
#include "net/tls_certificate.h"
#include "net/tls_certificate_check.h"
#include "net/tls_context_internal.h"
#include "net/tls_log.h"
#include "net/tls_stream_internal.h"

/* --- names --- */

/* Counts values; the first is kept. */
struct names {
	struct buf *out;
	size_t count;
	bool bad;
};

static void add_name(struct names *n, const ASN1_STRING *value)
{
	unsigned char *utf8 = NULL;
	int len = ASN1_STRING_to_UTF8(&utf8, value);
	struct slice name;

	if (len <= 0) {
		OPENSSL_free(utf8);
		n->bad = true;
		return;
	}
	name = slice_of(utf8, (size_t)len);
	if (strlen((const char *)utf8) != name.len || !utf8_valid(name))
		n->bad = true;
	else if (n->count++ == 0)
		buf_put_slice(n->out, name);
	OPENSSL_free(utf8);
}

static void add_alternatives(struct names *n, X509 *certificate, int type)
{
	GENERAL_NAMES *all = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);

	for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
		int found;
		const void *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(all, i), &found);

		if (found == type)
			add_name(n, value);
	}
	GENERAL_NAMES_free(all);
}

size_t tls_peer_names_of(X509 *certificate, enum conf_certificate_user kind, struct buf *out)
{
	struct names n = {.out = out};
	const X509_NAME *subject = X509_get_subject_name(certificate);
	size_t before = out->len;
	int at = -1;

	switch (kind) {
	case CERTIFICATE_USER_NONE:
		break;
	case CERTIFICATE_USER_CN:
		while ((at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0)
			add_name(&n, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
		break;
	case CERTIFICATE_USER_SAN_DNS:
		add_alternatives(&n, certificate, GEN_DNS);
		break;
	case CERTIFICATE_USER_SAN_URI:
		add_alternatives(&n, certificate, GEN_URI);
		break;
	case CERTIFICATE_USER_SAN_EMAIL:
		add_alternatives(&n, certificate, GEN_EMAIL);
		break;
	}
	if (!n.bad)
		return n.count;
	out->len = before;
	return 0;
}

/* --- facts of the stream --- */

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
	return tls_peer_names_of(certificate_of(stream_of(tls)), kind, out);
}

static void certificate_subject(const struct stream_tls *tls, struct buf *out)
{
	X509 *certificate = certificate_of(stream_of(tls));

	if (certificate != NULL)
		tls_certificate_put_name(X509_get_subject_name(certificate), out);
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
