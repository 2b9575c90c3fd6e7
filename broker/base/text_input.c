/* What editors and shells of different systems leave in a text. */
#include "base/text_input.h"

#include <stdbool.h>
#include <string.h>

#include "base/require.h"
#include "base/utf8.h"

struct slice text_input_start(struct slice text)
{
	/* mutant: byte_order_mark */
	if (slice_starts_with(text, SLICE("\xef\xbb\xbf")))
		return slice_skip(text, 3);
	return text;
}

/* Two letters of it, without a mark. */
static bool looks_like_utf16(struct slice text)
{
	return text.len >= 4 && (text.data[0] == '\0') != (text.data[1] == '\0') &&
	       (text.data[0] == '\0') == (text.data[2] == '\0') &&
	       (text.data[1] == '\0') == (text.data[3] == '\0');
}

const char *text_input_encoding(struct slice text)
{
	if (slice_starts_with(text, SLICE("\xff\xfe")) ||
	    slice_starts_with(text, SLICE("\xfe\xff")) || looks_like_utf16(text))
		return "it is UTF-16, as PowerShell and some editors write it: save it as UTF-8";
	return NULL;
}

struct slice text_input_line(struct slice line)
{
	if (line.len > 0 && line.data[line.len - 1] == '\n')
		line.len--;
	/* mutant: carriage_return */
	if (line.len > 0 && line.data[line.len - 1] == '\r')
		line.len--;
	return line;
}

static bool has_control(struct slice text)
{
	for (size_t at = 0; at < text.len;) {
		uint32_t c = 0;

		at += utf8_decode(slice_skip(text, at), &c);
		if (utf8_is_control(c) || c == 0xfeff)
			return true;
	}
	return false;
}

const char *text_input_only_line(struct slice *text, size_t max_bytes)
{
	const char *encoding = text_input_encoding(*text);

	REQUIRE(max_bytes > 0);
	if (encoding != NULL)
		return encoding;
	*text = text_input_line(text_input_start(*text));
	if (text->len == 0)
		return "it is empty";
	if (text->len > max_bytes)
		return "it is too long";
	if (memchr(text->data, '\n', text->len) != NULL)
		return "it has more than one line: give one line";
	if (memchr(text->data, '\0', text->len) != NULL)
		return "it has a NUL byte";
	if (!utf8_valid(*text))
		return "it is not UTF-8: save it as UTF-8 (from Latin-1: 'iconv -f latin1 -t "
		       "utf-8')";
	if (has_control(*text))
		return "it has a control character in it, perhaps of an editor or a terminal: "
		       "remove it";
	return NULL;
}
