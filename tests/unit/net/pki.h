/* A small public key infrastructure for tests, made anew in a temporary directory. */
#ifndef TEST_NET_PKI_H
#define TEST_NET_PKI_H

#include <stdbool.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

struct pki_identity {
	X509 *certificate;
	EVP_PKEY *key;
};

struct pki_options {
	const char *common_name;
	const char *alternatives; /* as in openssl.cnf: "DNS:localhost,IP:127.0.0.1"; NULL: none */
	const char *usage;        /* "serverAuth", "clientAuth"; NULL: none said */
	bool ca;
	int rsa_bits;                      /* 0: P-256 */
	const char *curve;                 /* NULL: P-256 */
	int days_from, days_to;            /* from now; both 0: yesterday to in a year */
	const struct pki_identity *issuer; /* NULL: itself */
};

struct pki_identity pki_make(const struct pki_options *options);
void pki_drop(struct pki_identity *id);

/* A revocation list of `ca` with `revoked` in it (NULL: nobody), that ends in `days`. */
X509_CRL *pki_crl(const struct pki_identity *ca, const struct pki_identity *revoked, int days);

/* A fresh directory, removed with everything in it at exit. Paths are valid until then. */
const char *pki_path(const char *name);
const char *pki_write(const char *name, const X509 *certificate);
const char *pki_write_chain(const char *name, X509 *const *certificates, int count);
const char *pki_write_key(const char *name, EVP_PKEY *key);
const char *pki_write_crl(const char *name, X509_CRL *const *crls, int count);
const char *pki_write_text(const char *name, const char *text);
void pki_cleanup(void);

#endif
