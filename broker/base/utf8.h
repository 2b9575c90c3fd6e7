/* UTF-8 as MQTT requires it: well formed, no surrogates, no U+0000.  [MQTT5-1.5.4-1, -2]
 * [MQTT3-1.5.3-1, -2]  Any thread. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>

#include "base/bytes.h"

/* Well-formed UTF-8 without U+0000. Control characters and non-characters are permitted (the
 * standard says SHOULD NOT). */
bool utf8_valid(struct slice s);
/* Decode one code point at the start of s: its length in bytes 1..4, or 0 where it is not well
 * formed. */
size_t utf8_decode(struct slice s, uint32_t *code_point);
/* U+0001..U+001F, U+007F..U+009F: what must not be in names and is escaped in logs. */
bool utf8_is_control(uint32_t code_point);
/* U+FDD0..U+FDEF, and the last two of each plane: the same. */
bool utf8_is_noncharacter(uint32_t code_point);
/* What must not be printed as it is: the above, U+0000, and what ends a line or turns its
 * direction.
 */
bool utf8_is_unsafe(uint32_t code_point);
/* utf8_valid, and neither control characters nor noncharacters. */
bool utf8_is_name(struct slice s);
/* Append `s` as it may be shown: control characters, direction marks and what is no UTF-8 escaped.
 */
void utf8_put_printable(struct buf *out, struct slice s);

#endif
