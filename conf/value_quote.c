/* Every text has a form that YAML reads back as it was. */
#include "conf/value_quote.h"

#include "base/require.h"
#include "base/utf8.h"

/* What YAML can hold unescaped, less what it may take for a line break. */
static bool is_raw(uint32_t c)
{
	return (c >= 0x20 && c <= 0x7e) ||
	       (c >= 0xa0 && c <= 0xd7ff && c != 0x2028 && c != 0x2029) ||
	       (c >= 0xe000 && c <= 0xfffd && c != 0xfeff) || c >= 0x10000;
}

void value_quote(const char *text, struct buf *out)
{
	struct slice rest = slice_of_str(text);

	buf_put_u8(out, '"');
	while (rest.len > 0) {
		uint32_t c = 0;
		size_t n = utf8_decode(rest, &c);

		REQUIRE(n > 0);
		if (c == '"' || c == '\\')
			buf_put_u8(out, '\\');
		if (is_raw(c))
			buf_put(out, rest.data, n);
		else
			buf_printf(out, "\\u%04X", c);
		rest = slice_skip(rest, n);
	}
	buf_put_u8(out, '"');
}
