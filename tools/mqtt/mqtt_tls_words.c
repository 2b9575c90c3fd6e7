/* Why TLS failed, in plain words with a remedy. */
#include "mqtt/mqtt_tls_words.h"

#include <stdio.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/require.h"
#include "base/utf8.h"

#define NAMES_MAX 8

static void put_name(struct buf *out, const X509_NAME *name)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	long len;

	if (bio == NULL)
		return;
	if (X509_NAME_print_ex(bio, name, 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB) >= 0 &&
	    (len = BIO_get_mem_data(bio, &text)) > 0)
		utf8_put_printable(out, slice_of(text, (size_t)len));
	BIO_free(bio);
}

static void put_address(struct buf *out, const ASN1_OCTET_STRING *ip)
{
	const uint8_t *b = ASN1_STRING_get0_data(ip);
	int len = ASN1_STRING_length(ip);

	if (len == 4)
		buf_printf(out, "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
	for (int i = 0; len == 16 && i < 16; i += 2)
		buf_printf(out, "%s%x", i == 0 ? "" : ":", (unsigned)b[i] << 8 | b[i + 1]);
}

/* "lamp, lamp.local, 192.0.2.7" */
static void put_names(struct buf *out, const X509 *certificate)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	int put = 0;

	for (int i = 0; i < sk_GENERAL_NAME_num(names) && put < NAMES_MAX; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type != GEN_DNS && name->type != GEN_IPADD)
			continue;
		buf_printf(out, "%s", put++ == 0 ? "" : ", ");
		if (name->type == GEN_DNS)
			utf8_put_printable(out,
			                   slice_of(ASN1_STRING_get0_data(name->d.dNSName),
			                            (size_t)ASN1_STRING_length(name->d.dNSName)));
		else
			put_address(out, name->d.iPAddress);
	}
	GENERAL_NAMES_free(names);
	if (put == 0)
		put_name(out, X509_get_subject_name(certificate));
}

static void put_time(struct buf *out, const ASN1_TIME *when)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(when, &tm) == 1)
		buf_printf(out, "%04d-%02d-%02d %02d:%02d UTC", tm.tm_year + 1900, tm.tm_mon + 1,
		           tm.tm_mday, tm.tm_hour, tm.tm_min);
}

static void put_clock(struct buf *out)
{
	char text[CLOCK_TEXT_MAX];

	buf_printf(out, "; this machine's clock says %s", clock_text(clock_wall_ms(), text));
}

static void describe_dates(X509 *certificate, int depth, bool expired, struct buf *out)
{
	buf_printf(out, "%s ", depth == 0 ? "the server's certificate" : "the CA's certificate");
	put_name(out, X509_get_subject_name(certificate));
	buf_printf(out, expired ? " expired on " : " is not valid before ");
	put_time(out, expired ? X509_get0_notAfter(certificate) : X509_get0_notBefore(certificate));
	put_clock(out);
	buf_printf(out, !expired ? ": set the clock, if it is wrong"
	                : depth == 0
	                    ? ": renew it on the server (`broker-pki renew`), or set the clock"
	                    : ": a new CA is needed, or the clock is wrong");
}

static void describe_issuer(X509 *certificate, const char *host, const char *trusted,
                            struct buf *out)
{
	buf_printf(out, "the certificate of %s was signed by ", host);
	put_name(out, X509_get_issuer_name(certificate));
	buf_printf(out,
	           ", which is not among the CAs %s: give the file of the right CA with --cafile",
	           trusted);
}

static void describe_host(const X509 *certificate, const char *host, struct buf *out)
{
	buf_printf(out, "the server's certificate is for ");
	put_names(out, certificate);
	buf_printf(
	    out,
	    ", not for %s: connect to one of those names, or make a certificate with this one "
	    "(`broker-pki server %s`)",
	    host, host);
}

void mqtt_tls_words_of_chain(X509_STORE_CTX *store, const char *host, const char *trusted,
                             struct buf *out)
{
	X509 *certificate = X509_STORE_CTX_get_current_cert(store);
	int error = X509_STORE_CTX_get_error(store), depth = X509_STORE_CTX_get_error_depth(store);

	if (certificate == NULL) {
		buf_printf(out, "the server shows no certificate");
		return;
	}
	switch (error) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		describe_dates(certificate, depth, error == X509_V_ERR_CERT_HAS_EXPIRED, out);
		return;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		describe_host(certificate, host, out);
		return;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_CERT_UNTRUSTED:
		describe_issuer(certificate, host, trusted, out);
		return;
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
		describe_issuer(certificate, host, trusted, out);
		buf_printf(out, "; there is a CA of that name, but it has another key");
		return;
	default:
		buf_printf(out, "the certificate ");
		put_name(out, X509_get_subject_name(certificate));
		buf_printf(out, " cannot be trusted: %s", X509_verify_cert_error_string(error));
		return;
	}
}

static const struct alert {
	int reason;
	const char *words;
} alerts[] = {
    {SSL_R_WRONG_VERSION_NUMBER, "the server does not speak TLS on this port: is it another port?"},
    {SSL_R_HTTP_REQUEST, "the server does not speak TLS on this port: is it another port?"},
    {SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED,
     "the server wants a client certificate: give one with --cert and --key"},
    {SSL_R_TLSV1_ALERT_UNKNOWN_CA,
     "the server does not know the CA that signed the client certificate: have it signed by the "
     "CA that the server was told to trust"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED,
     "the server says that the client certificate has expired: renew it (`broker-pki renew`), or "
     "set the clocks"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED,
     "the server says that the client certificate was revoked: have a new one made"},
    {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE,
     "the server does not accept the client certificate: see the server's log"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN,
     "the server does not accept the client certificate: see the server's log"},
    {SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE,
     "the server does not accept this kind of client certificate: see the server's log"},
    {SSL_R_TLSV1_ALERT_PROTOCOL_VERSION,
     "the server speaks another version of TLS: this program speaks 1.2 and 1.3"},
    {SSL_R_UNSUPPORTED_PROTOCOL,
     "the server speaks another version of TLS: this program speaks 1.2 and 1.3"},
    {SSL_R_TLSV1_UNRECOGNIZED_NAME,
     "the server has no certificate for this name: connect to the name in its certificate"},
};

/* Of 1.2, which has no alert of its own for a missing certificate. */
#define HANDSHAKE_FAILURE                                                                          \
	"the server refused the TLS handshake: it may want a client certificate (--cert and "      \
	"--key), or no suite of ciphers is common to both"

void mqtt_tls_words_of_error(unsigned long error, bool has_certificate, struct buf *out)
{
	int reason = ERR_GET_REASON(error);
	const char *text;

	if (error == 0 || reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
		buf_printf(out,
		           "the server closed the connection during the TLS handshake: it may not "
		           "speak TLS on this port, or refuse this address for now");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(alerts); i++) {
		if (alerts[i].reason == reason) {
			buf_printf(out, "%s", alerts[i].words);
			return;
		}
	}
	if (reason == SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE && !has_certificate) {
		buf_printf(out, HANDSHAKE_FAILURE);
		return;
	}
	text = ERR_reason_error_string(error);
	buf_printf(out, "TLS failed: %s", text == NULL ? "no reason is known" : text);
}
