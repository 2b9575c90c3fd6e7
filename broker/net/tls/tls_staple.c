/* OpenSSL's client verifies the signature; here it counts that the response is about this
 * certificate, and holds at the moment of the handshake. */
#include "net/tls/tls_staple.h"

#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "base/require.h"
#include "conf/conf_file.h"
#include "net/tls/tls_date.h"

#define RESPONSE_BYTES_MAX ((size_t)64 * 1024)
/* Clocks of others differ a little; without nextUpdate it is good for so long. */
#define EARLY_S        300
#define OPEN_END_S     ((int64_t)7 * 86400)
#define STATUS_REQUEST 5

static bool is_issuer(const OCSP_CERTID *id, X509 *leaf)
{
	ASN1_OCTET_STRING *name_hash = NULL;
	ASN1_OBJECT *algorithm = NULL;
	uint8_t digest[EVP_MAX_MD_SIZE], *der = NULL;
	const EVP_MD *md;
	unsigned len = 0;
	int der_len = i2d_X509_NAME(X509_get_issuer_name(leaf), &der);
	bool same = false;

	OCSP_id_get0_info(&name_hash, &algorithm, NULL, NULL, (OCSP_CERTID *)(uintptr_t)id);
	md = EVP_get_digestbyobj(algorithm);
	if (der_len > 0 && md != NULL &&
	    EVP_Digest(der, (size_t)der_len, digest, &len, md, NULL) == 1)
		same = slice_equal(slice_of(digest, len),
		                   slice_of(ASN1_STRING_get0_data(name_hash),
		                            (size_t)ASN1_STRING_length(name_hash)));
	OPENSSL_free(der);
	return same;
}

static OCSP_SINGLERESP *find_answer(OCSP_BASICRESP *basic, X509 *leaf)
{
	for (int i = 0; i < OCSP_resp_count(basic); i++) {
		OCSP_SINGLERESP *one = OCSP_resp_get0(basic, i);
		const OCSP_CERTID *id = OCSP_SINGLERESP_get0_id(one);
		ASN1_INTEGER *serial = NULL;

		OCSP_id_get0_info(NULL, NULL, NULL, &serial, (OCSP_CERTID *)(uintptr_t)id);
		/* mutant: staple_of_another_certificate */
		if (ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(leaf)) == 0 &&
		    is_issuer(id, leaf))
			return one;
	}
	return NULL;
}

/* NULL, or why it is not used. */
static const char *take_answer(struct tls_staple *staple, OCSP_BASICRESP *basic, X509 *leaf,
                               bool *is_revoked)
{
	OCSP_SINGLERESP *answer = basic == NULL ? NULL : find_answer(basic, leaf);
	ASN1_GENERALIZEDTIME *from = NULL, *until = NULL;
	int reason = 0, status;

	if (basic == NULL)
		return "it says that the responder failed, and has no answer";
	if (answer == NULL)
		return "it is not about this certificate";
	status = OCSP_single_get0_status(answer, &reason, NULL, &from, &until);
	if (status == V_OCSP_CERTSTATUS_UNKNOWN)
		return "the responder does not know this certificate";
	*is_revoked = status == V_OCSP_CERTSTATUS_REVOKED;
	staple->from_s = tls_date_epoch_s(from);
	staple->until_s = until == NULL ? staple->from_s + OPEN_END_S : tls_date_epoch_s(until);
	return staple->from_s == 0 || staple->until_s == 0 ? "its dates cannot be read" : NULL;
}

static const char *parse(struct tls_staple *staple, struct slice bytes, X509 *leaf,
                         bool *is_revoked)
{
	const uint8_t *at = bytes.data;
	OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &at, (long)bytes.len);
	OCSP_BASICRESP *basic = response == NULL ? NULL : OCSP_response_get1_basic(response);
	const char *why = "it is not an OCSP response in DER";

	if (response != NULL && at == bytes.data + bytes.len)
		why = take_answer(staple, basic, leaf, is_revoked);
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(response);
	ERR_clear_error();
	return why;
}

static void warn_of_dates(const struct tls_staple *staple, const char *path, struct errors *errors)
{
	char date[CLOCK_TEXT_MAX];

	if (tls_staple_is_fresh(staple))
		return;
	(void)clock_text(staple->until_s * 1000, date);
	errors_warn_unlogged(errors, path, 0, 0,
	                     "this OCSP response is not sent: it holds until %s, or this "
	                     "machine's clock is wrong; fetch the next one",
	                     date);
}

void tls_staple_load(struct tls_staple *staple, const char *path, X509 *leaf, struct errors *errors)
{
	struct conf_file file = {
	    .path = path, .what = "OCSP response", .max_bytes = RESPONSE_BYTES_MAX};
	struct errors reading = {0};
	bool is_revoked = false;
	const char *why;

	REQUIRE(path != NULL && leaf != NULL);
	if (conf_read_file(&file, &staple->response, &reading) != 0) {
		char *text = errors_text(&reading);
		const char *said = strstr(text, ": error: ");

		said = said == NULL ? text : said + strlen(": error: ");
		errors_warn(errors, path, 0, 0, "this OCSP response is not sent: %.*s",
		            (int)strcspn(said, "\n"), said);
		free(text);
		tls_staple_fini(staple);
	} else if ((why = parse(staple, buf_slice(&staple->response), leaf, &is_revoked)) != NULL) {
		errors_warn(errors, path, 0, 0, "this OCSP response is not sent: %s; fetch another",
		            why);
		tls_staple_fini(staple);
	} else {
		if (is_revoked)
			errors_warn(errors, path, 0, 0,
			            "this OCSP response says that the certificate is revoked: "
			            "clients will refuse it; get another certificate");
		warn_of_dates(staple, path, errors);
	}
	errors_fini(&reading);
}

void tls_staple_copy(struct tls_staple *to, const struct tls_staple *from)
{
	*to = (struct tls_staple){.from_s = from->from_s, .until_s = from->until_s};
	buf_put_slice(&to->response, buf_slice(&from->response));
}

void tls_staple_fini(struct tls_staple *staple)
{
	buf_fini(&staple->response);
	*staple = (struct tls_staple){0};
}

bool tls_staple_is_fresh(const struct tls_staple *staple)
{
	int64_t now_s = clock_wall_ms() / 1000;

	if (staple->response.len == 0)
		return false;
	/* mutant: stale_staple_is_not_sent */
	if (now_s < staple->from_s - EARLY_S || now_s >= staple->until_s)
		return false;
	return true;
}

bool tls_staple_is_demanded(const X509 *leaf)
{
	TLS_FEATURE *features = X509_get_ext_d2i(leaf, NID_tlsfeature, NULL, NULL);
	bool demanded = false;

	for (int i = 0; i < sk_ASN1_INTEGER_num(features); i++)
		demanded = demanded ||
		           ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features, i)) == STATUS_REQUEST;
	TLS_FEATURE_free(features);
	return demanded;
}
