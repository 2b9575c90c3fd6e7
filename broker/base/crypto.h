/* The little cryptography that is not TLS: comparison in constant time, wiping, SHA-256 and its
 * kin.  Any thread. */
#ifndef BASE_CRYPTO_H
#define BASE_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

bool crypto_equal(struct slice a, struct slice b); /* time depends on the lengths only */
void crypto_wipe(void *data, size_t len);          /* not optimised away */
/* HMAC-SHA256 (RFC 2104, FIPS 180-4). Aborts where the library cannot. */
void crypto_hmac_sha256(struct slice key, struct slice data, uint8_t out[32]);
void crypto_sha256(struct slice data, uint8_t out[32]);
/* SHA-1, for the key of WebSocket only: it protects nothing there. */
#define CRYPTO_SHA1_BYTES 20
void crypto_sha1(struct slice data, uint8_t out[CRYPTO_SHA1_BYTES]);
/* PBKDF2-HMAC-SHA256 (RFC 8018), 32 bytes of it. Slow on purpose: never on a loop. */
void crypto_pbkdf2_sha256(struct slice password, struct slice salt, uint32_t iterations,
                          uint8_t out[32]);

/* "3.0.15" */
const char *crypto_library_version(void);

#endif
