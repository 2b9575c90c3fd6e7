/* Bytes of a message as text. */
#include "pubsub/message_text.h"

#include <time.h>

#include "base/utf8.h"

#define TIME_TEXT 128

/* Line breaks and tabs stay: payloads have lines. */
void message_text_put_payload(struct buf *out, struct slice payload, bool escapes)
{
	size_t start = 0;

	for (size_t i = 0; escapes && i <= payload.len; i++) {
		if (i < payload.len && payload.data[i] != '\n' && payload.data[i] != '\t')
			continue;
		if (i > start)
			utf8_put_printable(out, slice_of(payload.data + start, i - start));
		if (i < payload.len)
			buf_put_u8(out, payload.data[i]);
		start = i + 1;
	}
	if (!escapes)
		buf_put_slice(out, payload);
}

void message_text_put(struct buf *out, struct slice text, bool escapes)
{
	if (escapes)
		utf8_put_printable(out, text);
	else
		buf_put_slice(out, text);
}

void message_text_put_hex(struct buf *out, struct slice bytes, bool upper)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";

	for (size_t i = 0; i < bytes.len; i++)
		buf_printf(out, "%c%c", digits[bytes.data[i] >> 4], digits[bytes.data[i] & 15]);
}

/* "2026-11-30T23:59:00+0100" */
void message_text_put_time(struct buf *out, int64_t now_ms)
{
	time_t seconds = (time_t)(now_ms / 1000);
	char text[TIME_TEXT];
	struct tm tm;

	if (localtime_r(&seconds, &tm) != NULL &&
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S%z", &tm) > 0)
		buf_printf(out, "%s", text);
}

/* UTF-8, also with U+0000: JSON has it as text. */
bool message_text_is_valid(struct slice s)
{
	uint32_t cp;

	while (s.len > 0) {
		size_t len = s.data[0] == 0 ? 1 : utf8_decode(s, &cp);

		if (len == 0)
			return false;
		s = slice_skip(s, len);
	}
	return true;
}
