/* Extensions are built from their ASN.1 types, not from OpenSSL's configuration text. */
#include "pki/pki_certificate.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/alloc.h"
#include "base/random.h"
#include "base/require.h"
#include "pki/pki_key.h"

/* The clocks of devices differ. */
#define BACKDATE_SECONDS ((int64_t)3600)

/* ---- parts ---- */

static ASN1_INTEGER *random_serial(void)
{
	ASN1_INTEGER *serial = ASN1_INTEGER_new();
	uint64_t value;

	do
		value = random_u64();
	while (value == 0);
	REQUIRE(serial != NULL && ASN1_INTEGER_set_uint64(serial, value) == 1);
	return serial;
}

static void set_times(X509 *x, const struct pki_profile *p, const X509 *issuer)
{
	int64_t from = p->now - BACKDATE_SECONDS, until = p->until;

	if (issuer != NULL) {
		int64_t issuer_from = pki_time_seconds(X509_get0_notBefore(issuer));
		int64_t issuer_until = pki_time_seconds(X509_get0_notAfter(issuer));

		from = from < issuer_from ? issuer_from : from;
		until = until > issuer_until ? issuer_until : until;
	}
	REQUIRE(ASN1_TIME_set(X509_getm_notBefore(x), (time_t)from) != NULL);
	REQUIRE(ASN1_TIME_set(X509_getm_notAfter(x), (time_t)until) != NULL);
}

static void add_extension(X509 *x, int nid, void *value, bool is_critical)
{
	REQUIRE(X509_add1_ext_i2d(x, nid, value, is_critical, X509V3_ADD_DEFAULT) == 1);
}

static void add_constraints(X509 *x, bool is_ca)
{
	BASIC_CONSTRAINTS *constraints = BASIC_CONSTRAINTS_new();

	REQUIRE(constraints != NULL);
	constraints->ca = is_ca ? 0xff : 0;
	if (is_ca) { /* it signs leaves only */
		constraints->pathlen = ASN1_INTEGER_new();
		REQUIRE(constraints->pathlen != NULL);
	}
	add_extension(x, NID_basic_constraints, constraints, true);
	BASIC_CONSTRAINTS_free(constraints);
}

static void add_usage(X509 *x, bool is_ca)
{
	/* RFC 5280, 4.2.1.3: bit 0 digitalSignature, 5 keyCertSign, 6 cRLSign. */
	static const int ca_bits[] = {5, 6}, leaf_bits[] = {0, 0};
	ASN1_BIT_STRING *usage = ASN1_BIT_STRING_new();

	REQUIRE(usage != NULL);
	for (size_t i = 0; i < 2; i++)
		REQUIRE(ASN1_BIT_STRING_set_bit(usage, is_ca ? ca_bits[i] : leaf_bits[i], 1) == 1);
	add_extension(x, NID_key_usage, usage, true);
	ASN1_BIT_STRING_free(usage);
}

static ASN1_OCTET_STRING *key_identifier(const X509 *x)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	ASN1_OCTET_STRING *id = ASN1_OCTET_STRING_new();

	/* RFC 5280, 4.2.1.2 (1): SHA-1 of the key's bits; a name, not a protection. */
	REQUIRE(X509_pubkey_digest(x, EVP_sha1(), digest, &len) == 1);
	REQUIRE(id != NULL && ASN1_OCTET_STRING_set(id, digest, (int)len) == 1);
	return id;
}

static void add_identifiers(X509 *x, const X509 *issuer)
{
	ASN1_OCTET_STRING *own = key_identifier(x);
	AUTHORITY_KEYID *authority = AUTHORITY_KEYID_new();
	const ASN1_OCTET_STRING *known =
	    issuer == NULL ? NULL : X509_get0_subject_key_id((X509 *)(uintptr_t)issuer);

	add_extension(x, NID_subject_key_identifier, own, false);
	ASN1_OCTET_STRING_free(own);
	REQUIRE(authority != NULL);
	authority->keyid = known != NULL    ? ASN1_OCTET_STRING_dup(known)
	                   : issuer != NULL ? key_identifier(issuer)
	                                    : key_identifier(x);
	add_extension(x, NID_authority_key_identifier, authority, false);
	AUTHORITY_KEYID_free(authority);
}

static void add_names(X509 *x, const struct pki_profile *p)
{
	GENERAL_NAMES *names;

	if (p->names == NULL || p->names->count == 0)
		return;
	names = pki_names_extension(p->names);
	/* RFC 5280, 4.2.1.6: critical where the subject is empty. */
	add_extension(x, NID_subject_alt_name, names, p->common_name == NULL);
	GENERAL_NAMES_free(names);
}

/* Ed25519 has its own hash. */
static const EVP_MD *digest_for(const EVP_PKEY *key)
{
	return EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
}

X509 *pki_certificate_make(const struct pki_profile *profile, EVP_PKEY *public_key, X509 *issuer,
                           EVP_PKEY *key)
{
	bool is_ca = profile->kind == PKI_SERVER_CA || profile->kind == PKI_CLIENT_CA;
	ASN1_INTEGER *serial = random_serial();
	X509 *x = X509_new();
	X509_NAME *subject;

	REQUIRE(x != NULL && X509_set_version(x, X509_VERSION_3) == 1);
	REQUIRE(X509_set_serialNumber(x, serial) == 1);
	ASN1_INTEGER_free(serial);
	set_times(x, profile, issuer);
	subject = X509_get_subject_name(x);
	if (profile->common_name != NULL)
		REQUIRE(X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
		                                   (const uint8_t *)profile->common_name, -1, -1,
		                                   0) == 1);
	REQUIRE(X509_set_issuer_name(x, issuer == NULL ? subject : X509_get_subject_name(issuer)) ==
	        1);
	REQUIRE(X509_set_pubkey(x, public_key) == 1);
	add_constraints(x, is_ca);
	add_usage(x, is_ca);
	if (!is_ca) {
		EXTENDED_KEY_USAGE *purposes = EXTENDED_KEY_USAGE_new();
		ASN1_OBJECT *purpose =
		    OBJ_nid2obj(profile->kind == PKI_SERVER ? NID_server_auth : NID_client_auth);

		REQUIRE(purposes != NULL && sk_ASN1_OBJECT_push(purposes, purpose) > 0);
		add_extension(x, NID_ext_key_usage, purposes, false);
		EXTENDED_KEY_USAGE_free(purposes);
	}
	add_identifiers(x, issuer);
	add_names(x, profile);
	REQUIRE(X509_sign(x, key, digest_for(key)) > 0);
	return x;
}

/* ---- revocation lists ---- */

static void revoke_serial(X509_CRL *crl, const ASN1_INTEGER *serial, const ASN1_TIME *when)
{
	X509_REVOKED *revoked = X509_REVOKED_new();

	REQUIRE(revoked != NULL);
	REQUIRE(X509_REVOKED_set_serialNumber(revoked, (ASN1_INTEGER *)(uintptr_t)serial) == 1);
	REQUIRE(X509_REVOKED_set_revocationDate(revoked, (ASN1_TIME *)(uintptr_t)when) == 1);
	REQUIRE(X509_CRL_add0_revoked(crl, revoked) == 1);
}

static bool lists_serial(X509_CRL *crl, const ASN1_INTEGER *serial)
{
	X509_REVOKED *found = NULL;

	return X509_CRL_get0_by_serial(crl, &found, serial) > 0;
}

static ASN1_INTEGER *serial_of_text(const char *text)
{
	BIGNUM *number = NULL;
	ASN1_INTEGER *serial;

	REQUIRE(BN_hex2bn(&number, text) > 0);
	serial = BN_to_ASN1_INTEGER(number, NULL);
	REQUIRE(serial != NULL);
	BN_free(number);
	return serial;
}

static void revoke_entry(X509_CRL *crl, const struct pki_entry *e)
{
	ASN1_TIME *when = ASN1_TIME_set(NULL, (time_t)e->revoked);
	ASN1_INTEGER *serial = serial_of_text(e->serial);

	REQUIRE(when != NULL);
	if (!lists_serial(crl, serial))
		revoke_serial(crl, serial, when);
	ASN1_INTEGER_free(serial);
	ASN1_TIME_free(when);
}

bool pki_crl_lists(X509_CRL *crl, const char *serial)
{
	ASN1_INTEGER *number;
	bool found;

	if (crl == NULL)
		return false;
	number = serial_of_text(serial);
	found = lists_serial(crl, number);
	ASN1_INTEGER_free(number);
	return found;
}

/* Whoever was revoked stays so, also when the index has lost it. */
static void revoke_all_of(X509_CRL *crl, const X509_CRL *before)
{
	STACK_OF(X509_REVOKED) *list =
	    before == NULL ? NULL : X509_CRL_get_REVOKED((X509_CRL *)(uintptr_t)before);

	for (int i = 0; i < sk_X509_REVOKED_num(list); i++) {
		const X509_REVOKED *one = sk_X509_REVOKED_value(list, i);

		revoke_serial(crl, X509_REVOKED_get0_serialNumber(one),
		              X509_REVOKED_get0_revocationDate(one));
	}
}

static void number_crl(X509_CRL *crl, const X509_CRL *before, int64_t now)
{
	ASN1_INTEGER *last =
	    before == NULL ? NULL : X509_CRL_get_ext_d2i(before, NID_crl_number, NULL, NULL);
	ASN1_INTEGER *number = ASN1_INTEGER_new();
	int64_t value = 0;

	if (last == NULL || ASN1_INTEGER_get_int64(&value, last) != 1)
		value = 0;
	value = value >= now ? value + 1 : now;
	REQUIRE(number != NULL && ASN1_INTEGER_set_int64(number, value) == 1);
	REQUIRE(X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, X509V3_ADD_DEFAULT) == 1);
	ASN1_INTEGER_free(number);
	ASN1_INTEGER_free(last);
}

X509_CRL *pki_crl_make(const struct pki_profile *profile, const struct pki_index *index,
                       const X509_CRL *before, X509 *issuer, EVP_PKEY *key)
{
	enum pki_kind leaves = profile->kind == PKI_SERVER_CA ? PKI_SERVER : PKI_CLIENT;
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *from = ASN1_TIME_set(NULL, (time_t)(profile->now - BACKDATE_SECONDS));
	ASN1_TIME *next = ASN1_TIME_set(NULL, (time_t)profile->until);
	AUTHORITY_KEYID *authority = AUTHORITY_KEYID_new();
	const ASN1_OCTET_STRING *known = X509_get0_subject_key_id(issuer);

	REQUIRE(crl != NULL && from != NULL && next != NULL);
	REQUIRE(X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1);
	REQUIRE(X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer)) == 1);
	REQUIRE(X509_CRL_set1_lastUpdate(crl, from) == 1);
	REQUIRE(X509_CRL_set1_nextUpdate(crl, next) == 1);
	revoke_all_of(crl, before);
	for (size_t i = 0; i < index->count; i++)
		if (index->entries[i].revoked != 0 && index->entries[i].kind == leaves &&
		    !index->entries[i].is_imported)
			revoke_entry(crl, &index->entries[i]);
	number_crl(crl, before, profile->now);
	REQUIRE(authority != NULL);
	authority->keyid = known != NULL ? ASN1_OCTET_STRING_dup(known) : key_identifier(issuer);
	REQUIRE(X509_CRL_add1_ext_i2d(crl, NID_authority_key_identifier, authority, 0,
	                              X509V3_ADD_DEFAULT) == 1);
	AUTHORITY_KEYID_free(authority);
	X509_CRL_sort(crl);
	REQUIRE(X509_CRL_sign(crl, key, digest_for(key)) > 0);
	ASN1_TIME_free(from);
	ASN1_TIME_free(next);
	return crl;
}

int64_t pki_crl_period(const X509_CRL *crl)
{
	const ASN1_TIME *next = X509_CRL_get0_nextUpdate(crl);

	return next == NULL
	           ? 0
	           : pki_time_seconds(next) - pki_time_seconds(X509_CRL_get0_lastUpdate(crl));
}

/* ---- reading ---- */

int64_t pki_time_seconds(const ASN1_TIME *time)
{
	struct tm tm;

	return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

void pki_serial_text(const ASN1_INTEGER *serial, char out[PKI_SERIAL_TEXT_MAX])
{
	BIGNUM *number = ASN1_INTEGER_to_BN(serial, NULL);
	char *text = number == NULL ? NULL : BN_bn2hex(number);
	size_t len = 0;

	for (const char *c = text; c != NULL && *c != '\0' && len < PKI_SERIAL_TEXT_MAX - 1; c++)
		out[len++] = (char)(*c >= 'A' && *c <= 'F' ? *c + ('a' - 'A') : *c);
	out[len] = '\0';
	OPENSSL_free(text);
	BN_free(number);
}

void pki_certificate_entry(X509 *certificate, enum pki_kind kind, struct pki_entry *out)
{
	*out = (struct pki_entry){.kind = kind};
	pki_serial_text(X509_get0_serialNumber(certificate), out->serial);
	out->issued = pki_time_seconds(X509_get0_notBefore(certificate));
	out->until = pki_time_seconds(X509_get0_notAfter(certificate));
	pki_key_hash(X509_get0_pubkey(certificate), out->key);
}

char *pki_certificate_common_name(const X509 *certificate)
{
	const X509_NAME *subject = X509_get_subject_name(certificate);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1), len;
	uint8_t *utf8 = NULL;
	char *name = NULL;

	if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
		return NULL;
	len =
	    ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
	if (len > 0 && memchr(utf8, '\0', (size_t)len) == NULL)
		name = xstrndup((const char *)utf8, (size_t)len);
	OPENSSL_free(utf8);
	return name;
}

/* ---- PEM ---- */

static void take_pem(BIO *bio, struct buf *out)
{
	char *data;
	long len = BIO_get_mem_data(bio, &data);

	REQUIRE(len > 0);
	buf_put(out, data, (size_t)len);
	BIO_free(bio);
}

void pki_certificate_pem(X509 *certificate, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_mem());

	REQUIRE(bio != NULL && PEM_write_bio_X509(bio, certificate) == 1);
	take_pem(bio, out);
}

void pki_crl_pem(X509_CRL *crl, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_mem());

	REQUIRE(bio != NULL && PEM_write_bio_X509_CRL(bio, crl) == 1);
	take_pem(bio, out);
}

X509 *pki_certificate_read(struct slice pem)
{
	BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
	X509 *certificate = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);

	BIO_free(bio);
	ERR_clear_error();
	return certificate;
}

X509_CRL *pki_crl_read(struct slice pem)
{
	BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
	X509_CRL *crl = bio == NULL ? NULL : PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL);

	BIO_free(bio);
	ERR_clear_error();
	return crl;
}
