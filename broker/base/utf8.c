/* UTF-8 well-formedness, after table 3-7 of the Unicode standard. Pure. */
#include "base/utf8.h"

/* Bytes of the sequence that `lead` begins, 0 where no sequence begins with it. */
static size_t sequence_len(uint8_t lead)
{
	if (lead < 0x80)
		return 1;
	if (lead >= 0xc2 && lead <= 0xdf)
		return 2;
	if ((lead & 0xf0) == 0xe0)
		return 3;
	if (lead >= 0xf0 && lead <= 0xf4)
		return 4;
	return 0;
}

static bool in_range(uint32_t cp, size_t len)
{
	if (len == 3)
		return cp >= 0x800 && (cp < 0xd800 || cp > 0xdfff);
	if (len == 4)
		return cp >= 0x10000 && cp <= 0x10ffff;
	return true;
}

size_t utf8_decode(struct slice s, uint32_t *code_point)
{
	static const uint8_t lead_bits[5] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	size_t len = s.len == 0 ? 0 : sequence_len(s.data[0]);
	uint32_t cp;

	if (len == 0 || len > s.len)
		return 0;
	cp = s.data[0] & lead_bits[len];
	for (size_t i = 1; i < len; i++) {
		if ((s.data[i] & 0xc0) != 0x80) /* not a tail byte */
			return 0;
		cp = (cp << 6) | (s.data[i] & 0x3f);
	}
	if (!in_range(cp, len))
		return 0;
	*code_point = cp;
	return len;
}

/* Eight bytes at a time while all are plain ASCII other than NUL. */
static size_t ascii_prefix(struct slice s)
{
	size_t i = 0;

	for (; i + 8 <= s.len; i += 8) {
		uint64_t word;

		memcpy(&word, s.data + i, 8);
		if ((word & 0x8080808080808080u) != 0 ||
		    ((word - 0x0101010101010101u) & ~word & 0x8080808080808080u) != 0)
			break;
	}
	return i;
}

bool utf8_valid(struct slice s)
{
	size_t i = ascii_prefix(s);

	while (i < s.len) {
		uint32_t cp;
		size_t len = utf8_decode(slice_skip(s, i), &cp);

		if (len == 0 || cp == 0)
			return false;
		i += len;
	}
	return true;
}

bool utf8_is_control(uint32_t code_point)
{
	return code_point < 0x20 || (code_point >= 0x7f && code_point <= 0x9f);
}

bool utf8_is_noncharacter(uint32_t code_point)
{
	return (code_point >= 0xfdd0 && code_point <= 0xfdef) || (code_point & 0xfffe) == 0xfffe;
}

bool utf8_is_unsafe(uint32_t cp)
{
	return cp == 0 || utf8_is_control(cp) || utf8_is_noncharacter(cp) || cp == 0x61c ||
	       cp == 0x200e || cp == 0x200f || (cp >= 0x2028 && cp <= 0x202e) ||
	       (cp >= 0x2066 && cp <= 0x2069) || cp == 0xfeff;
}

bool utf8_is_name(struct slice s)
{
	uint32_t cp;
	size_t len;

	for (size_t i = 0; i < s.len; i += len) {
		len = 1;
		if (s.data[i] >= 0x20 && s.data[i] < 0x7f)
			continue;
		len = utf8_decode(slice_skip(s, i), &cp);
		if (len == 0 || cp == 0 || utf8_is_control(cp) || utf8_is_noncharacter(cp))
			return false;
	}
	return true;
}

void utf8_put_printable(struct buf *out, struct slice s)
{
	uint32_t cp = 0;

	while (s.len > 0) {
		size_t len = utf8_decode(s, &cp);

		if (len == 0)
			buf_printf(out, "\\x%02x", (unsigned)s.data[0]);
		else if (utf8_is_unsafe(cp))
			buf_printf(out,
			           cp < 0x100    ? "\\x%02x"
			           : cp > 0xffff ? "\\U%08x"
			                         : "\\u%04x",
			           (unsigned)cp);
		else if (cp == '\\')
			buf_put_slice(out, SLICE("\\\\"));
		else
			buf_put(out, s.data, len);
		s = slice_skip(s, len == 0 ? 1 : len);
	}
}
