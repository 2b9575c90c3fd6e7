/* Read as client_ca is, and asked as the certificate of a client is. */
#include "net/tls/tls_leaf.h"

#include <openssl/x509v3.h>

#include "base/array.h"
#include "conf/conf_file.h"
#include "net/tls/tls_certificate.h"
#include "net/tls/tls_names.h"
#include "net/tls/tls_pem.h"

static bool names(X509 *certificate, struct slice user)
{
	static const enum conf_certificate_user kinds[] = {
	    CERTIFICATE_USER_CN, CERTIFICATE_USER_SAN_DNS, CERTIFICATE_USER_SAN_URI,
	    CERTIFICATE_USER_SAN_EMAIL};
	bool found = false;

	for (size_t i = 0; i < ARRAY_LEN(kinds) && !found; i++) {
		struct buf name = {0};

		found = tls_names_of(certificate, kinds[i], &name) == 1 &&
		        slice_equal(buf_slice(&name), user);
		buf_fini(&name);
	}
	return found;
}

static bool fill(X509 *certificate, const char *path, struct slice user, struct tls_leaf *out,
                 struct errors *errors)
{
	if (X509_check_ca(certificate) == 1) {
		errors_add(errors, path, 0, 0,
		           "this is the certificate of a CA: name the one that the client has");
		return false;
	}
	if (!key_pin_of(certificate, out->key)) {
		errors_add(errors, path, 0, 0, "the key of this certificate cannot be read");
		return false;
	}
	out->names_user = names(certificate, user);
	tls_certificate_put_name(X509_get_subject_name(certificate), &out->subject);
	return true;
}

bool tls_leaf_read(const char *path, struct slice user, struct tls_leaf *out, struct errors *errors)
{
	struct conf_file file = {.path = path,
	                         .what = "certificate",
	                         .max_bytes = TLS_PEM_BYTES_MAX,
	                         .is_argument = true};
	struct buf bytes = {0};
	STACK_OF(X509) *all = NULL;
	bool ok = false;

	*out = (struct tls_leaf){0};
	if (tls_pem_read_file(&file, &bytes, errors)) {
		all = tls_pem_certificates(buf_slice(&bytes));
		if (all == NULL)
			errors_add(errors, path, 0, 0,
			           "this is not a certificate in PEM (-----BEGIN CERTIFICATE-----) "
			           "or DER");
		else
			ok = fill(sk_X509_value(all, 0), path, user, out, errors);
	}
	sk_X509_pop_free(all, X509_free);
	buf_fini(&bytes);
	return ok;
}

void tls_leaf_fini(struct tls_leaf *leaf)
{
	buf_fini(&leaf->subject);
}
