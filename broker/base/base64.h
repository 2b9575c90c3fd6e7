/* Base64 (RFC 4648 section 4): the plain alphabet, always padded, no line breaks. No
 * library: libcrypto's decoder ignores blanks and what stands after the end.  Pure; any thread. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stdbool.h>

#include "base/bytes.h"

void base64_encode(struct buf *out, struct slice bytes);
/* Append the bytes that `text` encodes. False, and nothing appended, for anything that
 * base64_encode would not have written: other characters, missing padding, stray bits after the
 * end. */
bool base64_decode(struct buf *out, struct slice text);

#endif
