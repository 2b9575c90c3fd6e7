/* A name that is not plain UTF-8, or has a NUL after which the rest would be ignored, makes the
 * certificate give no name. */
#include "net/tls/tls_names.h"

#include <openssl/x509v3.h>

#include "base/utf8.h"

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

size_t tls_names_of(X509 *certificate, enum conf_certificate_user kind, struct buf *out)
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
