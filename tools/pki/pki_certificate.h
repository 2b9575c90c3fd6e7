/* Certificates and revocation lists as this PKI makes them: X.509 v3, SHA-256, serials of 64 random
 * bits (RFC 5280).  Pure but for clock and chance; failures of the library on our own input abort.
 * Thread: any. */
#ifndef PKI_CERTIFICATE_H
#define PKI_CERTIFICATE_H

#include <openssl/x509.h>

#include "conf/pki_index.h"
#include "pki/pki_names.h"

#define PKI_SECONDS_A_DAY ((int64_t)86400)
/* RFC 5280, ub-common-name. */
#define PKI_COMMON_NAME_MAX 64

struct pki_profile {
	enum pki_kind kind;
	/* UTF-8, at most 64 characters; NULL: the subject is empty. */
	const char *common_name;
	/* NULL: none. */
	const struct pki_names *names;
	/* Wall clock, seconds. A leaf never ends after its CA. */
	int64_t now, until;
};

/* `issuer` NULL: it signs itself, with `key` as both. Never NULL; the caller frees. */
X509 *pki_certificate_make(const struct pki_profile *profile, EVP_PKEY *public_key, X509 *issuer,
                           EVP_PKEY *key);

/* A list of the revoked entries of the CA's kind and of those that `before` (may be NULL) has.
 * `profile` has its kind and times. */
X509_CRL *pki_crl_make(const struct pki_profile *profile, const struct pki_index *index,
                       const X509_CRL *before, X509 *issuer, EVP_PKEY *key);
/* Does it name this serial number? `crl` NULL: no. */
bool pki_crl_lists(X509_CRL *crl, const char *serial);
/* How long the list was made for, seconds. */
int64_t pki_crl_period(const X509_CRL *crl);

/* Fill all but the name and the state. */
void pki_certificate_entry(X509 *certificate, enum pki_kind kind, struct pki_entry *out);
void pki_serial_text(const ASN1_INTEGER *serial, char out[PKI_SERIAL_TEXT_MAX]);
int64_t pki_time_seconds(const ASN1_TIME *time);
/* The one common name; NULL: there is none, several, or a NUL in it. The caller frees. */
char *pki_certificate_common_name(const X509 *certificate);

void pki_certificate_pem(X509 *certificate, struct buf *out);
void pki_crl_pem(X509_CRL *crl, struct buf *out);
/* NULL: there is none in it. */
X509 *pki_certificate_read(struct slice pem);
X509_CRL *pki_crl_read(struct slice pem);

#endif
