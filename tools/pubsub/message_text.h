/* Parts of a received message as text.  Pure, but for the time zone. */
#ifndef PUBSUB_MESSAGE_TEXT_H
#define PUBSUB_MESSAGE_TEXT_H

#include "base/bytes.h"

/* Append; with `escapes` what would do something to a terminal as "\x1b". Of a payload line breaks
 * and tabs stay. */
void message_text_put(struct buf *out, struct slice text, bool escapes);
void message_text_put_payload(struct buf *out, struct slice payload, bool escapes);
void message_text_put_hex(struct buf *out, struct slice bytes, bool upper);
/* "2026-11-30T23:59:00+0100" */
void message_text_put_time(struct buf *out, int64_t now_ms);
/* UTF-8, also with U+0000. */
bool message_text_is_valid(struct slice s);

#endif
