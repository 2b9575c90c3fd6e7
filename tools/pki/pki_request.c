/* Checks in the order of what they cost: size, form, key, signature. */
#include "pki/pki_request.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/alloc.h"
#include "pki/pki_key.h"

static X509_REQ *parse(struct slice bytes)
{
	const uint8_t *at = bytes.data;
	X509_REQ *request = d2i_X509_REQ(NULL, &at, (long)bytes.len);
	BIO *bio;

	if (request != NULL && at == bytes.data + bytes.len)
		return request;
	X509_REQ_free(request);
	bio = BIO_new_mem_buf(bytes.data, (int)bytes.len);
	request = bio == NULL ? NULL : PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
	BIO_free(bio);
	return request;
}

static char *signature_refused(const X509_REQ *request)
{
	int digest = NID_undef, key_type = NID_undef,
	    algorithm = X509_REQ_get_signature_nid(request);

	if (algorithm == NID_ED25519 || algorithm == NID_rsassaPss)
		return NULL;
	if (OBJ_find_sigid_algs(algorithm, &digest, &key_type) != 1)
		return xstrdup("the algorithm of its signature is not known");
	if (digest != NID_sha256 && digest != NID_sha384 && digest != NID_sha512)
		return xasprintf("it is signed with %s; SHA-256, SHA-384 and SHA-512 are accepted",
		                 OBJ_nid2ln(digest));
	return NULL;
}

static char *request_refused(X509_REQ *request)
{
	EVP_PKEY *key = X509_REQ_get0_pubkey(request);
	char *why;

	if (key == NULL)
		return xstrdup(
		    "its public key cannot be read: RSA (2048 to 4096 bits), P-256, P-384 "
		    "and Ed25519 are accepted");
	why = pki_key_refused(key);
	if (why == NULL)
		why = signature_refused(request);
	if (why == NULL && X509_REQ_verify(request, key) != 1)
		why = xstrdup("its signature does not fit its public key: whoever made it has not "
		              "shown to own the key, or it was changed on the way");
	return why;
}

X509_REQ *pki_request_read(struct slice bytes, char **why)
{
	X509_REQ *request = NULL;

	*why = NULL;
	if (bytes.len > PKI_REQUEST_MAX)
		*why = xasprintf("it has more than %zu bytes", PKI_REQUEST_MAX);
	else if ((request = parse(bytes)) == NULL)
		*why = xstrdup("it is no certificate request, neither in PEM nor in DER");
	else
		*why = request_refused(request);
	ERR_clear_error();
	if (*why != NULL) {
		X509_REQ_free(request);
		return NULL;
	}
	return request;
}

/* ---- what is not taken from it ---- */

static bool subject_is(const X509_REQ *request, const char *user)
{
	const X509_NAME *subject = X509_REQ_get_subject_name(request);
	const ASN1_STRING *text;
	uint8_t *utf8 = NULL;
	bool same;
	int len;

	if (X509_NAME_entry_count(subject) == 0)
		return true;
	if (X509_NAME_entry_count(subject) != 1 ||
	    OBJ_obj2nid(X509_NAME_ENTRY_get_object(X509_NAME_get_entry(subject, 0))) !=
	        NID_commonName)
		return false;
	text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, 0));
	len = ASN1_STRING_to_UTF8(&utf8, text);
	same = len >= 0 && slice_equal(slice_of(utf8, (size_t)len), slice_of_str(user));
	OPENSSL_free(utf8);
	return same;
}

static void put_extension(struct buf *out, X509_EXTENSION *one)
{
	char name[80];

	(void)OBJ_obj2txt(name, sizeof(name), X509_EXTENSION_get_object(one), 0);
	buf_printf(out, "%s%s", out->len == 0 ? "" : ", ", name);
}

char *pki_request_ignored(X509_REQ *request, const char *user)
{
	STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(request);
	struct buf out = {0};
	char *text = NULL;

	if (!subject_is(request, user))
		buf_put_slice(&out, SLICE("another subject"));
	for (int i = 0; i < sk_X509_EXTENSION_num(extensions); i++)
		put_extension(&out, sk_X509_EXTENSION_value(extensions, i));
	sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
	ERR_clear_error();
	if (out.len > 0)
		text = slice_dup(buf_slice(&out));
	buf_fini(&out);
	return text;
}
