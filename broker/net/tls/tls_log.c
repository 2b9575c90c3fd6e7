/* What goes wrong with TLS, in the words of an administrator, with what to do; OpenSSL's own reason
 * stands beside it, for those who search the web. */
#include "net/tls/tls_log.h"

#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/failed_handshakes.h"
#include "net/tls/tls_certificate.h"
#include "net/tls/tls_certificate_check.h"
#include "net/tls/tls_context_internal.h"
#include "net/tls/tls_hello.h"

#define LINES_PER_WINDOW 20
#define WINDOW_MS        10000

/* --- causes --- */

struct words {
	int code;
	const char *text;
};

#define NO_PROTOCOL                                                                                \
	"the client asks for another protocol than mqtt (ALPN); it may be meant for another "      \
	"server"
#define NO_HTTP                                                                                    \
	"the client asks for another protocol than http/1.1 (ALPN), which this listener speaks "   \
	"(protocol: https); an MQTT client needs wss:// in place of mqtts:// here, or the port "   \
	"of a listener with protocol: mqtt"

#define NO_GROUP "no key-exchange group in common: one of X25519, P-256, P-384 is needed"

static const struct words by_reason[] = {
    /* what they offer and we do not have */
    {SSL_R_NO_SHARED_CIPHER, "no suite in common: the client offers none of the ECDHE suites with "
                             "AES-GCM or ChaCha20, or none for the broker's type of certificate "
                             "(an RSA and an ECDSA certificate side by side serve all)"},
    {SSL_R_UNSUPPORTED_PROTOCOL, "the client offers only TLS versions below those allowed here"},
    {SSL_R_UNKNOWN_PROTOCOL, "the client offers only TLS versions below those allowed here"},
    {SSL_R_VERSION_TOO_LOW, "the client offers only TLS versions below those allowed here"},
    {SSL_R_INAPPROPRIATE_FALLBACK,
     "the client fell back to an older TLS version although both sides support a newer one; "
     "something between them may have disturbed the first attempt"},
    {SSL_R_NO_SUITABLE_KEY_SHARE, NO_GROUP},
    {SSL_R_NO_SHARED_GROUPS, NO_GROUP},
    {SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM,
     "no signature algorithm in common: the client supports none for the broker's certificates "
     "(SHA-1 and MD5 are not used)"},
    {SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS,
     "no signature algorithm in common: the client supports none for the broker's certificates "
     "(SHA-1 and MD5 are not used)"},
    {SSL_R_NO_APPLICATION_PROTOCOL, NO_PROTOCOL},
    {SSL_R_CALLBACK_FAILED, "the client names more than 128 key-exchange groups"},
    {SSL_R_MISSING_SUPPORTED_GROUPS_EXTENSION, "the client names no key-exchange groups"},
    {SSL_R_MISSING_SIGALGS_EXTENSION, "the client names no signature algorithms"},
    {SSL_R_NO_RENEGOTIATION, "the client asked to renegotiate, which is disabled"},
    /* the client's certificate */
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE,
     "the client sent no certificate, and this listener requires one (client_certificates)"},
    {SSL_R_EXCESSIVE_MESSAGE_SIZE, "the client's certificate chain is too long"},
    {SSL_R_LENGTH_TOO_LONG, "the client sent a message that is too long"},
    {SSL_R_EE_KEY_TOO_SMALL, "the key of the client's certificate is too short"},
    {SSL_R_CA_KEY_TOO_SMALL, "the key of the client's CA is too short"},
    {SSL_R_CA_MD_TOO_WEAK, "the client's certificate is signed with SHA-1 or MD5"},
    {SSL_R_BAD_SIGNATURE, "the client could not prove that it holds the key of its certificate; "
                          "key and certificate may not match"},
    {SSL_R_WRONG_SIGNATURE_TYPE, "the client signed with an algorithm that is not allowed"},
    /* what the client says about us (alerts) */
    {SSL_R_TLSV1_ALERT_UNKNOWN_CA,
     "the client does not trust the broker's certificate: give it the CA that signed it"},
    {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE,
     "the client does not accept the broker's certificate: it may not trust the CA, or the name or "
     "address that it connects to is not in the certificate"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN,
     "the client does not accept the broker's certificate: it may not trust the CA, or the name or "
     "address that it connects to is not in the certificate"},
    {SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE,
     "the client does not support the type of the broker's certificate, or its key usage"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED,
     "the client says that the broker's certificate has expired, or the client's clock is wrong"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED,
     "the client says that the broker's certificate is revoked"},
    {SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE,
     "the client found no common parameters, or needs a certificate"},
    {SSL_R_SSLV3_ALERT_ILLEGAL_PARAMETER, "the client did not understand the broker's answer"},
    {SSL_R_SSLV3_ALERT_UNEXPECTED_MESSAGE, "the client did not expect the broker's answer"},
    {SSL_R_TLSV1_ALERT_DECODE_ERROR, "the client did not understand the broker's answer"},
    {SSL_R_TLSV1_ALERT_PROTOCOL_VERSION,
     "the client does not speak the TLS version of the broker's answer"},
    {SSL_R_TLSV1_ALERT_DECRYPT_ERROR, "the client could not verify the broker's signature: it may "
                                      "have an old copy of the certificate"},
    {SSL_R_TLSV1_ALERT_ACCESS_DENIED, "the client denied access"},
    {SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY, "the client asks for stronger cryptography"},
    {SSL_R_TLSV1_ALERT_INTERNAL_ERROR,
     "the client aborted with an internal error (often: out of memory)"},
    {SSL_R_TLSV1_ALERT_USER_CANCELLED, "the client aborted the handshake"},
    {SSL_R_TLSV1_UNRECOGNIZED_NAME,
     "the broker's answer lacks the server name that the client expects"},
    /* no TLS at all, or broken */
    {SSL_R_HTTP_REQUEST, "the client sent HTTP"},
    {SSL_R_HTTPS_PROXY_REQUEST, "the client sent an HTTP proxy request"},
    {SSL_R_WRONG_VERSION_NUMBER, "the client did not send TLS"},
    {SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, "the data was damaged or forged in transit"},
    {SSL_R_BAD_RECORD_TYPE, "the client did not send TLS"},
    {SSL_R_UNEXPECTED_MESSAGE, "the client sent handshake messages in the wrong order"},
};

static const struct words by_verify[] = {
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
     "client_ca has the CA of the client's certificate, but not the CA that issued that one: add "
     "it, up to the root"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
     "the CA of the client's certificate is not in client_ca"},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
     "the CA of the client's certificate is not in client_ca"},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
     "the CA of the client's certificate is not in client_ca"},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
     "the client's certificate is self-signed; it must be signed by a CA in client_ca"},
    {X509_V_ERR_CERT_SIGNATURE_FAILURE,
     "the client's certificate is not signed by the CA that it names"},
    {X509_V_ERR_CERT_HAS_EXPIRED, "the client's certificate has expired"},
    {X509_V_ERR_CERT_NOT_YET_VALID,
     "the client's certificate is not valid yet, or the broker's clock is wrong"},
    {X509_V_ERR_CERT_REVOKED, "the client's certificate is revoked"},
    {X509_V_ERR_UNABLE_TO_GET_CRL,
     "client_crl has no revocation list of the CA that signed the client's certificate"},
    {X509_V_ERR_CRL_HAS_EXPIRED,
     "the revocation list in client_crl has expired: until it is renewed no client certificate of "
     "that CA is accepted"},
    {X509_V_ERR_CRL_NOT_YET_VALID,
     "the revocation list in client_crl is not valid yet, or the broker's clock is wrong"},
    {X509_V_ERR_CRL_SIGNATURE_FAILURE, "the revocation list in client_crl is not signed by its CA"},
    {X509_V_ERR_INVALID_PURPOSE,
     "the client's certificate is not for clients (extended key usage without clientAuth)"},
    {X509_V_ERR_INVALID_CA, "the issuer of the client's certificate is not a CA"},
    {X509_V_ERR_CERT_CHAIN_TOO_LONG, "the client's certificate chain is too long"},
    {X509_V_ERR_PATH_LENGTH_EXCEEDED,
     "the client's certificate chain is longer than its CA permits"},
    {X509_V_ERR_EE_KEY_TOO_SMALL, "the key of the client's certificate is too short"},
    {X509_V_ERR_CA_KEY_TOO_SMALL, "the key of the client's CA is too short"},
    {X509_V_ERR_CA_MD_TOO_WEAK, "the client's certificate is signed with SHA-1 or MD5"},
    {X509_V_ERR_APPLICATION_VERIFICATION,
     "the client sent a certificate with a key above 8192 bits, or with alternative names of more "
     "than 8 kB"},
};

static const char *find_words(const struct words *table, size_t count, int code)
{
	for (size_t i = 0; i < count; i++) {
		if (table[i].code == code)
			return table[i].text;
	}
	return NULL;
}

/* Why the client's certificate was not accepted. */
static const char *verify_words(SSL *ssl)
{
	long result = ssl == NULL ? X509_V_OK : SSL_get_verify_result(ssl);
	const char *text = find_words(by_verify, ARRAY_LEN(by_verify), (int)result);

	if ((result == X509_V_ERR_CERT_NOT_YET_VALID || result == X509_V_ERR_CRL_NOT_YET_VALID) &&
	    !clock_is_set(clock_wall_ms()))
		return "the broker's clock is not set: no certificate is valid yet; when it is "
		       "set, the client gets in with its next attempt";
	if (text != NULL)
		return text;
	return result == X509_V_OK ? "the client's certificate could not be verified"
	                           : X509_verify_cert_error_string(result);
}

static bool is_https(const SSL *ssl)
{
	const struct tls_context *ctx =
	    ssl == NULL ? NULL : SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	return ctx != NULL && ctx->protocol == CONF_PROTOCOL_HTTPS;
}

/* Alerts of clients that do not find the name they connect to: each library has its own. */
static bool may_mean_name(int reason)
{
	return reason == SSL_R_SSLV3_ALERT_BAD_CERTIFICATE ||
	       reason == SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN ||
	       reason == SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE ||
	       reason == SSL_R_TLSV1_ALERT_INTERNAL_ERROR ||
	       reason == SSL_R_TLSV1_ALERT_ACCESS_DENIED ||
	       reason == SSL_R_TLSV1_ALERT_USER_CANCELLED;
}

/* The libraries below may have put theirs first; what TLS makes of it says most. */
struct tls_failure tls_log_explain(SSL *ssl)
{
	struct tls_failure failure = {.cause = "the client violated the TLS protocol"};
	unsigned long error;
	int reason;

	while ((error = ERR_get_error()) != 0) {
		if (failure.error == 0 || (ERR_GET_LIB(error) == ERR_LIB_SSL &&
		                           ERR_GET_LIB(failure.error) != ERR_LIB_SSL))
			failure.error = error;
	}
	if (failure.error == 0)
		return failure;
	reason = ERR_GET_REASON(failure.error);
	failure.cause = NULL;
	if (ERR_GET_LIB(failure.error) == ERR_LIB_SSL)
		failure.cause = reason == SSL_R_CERTIFICATE_VERIFY_FAILED
		                    ? verify_words(ssl)
		                    : find_words(by_reason, ARRAY_LEN(by_reason), reason);
	/* TLS 1.2 looks for a group while it looks for a suite. */
	/* mutant: no_group_is_no_suite */
	if (ERR_GET_LIB(failure.error) == ERR_LIB_SSL && reason == SSL_R_NO_SHARED_CIPHER &&
	    ssl != NULL && SSL_get1_groups(ssl, NULL) > 0 && SSL_get_shared_group(ssl, -1) == 0)
		failure.cause = NO_GROUP;
	if (failure.cause != NULL && strcmp(failure.cause, NO_PROTOCOL) == 0 && is_https(ssl))
		failure.cause = NO_HTTP;
	failure.by_client = ERR_GET_LIB(failure.error) == ERR_LIB_SSL && may_mean_name(reason);
	if (failure.cause == NULL)
		failure.cause =
		    "the client violated the TLS protocol, or its data was damaged in transit";
	return failure;
}

/* --- plain text --- */

/* A record: type handshake or alert, version 3.x (RFC 8446 5.1). */
bool tls_log_is_tls(struct slice first_bytes)
{
	uint8_t type = first_bytes.len == 0 ? 0 : first_bytes.data[0];

	if (type != SSL3_RT_HANDSHAKE && type != SSL3_RT_ALERT)
		return false;
	return first_bytes.len < 2 || first_bytes.data[1] == SSL3_VERSION_MAJOR;
}

#define UNEXPECTED_PROXY                                                                           \
	"a proxy sent a PROXY header, which is not expected here: set proxy_protocol: required "   \
	"and trusted for this listener, or let the proxy send none"

#define HTTP                                                                                       \
	{                                                                                          \
		"the client sent HTTP; this port is for MQTT over TLS",                            \
		    "the client sent HTTP or WebSocket without TLS: use https:// or wss:// in "    \
		    "the client"                                                                   \
	}
#define BOTH(text)                                                                                 \
	{                                                                                          \
		text, text                                                                         \
	}

const char *tls_log_plaintext_cause(const struct tls_context *ctx, struct slice first_bytes)
{
	static const struct {
		struct slice start;
		const char *causes[2]; /* for MQTT, for HTTPS */
	} rows[] = {
	    {SLICE_INIT("\x10"),
	     {"the client sent an MQTT CONNECT without TLS: enable TLS in the client",
	      "the client sent an MQTT CONNECT without TLS, and this listener has protocol: https: "
	      "use wss:// in the client, or mqtts:// and the port of a listener for MQTT"}},
	    {SLICE_INIT("GET "), HTTP},
	    {SLICE_INIT("POST"), HTTP},
	    {SLICE_INIT("HEAD"), HTTP},
	    {SLICE_INIT("OPTI"), HTTP},
	    {SLICE_INIT("CONN"), HTTP},
	    {SLICE_INIT("PROXY "), BOTH(UNEXPECTED_PROXY)},
	    {SLICE_INIT("\r\n\r\n\x00\r\nQUIT\n"), BOTH(UNEXPECTED_PROXY)},
	    {SLICE_INIT("SSH-"), BOTH("the client sent SSH")},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (slice_starts_with(first_bytes, rows[i].start))
			return rows[i].causes[ctx->protocol == CONF_PROTOCOL_HTTPS];
	}
	return "the first bytes of the client are not TLS: enable TLS in the client";
}

/* --- lines --- */

static bool may_log(enum event e, struct tls_context *ctx, struct log_limit *limit, uint64_t now_ms,
                    uint32_t *suppressed)
{
	bool pass;

	mutex_lock(&ctx->lock);
	pass = log_limit_pass(e, limit, now_ms, WINDOW_MS, LINES_PER_WINDOW, suppressed);
	mutex_unlock(&ctx->lock);
	return pass;
}

static const char *name_of(struct tls_context *ctx)
{
	const char *bind;

	mutex_lock(&ctx->lock);
	bind = ctx->bind; /* once set it stays */
	mutex_unlock(&ctx->lock);
	return bind == NULL ? "?" : bind;
}

static const char *raw_reason(unsigned long error)
{
	const char *reason = error == 0 ? NULL : ERR_reason_error_string(error);

	return reason == NULL ? "none" : reason;
}

static bool has_name(X509 *leaf, const char *name)
{
	return X509_check_host(leaf, name, 0, 0, NULL) == 1 ||
	       X509_check_ip_asc(leaf, name, 0) == 1;
}

void tls_log_put_mismatch(const SSL *ssl, const char *server_name, struct buf *out)
{
	X509 *leaf = ssl == NULL ? NULL : SSL_get_certificate(ssl);

	if (server_name == NULL || server_name[0] == '\0' || leaf == NULL ||
	    has_name(leaf, server_name))
		return;
	buf_printf(out, "it asked for the name '%s', and the broker's certificate is for ",
	           server_name);
	tls_certificate_put_names(leaf, out);
	buf_printf(out, ": let it connect to one of these, or make a certificate that has its "
	                "name, too");
}

/* Why the client gave up: the name that it asked for, next to those of the certificate it got. */
static void put_cause(const struct tls_report *report, const struct tls_hello *hello,
                      struct buf *out)
{
	X509 *leaf = report->ssl == NULL ? NULL : SSL_get_certificate(report->ssl);
	bool names = hello->server_name[0] != '\0';

	/* mutant: name_mismatch_is_named */
	if (!report->failure.by_client || leaf == NULL ||
	    (names && has_name(leaf, hello->server_name))) {
		buf_printf(out, "%s", report->failure.cause);
		return;
	}
	if (names) {
		buf_printf(out, "the client gave up: ");
		tls_log_put_mismatch(report->ssl, hello->server_name, out);
		return;
	}
	buf_printf(out,
	           "%s; it asked for no name, as clients do that connect to an address, and the "
	           "broker's certificate is for ",
	           report->failure.cause);
	tls_certificate_put_names(leaf, out);
}

/* The part of its offer that the cause is about. */
static void put_offer(const struct tls_report *report, const struct tls_hello *hello,
                      struct buf *out)
{
	bool is_tls = ERR_GET_LIB(report->failure.error) == ERR_LIB_SSL;
	int reason = is_tls ? ERR_GET_REASON(report->failure.error) : 0;

	if (strcmp(report->failure.cause, NO_GROUP) == 0)
		tls_hello_groups(hello, out);
	else if (reason == SSL_R_NO_APPLICATION_PROTOCOL)
		buf_printf(out, "%s", hello->protocols);
	else
		tls_hello_versions(hello, out);
}

static void log_details(const struct tls_report *report, const struct tls_hello *hello,
                        const char *peer)
{
	struct buf versions = {0}, suites = {0}, groups = {0};

	if (!log_wants(EVENT_HANDSHAKE_DETAILS))
		return;
	tls_hello_versions(hello, &versions);
	tls_hello_groups(hello, &groups);
	if (report->ssl != NULL)
		tls_hello_suites(hello, report->ssl, &suites);
	LOG(HANDSHAKE_DETAILS, .peer = peer, .listener = name_of(report->ctx),
	    .versions = buf_slice(&versions), .suites = buf_slice(&suites),
	    .groups = buf_slice(&groups), .alpn = hello->protocols,
	    .certificates = report->ctx->description);
	buf_fini(&versions);
	buf_fini(&suites);
	buf_fini(&groups);
}

void tls_log_handshake_failed(const struct tls_report *report, uint64_t now_ms)
{
	static const struct tls_hello nothing;
	const struct tls_hello *hello = report->hello == NULL ? &nothing : report->hello;
	struct buf cause = {0}, offered = {0}, certificate = {0};
	char peer[PEER_TEXT_MAX];
	uint32_t suppressed;

	put_cause(report, hello, &cause);
	buf_put_u8(&cause, '\0');
	put_offer(report, hello, &offered);
	if (report->ssl != NULL)
		tls_certificate_check_refused(report->ssl, &certificate);
	failed_handshakes_add(
	    &(const struct failed_handshake){.what = "tls",
	                                     .peer = report->peer,
	                                     .listener = name_of(report->ctx),
	                                     .cause = (const char *)cause.data,
	                                     .server_name = hello->server_name,
	                                     .offered = buf_slice(&offered),
	                                     .certificate = buf_slice(&certificate)});
	if (!log_wants(EVENT_HANDSHAKE_FAILED) ||
	    !may_log(EVENT_HANDSHAKE_FAILED, report->ctx, &report->ctx->failures, now_ms,
	             &suppressed))
		goto end;
	(void)peer_address_text(report->peer, peer, sizeof(peer));
	LOG(HANDSHAKE_FAILED, .peer = peer, .listener = name_of(report->ctx),
	    .cause = (const char *)cause.data, .offered = buf_slice(&offered),
	    .sni = hello->server_name, .certificate = buf_slice(&certificate),
	    .openssl = raw_reason(report->failure.error), .suppressed = suppressed);
	log_details(report, hello, peer);
end:
	buf_fini(&cause);
	buf_fini(&offered);
	buf_fini(&certificate);
}

void tls_log_broken(const struct tls_report *report, uint64_t now_ms)
{
	char peer[PEER_TEXT_MAX];
	uint32_t suppressed;

	if (!log_wants(EVENT_TLS_BROKEN) ||
	    !may_log(EVENT_TLS_BROKEN, report->ctx, &report->ctx->failures, now_ms, &suppressed))
		return;
	(void)peer_address_text(report->peer, peer, sizeof(peer));
	LOG(TLS_BROKEN, .peer = peer, .listener = name_of(report->ctx),
	    .cause = report->failure.cause, .openssl = raw_reason(report->failure.error),
	    .suppressed = suppressed);
}

void tls_log_excess(const struct tls_report *report, const struct tls_excess *excess,
                    uint64_t now_ms)
{
	char peer[PEER_TEXT_MAX];
	uint32_t suppressed;

	if (!log_wants(EVENT_TLS_EXCESS) ||
	    !may_log(EVENT_TLS_EXCESS, report->ctx, &report->ctx->failures, now_ms, &suppressed))
		return;
	(void)peer_address_text(report->peer, peer, sizeof(peer));
	LOG(TLS_EXCESS, .peer = peer, .listener = name_of(report->ctx), .counted = excess->counted,
	    .number = excess->number, .bound = excess->bound, .suppressed = suppressed);
}

void tls_log_plaintext(const struct peer_address *peer, struct tls_context *ctx, const char *cause,
                       uint64_t now_ms)
{
	char text[PEER_TEXT_MAX];
	uint32_t suppressed;

	failed_handshakes_add(&(const struct failed_handshake){
	    .what = "no-tls", .peer = peer, .listener = name_of(ctx), .cause = cause});
	if (!log_wants(EVENT_PLAINTEXT_REFUSED) ||
	    !may_log(EVENT_PLAINTEXT_REFUSED, ctx, &ctx->plaintext, now_ms, &suppressed))
		return;
	(void)peer_address_text(peer, text, sizeof(text));
	LOG(PLAINTEXT_REFUSED, .peer = text, .listener = name_of(ctx), .cause = cause,
	    .suppressed = suppressed);
}
