/* The pin of a public key: SHA-256 over its SubjectPublicKeyInfo (RFC 7469 section 2.4).  It stays
 * the same when a certificate is renewed with its key.  Pure; any thread. */
#ifndef BASE_KEY_PIN_H
#define BASE_KEY_PIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

#define KEY_PIN_BYTES  32
#define KEY_PIN_PREFIX "sha256/"
/* What is written: the prefix and 44 characters of Base64. */
#define KEY_PIN_TEXT (sizeof(KEY_PIN_PREFIX) - 1 + 44)

struct x509_st;

/* "sha256/BASE64", or 64 hexadecimal digits, with or without colons. False: it is neither. */
bool key_pin_parse(struct slice text, uint8_t out[KEY_PIN_BYTES]);
/* Append "sha256/BASE64". */
void key_pin_put(const uint8_t pin[KEY_PIN_BYTES], struct buf *out);
/* Of a certificate's key. False: it has none that can be written. */
bool key_pin_of(const struct x509_st *certificate, uint8_t out[KEY_PIN_BYTES]);

#endif
