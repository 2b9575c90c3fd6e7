/* The other way round from ctl_table_put_text. */
#include "ctl/ctl_argument.h"

#include <stdlib.h>
#include <string.h>

static size_t digits_after(char sign)
{
	return sign == 'x' ? 2 : sign == 'u' ? 4 : sign == 'U' ? 8 : 0;
}

/* UTF-8; false: it is no code point. */
static bool put_code_point(struct buf *out, uint32_t cp)
{
	if (cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		return false;
	if (cp < 0x80) {
		buf_put_u8(out, (uint8_t)cp);
	} else if (cp < 0x800) {
		buf_put_u8(out, (uint8_t)(0xc0 | cp >> 6));
	} else if (cp < 0x10000) {
		buf_put_u8(out, (uint8_t)(0xe0 | cp >> 12));
		buf_put_u8(out, (uint8_t)(0x80 | (cp >> 6 & 0x3f)));
	} else {
		buf_put_u8(out, (uint8_t)(0xf0 | cp >> 18));
		buf_put_u8(out, (uint8_t)(0x80 | (cp >> 12 & 0x3f)));
		buf_put_u8(out, (uint8_t)(0x80 | (cp >> 6 & 0x3f)));
	}
	if (cp >= 0x80)
		buf_put_u8(out, (uint8_t)(0x80 | (cp & 0x3f)));
	return true;
}

/* What follows a backslash; its length, 0: it means nothing. */
static size_t put_escape(struct buf *out, const char *at)
{
	size_t digits = digits_after(*at);
	char number[9] = "";

	if (*at == '\\') {
		buf_put_u8(out, '\\');
		return 1;
	}
	if (digits == 0 || strspn(at + 1, "0123456789abcdefABCDEF") < digits)
		return 0;
	memcpy(number, at + 1, digits);
	return put_code_point(out, (uint32_t)strtoul(number, NULL, 16)) ? 1 + digits : 0;
}

bool ctl_argument_unescape(const char *text, struct buf *out)
{
	while (*text != '\0') {
		size_t len = strcspn(text, "\\");

		buf_put(out, text, len);
		text += len;
		if (*text == '\0')
			return true;
		len = put_escape(out, text + 1);
		if (len == 0)
			return false;
		text += 1 + len;
	}
	return true;
}
