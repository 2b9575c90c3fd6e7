/* Our certificates and their keys: loading, and checks before a client makes them. */
#include "net/tls/tls_certificate.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/alloc.h"
#include "conf/conf_file.h"
#include "net/tls/tls_date.h"
#include "net/tls/tls_pem.h"

/* Where errors of a pair are reported. */
struct place {
	const struct conf_certificate *conf;
	const char *conf_path;
	struct errors *errors;
};

/* Anybody can write anything into a certificate that is refused. */
#define NAME_MAX_BYTES 256
#define REPORT(p, ...)                                                                             \
	errors_add((p)->errors, (p)->conf_path, (p)->conf->line, (p)->conf->column, __VA_ARGS__)
#define WARN(p, ...)                                                                               \
	errors_warn((p)->errors, (p)->conf_path, (p)->conf->line, (p)->conf->column, __VA_ARGS__)

/* A broker that runs says it by an event (tls_context_log_expiry). */
#define WARN_DATE(p, ...)                                                                          \
	errors_warn_unlogged((p)->errors, (p)->conf_path, (p)->conf->line, (p)->conf->column,      \
	                     __VA_ARGS__)

/* --- loading a pair --- */

static bool load_chain(struct tls_certificate *c, const struct place *p)
{
	struct conf_file file = {
	    .path = c->path, .what = "certificate", .max_bytes = TLS_PEM_BYTES_MAX};
	struct buf bytes = {0};
	STACK_OF(X509) *all = NULL;

	if (!tls_pem_read_file(&file, &bytes, p->errors)) {
		buf_fini(&bytes);
		return false;
	}
	if (!tls_pem_is_der(buf_slice(&bytes)))
		all = tls_pem_certificates(buf_slice(&bytes));
	buf_fini(&bytes);
	if (all == NULL) {
		REPORT(p,
		       "%s is not a certificate in PEM (-----BEGIN CERTIFICATE-----); from DER: "
		       "'openssl x509 -inform DER -in FILE -out NEW'",
		       c->path);
		return false;
	}
	c->leaf = sk_X509_shift(all);
	c->chain = all;
	/* The root at the end of a chain is not sent: a client that trusts it has it. */
	for (int i = sk_X509_num(c->chain) - 1; i >= 0; i--) {
		if ((X509_get_extension_flags(sk_X509_value(c->chain, i)) & EXFLAG_SS) != 0)
			X509_free(sk_X509_delete(c->chain, i));
	}
	return true;
}

static int no_password(char *out, int cap, int writing, void *asked)
{
	(void)writing;
	*(bool *)asked = true;
	if (cap > 0)
		out[0] = '\0';
	return -1;
}

static void wipe_buf(struct buf *b)
{
	OPENSSL_cleanse(b->data, b->cap);
	buf_fini(b);
}

static bool load_key(struct tls_certificate *c, const struct place *p)
{
	struct conf_file file = {.path = c->key_path,
	                         .what = "private key",
	                         .max_bytes = TLS_PEM_BYTES_MAX,
	                         .is_secret = true};
	struct buf bytes = {0};
	bool encrypted = false;
	BIO *bio;

	if (!tls_pem_read_file(&file, &bytes, p->errors)) {
		wipe_buf(&bytes);
		return false;
	}
	bio = BIO_new_mem_buf(bytes.data, (int)bytes.len);
	if (bio != NULL)
		c->key = PEM_read_bio_PrivateKey(bio, NULL, no_password, &encrypted);
	BIO_free(bio);
	wipe_buf(&bytes);
	ERR_clear_error();
	if (c->key != NULL)
		return true;
	if (encrypted)
		REPORT(p,
		       "%s is encrypted, and the broker cannot ask for its password; decrypt it: "
		       "'openssl pkey -in %s -out NEW', and keep NEW private (chmod 0600)",
		       c->key_path, c->key_path);
	else
		REPORT(p, "%s is not a private key in PEM (-----BEGIN PRIVATE KEY-----)",
		       c->key_path);
	return false;
}

/* --- checks --- */

static bool check_strength(const struct tls_certificate *c, const struct place *p)
{
	int bits = EVP_PKEY_get_bits(c->key);

	switch (EVP_PKEY_get_base_id(c->key)) {
	case EVP_PKEY_RSA:
		if (bits >= 2048)
			return true;
		REPORT(p,
		       "%s: an RSA key of %d bits is too short; at least 2048 bits are needed, and "
		       "P-256 is faster",
		       c->key_path, bits);
		return false;
	case EVP_PKEY_EC:
		if (bits >= 256)
			return true;
		REPORT(p, "%s: an elliptic-curve key of %d bits is too short; use P-256",
		       c->key_path, bits);
		return false;
	case EVP_PKEY_ED25519:
		WARN(p, "%s: few devices support Ed25519 certificates; use P-256", c->path);
		return true;
	default:
		REPORT(p,
		       "%s: keys of this type are not supported; use P-256 or RSA with 2048 bits",
		       c->key_path);
		return false;
	}
}

bool tls_certificate_not_yet_valid(const struct tls_certificate *c)
{
	return X509_cmp_current_time(X509_get0_notBefore(c->leaf)) > 0;
}

int64_t tls_certificate_seconds_left(const struct tls_certificate *c)
{
	int days = 0, seconds = 0;

	if (ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(c->leaf)) != 1)
		return 0;
	return (int64_t)days * 86400 + seconds;
}

int64_t tls_certificate_until(const struct tls_certificate *c)
{
	return tls_date_epoch_s(X509_get0_notAfter(c->leaf));
}

static void check_dates(const struct tls_certificate *c, const struct place *p)
{
	int64_t left = tls_certificate_seconds_left(c);
	struct buf date = {0};

	if (tls_certificate_not_yet_valid(c))
		tls_certificate_put_begin(c, &date);
	else
		tls_certificate_put_end(c, &date);
	buf_put_u8(&date, '\0');
	if (tls_certificate_not_yet_valid(c))
		WARN_DATE(
		    p,
		    "%s is not valid before %s, or this machine's clock is wrong: clients will "
		    "refuse it",
		    c->path, (const char *)date.data);
	else if (left < 0)
		WARN_DATE(p, "%s expired on %s: clients will refuse it; renew it", c->path,
		          (const char *)date.data);
	else if (left < EXPIRY_WARNING_S)
		WARN_DATE(p, "%s expires on %s; renew it", c->path, (const char *)date.data);
	buf_fini(&date);
}

bool tls_certificate_load(struct tls_certificate *c, const struct conf_certificate *conf,
                          const char *conf_path, struct errors *errors)
{
	struct place p = {.conf = conf, .conf_path = conf_path, .errors = errors};
	bool have_chain, have_key;

	c->path = xstrdup(conf->certificate);
	c->key_path = xstrdup(conf->key);
	have_chain = load_chain(c, &p);
	have_key = load_key(c, &p);
	if (!have_chain || !have_key || !check_strength(c, &p))
		return false;
	if (X509_check_private_key(c->leaf, c->key) != 1) {
		ERR_clear_error();
		REPORT(&p, "the certificate %s and the key %s do not match", c->path, c->key_path);
		return false;
	}
	if (X509_check_purpose(c->leaf, X509_PURPOSE_SSL_SERVER, 0) != 1)
		WARN(&p,
		     "%s is not for servers (extended key usage without serverAuth): clients will "
		     "refuse it",
		     c->path);
	check_dates(c, &p);
	if (conf->ocsp_response != NULL) {
		c->staple_path = xstrdup(conf->ocsp_response);
		tls_staple_load(&c->staple, c->staple_path, c->leaf, errors);
	} else if (tls_staple_is_demanded(c->leaf)) {
		WARN(&p,
		     "%s demands that an OCSP response is sent with it (OCSP Must-Staple): clients "
		     "will refuse it; fetch one, and name its file in ocsp_response",
		     c->path);
	}
	return true;
}

void tls_certificate_fini(struct tls_certificate *c)
{
	free(c->path);
	free(c->key_path);
	free(c->staple_path);
	tls_staple_fini(&c->staple);
	X509_free(c->leaf);
	EVP_PKEY_free(c->key);
	sk_X509_pop_free(c->chain, X509_free);
	*c = (struct tls_certificate){0};
}

/* --- describing and comparing --- */

static const char *curve_name(const EVP_PKEY *key, char *space, size_t cap)
{
	size_t len;

	if (EVP_PKEY_get_group_name(key, space, cap, &len) != 1)
		return "?";
	if (strcmp(space, "prime256v1") == 0)
		return "P-256";
	if (strcmp(space, "secp384r1") == 0)
		return "P-384";
	return strcmp(space, "secp521r1") == 0 ? "P-521" : space;
}

void tls_certificate_kind(const struct tls_certificate *c, struct buf *out)
{
	char space[64];

	switch (EVP_PKEY_get_base_id(c->key)) {
	case EVP_PKEY_RSA:
		buf_printf(out, "RSA %d", EVP_PKEY_get_bits(c->key));
		return;
	case EVP_PKEY_EC:
		buf_printf(out, "ECDSA %s", curve_name(c->key, space, sizeof(space)));
		return;
	default:
		buf_printf(out, "Ed25519");
	}
}

static bool accepts_address(X509 *certificate, const ASN1_OCTET_STRING *ip)
{
	int len = ASN1_STRING_length(ip);

	return len > 0 &&
	       X509_check_ip(certificate, ASN1_STRING_get0_data(ip), (size_t)len, 0) == 1;
}

static bool accepts_name(X509 *certificate, const ASN1_STRING *name)
{
	int len = ASN1_STRING_length(name);

	return len > 0 && X509_check_host(certificate, (const char *)ASN1_STRING_get0_data(name),
	                                  (size_t)len, 0, NULL) == 1;
}

static bool shares_alternative(GENERAL_NAMES *names, X509 *other)
{
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		int type;
		const void *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &type);

		if ((type == GEN_DNS && accepts_name(other, value)) ||
		    (type == GEN_IPADD && accepts_address(other, value)))
			return true;
	}
	return false;
}

static bool shares_common_name(X509 *certificate, X509 *other)
{
	const X509_NAME *subject = X509_get_subject_name(certificate);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

	return at >= 0 &&
	       accepts_name(other, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

bool tls_certificate_shares_name(const struct tls_certificate *a, const struct tls_certificate *b)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(a->leaf, NID_subject_alt_name, NULL, NULL);
	bool shares = names != NULL ? shares_alternative(names, b->leaf)
	                            : shares_common_name(a->leaf, b->leaf);

	GENERAL_NAMES_free(names);
	return shares;
}

void tls_certificate_copy(struct tls_certificate *to, const struct tls_certificate *from)
{
	*to = (struct tls_certificate){.path = xstrdup(from->path),
	                               .key_path = xstrdup(from->key_path)};
	to->staple_path = from->staple_path == NULL ? NULL : xstrdup(from->staple_path);
	tls_staple_copy(&to->staple, &from->staple);
	X509_up_ref(from->leaf);
	EVP_PKEY_up_ref(from->key);
	to->leaf = from->leaf;
	to->key = from->key;
	to->chain = from->chain == NULL ? NULL : X509_chain_up_ref(from->chain);
}

void tls_certificate_put_date(const ASN1_TIME *date, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	long len = 0;

	if (bio != NULL && ASN1_TIME_print(bio, date) == 1)
		len = BIO_get_mem_data(bio, &text);
	buf_put(out, len > 0 ? text : "?", len > 0 ? (size_t)len : 1);
	BIO_free(bio);
}

void tls_certificate_put_name(const X509_NAME *name, struct buf *out)
{
	BIO *text = BIO_new(BIO_s_mem());
	const char *data = NULL;
	long len = 0;

	if (text != NULL &&
	    X509_NAME_print_ex(text, name, 0,
	                       XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0)
		len = BIO_get_mem_data(text, &data);
	buf_put(out, data, len > NAME_MAX_BYTES ? NAME_MAX_BYTES : len > 0 ? (size_t)len : 0);
	BIO_free(text);
}

void tls_certificate_put_begin(const struct tls_certificate *c, struct buf *out)
{
	tls_certificate_put_date(X509_get0_notBefore(c->leaf), out);
}

void tls_certificate_put_end(const struct tls_certificate *c, struct buf *out)
{
	tls_certificate_put_date(X509_get0_notAfter(c->leaf), out);
}

void tls_certificate_describe(const struct tls_certificate *c, struct buf *out)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	buf_printf(out, "%s SHA-256 ", c->path);
	if (X509_digest(c->leaf, EVP_sha256(), digest, &len) == 1) {
		for (unsigned i = 0; i < len; i++)
			buf_printf(out, i == 0 ? "%02X" : ":%02X", (unsigned)digest[i]);
	}
	buf_printf(out, ", until ");
	tls_certificate_put_end(c, out);
}

#define NAMES_SHOWN 8

static bool put_name(const GENERAL_NAME *name, struct buf *out)
{
	char address[INET6_ADDRSTRLEN] = "";
	int type = 0;
	const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
	int len = value == NULL ? 0 : ASN1_STRING_length(value);

	if (type == GEN_DNS && len > 0)
		buf_put(out, ASN1_STRING_get0_data(value), (size_t)len);
	else if (type == GEN_IPADD && (len == 4 || len == 16) &&
	         inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(value), address,
	                   sizeof(address)) != NULL)
		buf_printf(out, "%s", address);
	else
		return false;
	return true;
}

void tls_certificate_put_names(const X509 *leaf, struct buf *out)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	unsigned count = 0;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		size_t before = out->len;

		if (count == NAMES_SHOWN) {
			buf_printf(out, ", ...");
			break;
		}
		if (count > 0)
			buf_printf(out, ", ");
		if (put_name(sk_GENERAL_NAME_value(names, i), out))
			count++;
		else
			out->len = before;
	}
	if (count == 0)
		buf_printf(out, "no name at all");
	GENERAL_NAMES_free(names);
}
