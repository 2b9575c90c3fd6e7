/* Each question is a function; what a client does with the answer is in its text. */
#include "net/tls/tls_lint.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "net/tls/tls_context_internal.h"

#define SOON_DAYS 30 /* before the end of a certificate */

/* With a final NUL. */
static void put_name(const X509_NAME *name, struct buf *out)
{
	tls_certificate_put_name(name, out);
	buf_put_u8(out, '\0');
}

/* Whole days from now to `date`, negative where it is over. */
static int days_until(const ASN1_TIME *date)
{
	int days = 0, seconds = 0;

	if (date == NULL || ASN1_TIME_diff(&days, &seconds, NULL, date) != 1)
		return 0;
	return seconds < 0 ? days - 1 : days;
}

/* --- our own --- */

#define WARN(...) errors_warn(errors, conf_path, conf->line, conf->column, __VA_ARGS__)

static bool has_usable_name(const X509 *leaf)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	bool found = false;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		int type = 0;

		(void)GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &type);
		found |= type == GEN_DNS || type == GEN_IPADD;
	}
	GENERAL_NAMES_free(names);
	return found;
}

static void lint_chain(const struct tls_certificate *c, const struct conf_certificate *conf,
                       const char *conf_path, struct errors *errors)
{
	X509 *below = c->leaf;

	for (int i = 0; i < sk_X509_num(c->chain); i++) {
		X509 *above = sk_X509_value(c->chain, i);

		if (X509_check_issued(above, below) != X509_V_OK) {
			WARN("%s: certificate %d in it did not issue the one before it: clients "
			     "cannot build the chain; put the server's certificate first, then the "
			     "CA "
			     "that issued it, and so on",
			     c->path, i + 2);
			return;
		}
		if (days_until(X509_get0_notAfter(above)) < 0)
			WARN("%s: certificate %d in it, of a CA, has expired: clients will refuse "
			     "the chain; get the new one of the CA",
			     c->path, i + 2);
		below = above;
	}
}

void tls_lint_certificate(const struct tls_certificate *c, const struct conf_certificate *conf,
                          const char *conf_path, struct errors *errors)
{
	/* mutant: certificate_without_names */
	if (!has_usable_name(c->leaf))
		WARN("%s has no DNS name or IP address in subjectAltName: current clients look "
		     "nowhere else and refuse it; make a new one with the names by which clients "
		     "reach this machine ('openssl req ... -addext "
		     "subjectAltName=DNS:broker.example,IP:192.0.2.1')",
		     c->path);
	lint_chain(c, conf, conf_path, errors);
	ERR_clear_error();
}

/* Has `a` each name of `b`? */
static bool has_all_names(X509 *a, const X509 *b)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(b, NID_subject_alt_name, NULL, NULL);
	bool all = names != NULL;

	for (int i = 0; all && i < sk_GENERAL_NAME_num(names); i++) {
		int type = 0;
		const ASN1_STRING *value =
		    GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &type);
		const uint8_t *text = NULL;
		size_t len = 0;

		if (type != GEN_DNS && type != GEN_IPADD)
			continue;
		text = ASN1_STRING_get0_data(value);
		len = (size_t)ASN1_STRING_length(value);
		all = len > 0 &&
		      (type == GEN_DNS ? X509_check_host(a, (const char *)text, len, 0, NULL) == 1
		                       : X509_check_ip(a, text, len, 0) == 1);
	}
	GENERAL_NAMES_free(names);
	return all;
}

void tls_lint_repeated(const struct tls_building *b, size_t index)
{
	const struct tls_certificate *later = &b->ctx->certificates[index];

	for (size_t i = 0; i < index; i++) {
		const struct tls_certificate *earlier = &b->ctx->certificates[i];

		if (earlier->key == NULL || earlier->leaf == NULL ||
		    EVP_PKEY_get_base_id(earlier->key) != EVP_PKEY_get_base_id(later->key) ||
		    !has_all_names(earlier->leaf, later->leaf))
			continue;
		errors_warn(
		    b->errors, b->conf_path, b->conf->certificates[index].line,
		    b->conf->certificates[index].column,
		    "%s is never sent: %s comes first, with the same type of key and all of "
		    "its names; remove one",
		    later->path, earlier->path);
		return;
	}
}

/* --- those of clients --- */

static void lint_ca(const struct tls_building *b, X509 *ca)
{
	const ASN1_TIME *end = X509_get0_notAfter(ca);
	int days = days_until(end);
	struct buf subject = {0}, date = {0};

	if (days >= SOON_DAYS)
		return;
	put_name(X509_get_subject_name(ca), &subject);
	tls_certificate_put_date(end, &date);
	buf_put_u8(&date, '\0');
	if (days < 0)
		errors_warn(b->errors, b->conf->client_ca, 0, 0,
		            "the CA '%s' expired on %s: all its clients are refused; renew it",
		            (const char *)subject.data, (const char *)date.data);
	else
		errors_warn(b->errors, b->conf->client_ca, 0, 0,
		            "the CA '%s' ends on %s: all its clients are refused from then on; "
		            "renew it",
		            (const char *)subject.data, (const char *)date.data);
	buf_fini(&subject);
	buf_fini(&date);
}

static bool has_issuer(STACK_OF(X509) * cas, const X509_CRL *crl)
{
	for (int i = 0; i < sk_X509_num(cas); i++) {
		if (X509_NAME_cmp(X509_CRL_get_issuer(crl),
		                  X509_get_subject_name(sk_X509_value(cas, i))) == 0)
			return true;
	}
	return false;
}

static void lint_crl(const struct tls_building *b, STACK_OF(X509) * cas, const X509_CRL *crl)
{
	const ASN1_TIME *next = X509_CRL_get0_nextUpdate(crl);
	int days = days_until(next), whole_days = 0, seconds = 0;
	struct buf text = {0};

	if (!has_issuer(cas, crl)) {
		put_name(X509_CRL_get_issuer(crl), &text);
		errors_warn(
		    b->errors, b->conf->client_crl, 0, 0,
		    "the revocation list of '%s' is never used: that CA is not in client_ca; "
		    "add the CA there, or remove the list",
		    (const char *)text.data);
	} else if (next != NULL && days >= 0 && days < CRL_SOON_DAYS &&
	           ASN1_TIME_diff(&whole_days, &seconds, X509_CRL_get0_lastUpdate(crl), next) ==
	               1 &&
	           days * 2 < whole_days) {
		tls_certificate_put_date(next, &text);
		buf_put_u8(&text, '\0');
		errors_warn_unlogged(b->errors, b->conf->client_crl, 0, 0,
		                     "the revocation list ends on %s: from then on %s; get the "
		                     "next one",
		                     (const char *)text.data,
		                     b->ctx->accepts_ended_lists
		                         ? "certificates that are revoked later are accepted "
		                           "(crl_expired: accept)"
		                         : "no client certificate of its CA is accepted");
	}
	buf_fini(&text);
}

void tls_lint_cas(const struct tls_building *b, STACK_OF(X509) * cas)
{
	for (int i = 0; i < sk_X509_num(cas); i++)
		lint_ca(b, sk_X509_value(cas, i));
	ERR_clear_error();
}

void tls_lint_revocations(const struct tls_building *b, STACK_OF(X509) * cas,
                          STACK_OF(X509_CRL) * crls)
{
	for (int i = 0; i < sk_X509_CRL_num(crls); i++)
		lint_crl(b, cas, sk_X509_CRL_value(crls, i));
	ERR_clear_error();
}

void tls_lint_lone_ca(const struct tls_building *b, const X509 *ca)
{
	struct buf subject = {0}, issuer = {0};

	put_name(X509_get_subject_name(ca), &subject);
	put_name(X509_get_issuer_name(ca), &issuer);
	errors_warn(
	    b->errors, b->conf->client_ca, 0, 0,
	    "the CA '%s' was issued by '%s', which is not in this file: its clients are "
	    "refused, because client_crl has lists for the CAs themselves, too; add that CA "
	    "here, and its revocation list to client_crl",
	    (const char *)subject.data, (const char *)issuer.data);
	buf_fini(&subject);
	buf_fini(&issuer);
}
