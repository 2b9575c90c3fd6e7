/* Three bytes, four characters.  Not in constant time: for salts and proofs on the wire, not for
 * keys. */
#include "base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct buf *out, struct slice bytes)
{
	while (bytes.len > 0) {
		size_t n = bytes.len < 3 ? bytes.len : 3;
		uint32_t group = (uint32_t)bytes.data[0] << 16;

		if (n > 1)
			group |= (uint32_t)bytes.data[1] << 8;
		if (n > 2)
			group |= bytes.data[2];
		for (size_t i = 0; i < 4; i++)
			buf_put_u8(out, i > n ? (uint8_t)'='
			                      : (uint8_t)alphabet[group >> (18 - 6 * i) & 63]);
		bytes = slice_skip(bytes, n);
	}
}

static int digit(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* Four characters, of which the last `padding` are '='. */
static bool decode_group(struct buf *out, const uint8_t *text, size_t padding)
{
	uint32_t group = 0;

	for (size_t i = 0; i < 4; i++) {
		int value = i < 4 - padding ? digit(text[i]) : 0;

		if (value < 0)
			return false;
		group = group << 6 | (uint32_t)value;
	}
	if ((group & ((1U << 8 * padding) - 1)) != 0)
		return false;
	for (size_t i = 0; i < 3 - padding; i++)
		buf_put_u8(out, (uint8_t)(group >> (16 - 8 * i)));
	return true;
}

bool base64_decode(struct buf *out, struct slice text)
{
	size_t before = out->len;

	if (text.len % 4 != 0)
		return false;
	for (size_t at = 0; at < text.len; at += 4) {
		const uint8_t *group = text.data + at;
		size_t padding = 0;

		if (at + 4 == text.len && group[3] == '=')
			padding = group[2] == '=' ? 2 : 1;
		if (!decode_group(out, group, padding)) {
			out->len = before;
			return false;
		}
	}
	return true;
}
