/* Private keys: generated, read and written as PEM, encrypted on request; and which public keys a
 * certificate may have.  Errors are printed to stderr; functions return the exit status.
 * Thread: main. */
#ifndef PKI_KEY_H
#define PKI_KEY_H

#include <openssl/evp.h>

#include "base/bytes.h"

/* Where the passphrase of a CA's key comes from. */
struct pki_passphrase {
	/* Its first line; NULL: the terminal is asked. */
	const char *file;
	/* Nobody is asked: a command that a timer runs. */
	bool is_unattended;
	/* Known after it was needed once. */
	struct buf secret;
};

enum pki_key_type {
	PKI_KEY_EC,  /* P-256 */
	PKI_KEY_RSA, /* 2048 bits */
};

/* Never NULL: aborts where the library cannot. */
EVP_PKEY *pki_key_generate(enum pki_key_type type);
bool pki_key_is_rsa(const EVP_PKEY *key);

/* PKCS#8 as PEM. With a passphrase it is encrypted (AES-256, scrypt). Wipe *out. */
void pki_key_write(EVP_PKEY *key, struct slice passphrase, struct buf *out);
/* `what` for messages: the path. Asks for a passphrase only where the key is encrypted. */
int pki_key_read(struct slice pem, const char *what, struct pki_passphrase *passphrase,
                 EVP_PKEY **key);

/* Read it once: from the file or, `twice` for a new one, from the terminal. */
int pki_passphrase_get(struct pki_passphrase *passphrase, const char *what, bool twice);
void pki_passphrase_fini(struct pki_passphrase *passphrase);

/* RSA of 2048 to 4096 bits, P-256, P-384, Ed25519. NULL: it may be in a certificate; otherwise what
 * is wrong, in words. The caller frees. */
char *pki_key_refused(EVP_PKEY *public_key);
/* "RSA, 2048 bits" */
const char *pki_key_describe(const EVP_PKEY *key, char *out, size_t size);
/* SHA-256 of the SubjectPublicKeyInfo, hexadecimal. */
void pki_key_hash(EVP_PKEY *public_key, char out[65]);

#endif
