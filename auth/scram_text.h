/* The text of SCRAM messages (RFC 5802, section 7): attributes separated by ',', each a letter, '='
 * and a value.  Used by the server's side (scram.h) and the client's (scram_login.h).  Pure.
 * Thread: the caller's. */
#ifndef AUTH_SCRAM_TEXT_H
#define AUTH_SCRAM_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

#define SCRAM_NAME_MAX       256 /* bytes of a user name */
#define SCRAM_NONCE_MAX      256
#define SCRAM_ITERATIONS_MIN 4096 /* RFC 7677, section 4 */
#define SCRAM_ITERATIONS_MAX 10000000

/* What is before the next `stop`; *rest is what follows it, with NULL data after the last. */
struct slice scram_text_cut(struct slice s, char stop, struct slice *rest);
/* The value of an attribute; NULL data where it is another attribute or has no value. */
struct slice scram_text_value(struct slice attribute, char name);
bool scram_text_is_attribute(struct slice s);
/* Printable ASCII: a ',' has been cut off before. */
bool scram_text_is_nonce(struct slice s);
bool scram_text_has_controls(struct slice s);
/* Base64 of min to max bytes. Their number; 0: it is not that. */
size_t scram_text_base64(struct slice text, size_t min, size_t max, uint8_t *out);
/* A count without a sign and without leading zeros. 0: it is none, or below
 * SCRAM_ITERATIONS_MIN, or above SCRAM_ITERATIONS_MAX. */
uint32_t scram_text_iterations(struct slice text);

#endif
