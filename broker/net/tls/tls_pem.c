/* PEM and DER by OpenSSL's readers. */
#include "net/tls/tls_pem.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/text_input.h"
#include "conf/conf_file.h"

#define KEY_MARK "PRIVATE KEY-----"

/* A file where a private key is, too, is as secret as one that has nothing else. */
static bool check_secret(const struct conf_file *file, struct buf *bytes, struct errors *errors)
{
	struct conf_file secret = *file;
	struct buf why = {0};
	bool ok = true;

	/* mutant: private_key_in_a_certificate_file */
	if (memmem(bytes->data, bytes->len, KEY_MARK, strlen(KEY_MARK)) != NULL) {
		secret.is_secret = true;
		ok = conf_file_is_trusted(&secret, &why);
	}
	if (!ok)
		errors_add(errors, file->path, 0, 0,
		           "this %s has a private key in it, too: %.*s; whoever has read it can "
		           "pretend to be this broker, so make a new key and certificate",
		           file->what, (int)why.len, (const char *)why.data);
	buf_fini(&why);
	return ok;
}

/* OpenSSL finds no certificate after a byte order mark. */
static void drop_mark(struct buf *bytes)
{
	struct slice text = text_input_start(buf_slice(bytes));

	if (text.len == bytes->len)
		return;
	memmove(bytes->data, text.data, text.len);
	bytes->len = text.len;
}

bool tls_pem_read_file(const struct conf_file *file, struct buf *out, struct errors *errors)
{
	if (conf_read_file(file, out, errors) != 0)
		return false;
	if (out->len == 0)
		errors_add(errors, file->path, 0, 0, "the %s is empty", file->what);
	if (out->len > 0 && text_input_encoding(buf_slice(out)) != NULL) {
		errors_add(errors, file->path, 0, 0, "the %s: %s", file->what,
		           text_input_encoding(buf_slice(out)));
		return false;
	}
	drop_mark(out);
	return out->len > 0 && (file->is_secret || check_secret(file, out, errors));
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
