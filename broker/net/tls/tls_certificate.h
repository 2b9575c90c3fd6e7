/* A certificate of the broker with its key and chain.  Thread: any. */
#ifndef NET_TLS_CERTIFICATE_H
#define NET_TLS_CERTIFICATE_H

#include <openssl/ssl.h>

#include "base/bytes.h"
#include "conf/conf.h"
#include "conf/errors.h"
#include "net/tls/tls_staple.h"

struct tls_certificate {
	char *path, *key_path;
	X509 *leaf;
	EVP_PKEY *key;
	STACK_OF(X509) * chain; /* without the root */
	char *staple_path;      /* NULL: none is configured */
	struct tls_staple staple;
};

/* Load and check a pair; false with errors (or true with warnings). */
bool tls_certificate_load(struct tls_certificate *c, const struct conf_certificate *conf,
                          const char *conf_path, struct errors *errors);
void tls_certificate_fini(struct tls_certificate *c);
/* References of the same certificate, key and chain. */
void tls_certificate_copy(struct tls_certificate *to, const struct tls_certificate *from);
/* "server-ec.crt SHA-256 AB:CD:..., until Nov 21 12:00:00 2027 GMT" */
void tls_certificate_describe(const struct tls_certificate *c, struct buf *out);
/* "Nov 21 12:00:00 2027 GMT" */
void tls_certificate_put_date(const ASN1_TIME *date, struct buf *out);
/* Append a subject or issuer as RFC 2253 writes it, at most 256 bytes of it. */
void tls_certificate_put_name(const X509_NAME *name, struct buf *out);
/* The dates of the certificate. */
void tls_certificate_put_begin(const struct tls_certificate *c, struct buf *out);
void tls_certificate_put_end(const struct tls_certificate *c, struct buf *out);
/* "RSA 2048", "ECDSA P-256", "Ed25519". */
void tls_certificate_kind(const struct tls_certificate *c, struct buf *out);
/* Before its end there are warnings: 30 days. */
#define EXPIRY_WARNING_S ((int64_t)30 * 86400)
/* Until it ends, negative when it has ended. */
int64_t tls_certificate_seconds_left(const struct tls_certificate *c);
/* Its end by the wall clock, seconds since the epoch. */
int64_t tls_certificate_until(const struct tls_certificate *c);
bool tls_certificate_not_yet_valid(const struct tls_certificate *c);
/* Do they share a name (SAN dns and ip, or CN), so that they stand side by side? */
bool tls_certificate_shares_name(const struct tls_certificate *a, const struct tls_certificate *b);

/* The names that clients can know it by: "localhost, 127.0.0.1". */
void tls_certificate_put_names(const X509 *leaf, struct buf *out);

#endif
