/* A private PKI at work: its directory, the index of what it issued, its two CAs.
 *
 *     server-ca.crt, server-ca.key   signs the certificates of servers
 *     client-ca.crt, client-ca.key   signs those of clients; the broker has the first as client_ca
 *     server-ca.crl, client-ca.crl   who was revoked
 *     index, lock                    pki_index.h, pki_directory.h
 *     issued/                        server-ec, server-rsa, client-USER: .crt and .key
 *
 * Errors are printed to stderr; functions return the exit status, 0 for success.  Thread: main. */
#ifndef PKI_PKI_H
#define PKI_PKI_H

#include "base/clock.h"
#include "pki/pki_certificate.h"
#include "pki/pki_directory.h"
#include "pki/pki_key.h"

#define PKI_DAYS_CA     3650
#define PKI_DAYS_SERVER 825
#define PKI_DAYS_CLIENT 365
/* What ends sooner is renewed, or named. */
#define PKI_DAYS_SOON 30

struct pki {
	struct pki_directory directory;
	struct pki_index index;
	/* Wall clock when the command began, seconds. */
	int64_t now;
	struct pki_passphrase passphrase;
};

struct pki_authority {
	enum pki_kind kind; /* PKI_SERVER_CA or PKI_CLIENT_CA */
	X509 *certificate;
	/* NULL: not needed by the caller. */
	EVP_PKEY *key;
};

/* Open the directory and read the index; for changes a missing or broken one is made anew from what
 * is there, and this is said. Close in any case. */
int pki_open(struct pki *pki, const char *path, const char *keys, enum pki_access access);
void pki_close(struct pki *pki);
int pki_save_index(struct pki *pki);

/* "server-ca.crt" and so on. */
const char *pki_authority_file(enum pki_kind ca, const char *suffix, char out[32]);
/* Read the CA that signs leaves of this kind, with its key. Refused where the clock shows a time
 * before the CA or before what was issued last. Free in any case. */
int pki_authority_read(struct pki *pki, enum pki_kind leaf, struct pki_authority *out);
/* Its certificate alone. */
int pki_authority_read_certificate(struct pki *pki, enum pki_kind leaf, X509 **out);
void pki_authority_fini(struct pki_authority *authority);

/* "issued/client-anna": the files of a server ("server-ec") or user. What has a meaning for
 * shells or paths is %XX; a name that is too long for a file stands as its hash. The caller frees.
 */
char *pki_stem(enum pki_kind kind, const char *name);
/* The certificate in the files of that name; NULL in *out: there is none. */
int pki_read_issued(struct pki *pki, const char *stem, X509 **out);
int pki_read_issued_key(struct pki *pki, const char *stem, EVP_PKEY **out);

struct pki_order {
	enum pki_kind kind;
	/* A user, or "server-ec". */
	const char *name;
	const char *common_name;
	const struct pki_names *names;
	unsigned days;
	EVP_PKEY *public_key;
	/* Stored beside the certificate; NULL: a key that is stored already, or never is. */
	EVP_PKEY *new_key;
	/* A key in the files of that name is another one's: it is renamed to .old. */
	bool key_is_elsewhere;
};

/* Sign, enter in the index, store. *out may be NULL; the caller frees what it gets. */
int pki_issue(struct pki *pki, const struct pki_authority *authority, const struct pki_order *order,
              X509 **out);

/* Write the revocation list of a CA. `days` 0: as long as the one before was made for; the first as
 * long as the CA lives. */
int pki_write_crl(struct pki *pki, const struct pki_authority *authority, unsigned days);
/* NULL in *out: there is none. */
int pki_read_crl(struct pki *pki, enum pki_kind ca, X509_CRL **out);

/* When it ends, for people: "2027-11-30". */
const char *pki_day(int64_t seconds, char out[CLOCK_TEXT_MAX]);

#endif
