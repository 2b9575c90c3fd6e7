/* PEM and DER by OpenSSL's readers. */
#include "net/tls_pem.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "conf/conf_file.h"

bool tls_pem_read_file(const struct conf_file *file, struct buf *out, struct errors *errors)
{
	if (conf_read_file(file, out, errors) != 0)
		return false;
	if (out->len == 0)
		errors_add(errors, file->path, 0, 0, "the %s is empty", file->what);
	return out->len > 0;
}

bool tls_pem_is_der(struct slice bytes)
{
	return bytes.len > 0 && bytes.data[0] == 0x30;
}

STACK_OF(X509) * tls_pem_certificates(struct slice bytes)
{
	BIO *bio = BIO_new_mem_buf(bytes.data, (int)bytes.len);
	STACK_OF(X509) *all = sk_X509_new_null();
	bool der = tls_pem_is_der(bytes);
	X509 *one;

	ERR_clear_error();
	while (bio != NULL && all != NULL) {
		one = der ? d2i_X509_bio(bio, NULL) : PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
		if (one == NULL || sk_X509_push(all, one) == 0 || der)
			break;
	}
	BIO_free(bio);
	if (sk_X509_num(all) > 0 &&
	    (der || ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)) {
		ERR_clear_error();
		return all;
	}
	sk_X509_pop_free(all, X509_free);
	ERR_clear_error();
	return NULL;
}

STACK_OF(X509_CRL) * tls_pem_crls(struct slice bytes)
{
	BIO *bio = BIO_new_mem_buf(bytes.data, (int)bytes.len);
	STACK_OF(X509_CRL) *all = sk_X509_CRL_new_null();
	bool der = tls_pem_is_der(bytes);
	X509_CRL *one;

	ERR_clear_error();
	while (bio != NULL && all != NULL) {
		one = der ? d2i_X509_CRL_bio(bio, NULL)
		          : PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL);
		if (one == NULL || sk_X509_CRL_push(all, one) == 0 || der)
			break;
	}
	BIO_free(bio);
	if (sk_X509_CRL_num(all) > 0 &&
	    (der || ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)) {
		ERR_clear_error();
		return all;
	}
	sk_X509_CRL_pop_free(all, X509_CRL_free);
	ERR_clear_error();
	return NULL;
}
