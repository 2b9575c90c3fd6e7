/* Without recursion: what is open stands in an array. */
#include "pubsub/json_text.h"

#include "base/require.h"
#include "base/utf8.h"

struct json_reader {
	struct slice s;
	char open[JSON_TEXT_DEPTH_MAX]; /* '{' or '[' */
	size_t depth;
};

static int peek(const struct json_reader *r)
{
	return r->s.len == 0 ? -1 : r->s.data[0];
}

static bool take_byte(struct json_reader *r, char c)
{
	if (peek(r) != c)
		return false;
	r->s = slice_skip(r->s, 1);
	return true;
}

static void skip_space(struct json_reader *r)
{
	while (take_byte(r, ' ') || take_byte(r, '\t') || take_byte(r, '\n') || take_byte(r, '\r'))
		;
}

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static bool take_digits(struct json_reader *r)
{
	bool some = false;

	for (; is_digit(peek(r)); some = true)
		r->s = slice_skip(r->s, 1);
	return some;
}

static bool take_number(struct json_reader *r)
{
	(void)take_byte(r, '-');
	if (!take_byte(r, '0') && !take_digits(r))
		return false;
	if (take_byte(r, '.') && !take_digits(r))
		return false;
	if (!take_byte(r, 'e') && !take_byte(r, 'E'))
		return true;
	if (!take_byte(r, '+'))
		(void)take_byte(r, '-');
	return take_digits(r);
}

static bool take_hex(struct json_reader *r)
{
	for (int i = 0; i < 4; i++) {
		int c = peek(r);

		if (!is_digit(c) && !(c >= 'a' && c <= 'f') && !(c >= 'A' && c <= 'F'))
			return false;
		r->s = slice_skip(r->s, 1);
	}
	return true;
}

/* After the backslash. */
static bool take_escape(struct json_reader *r)
{
	int c = peek(r);

	if (c <= 0 || strchr("\"\\/bfnrtu", c) == NULL)
		return false;
	r->s = slice_skip(r->s, 1);
	return c != 'u' || take_hex(r);
}

static bool take_string(struct json_reader *r)
{
	if (!take_byte(r, '"'))
		return false;
	while (!take_byte(r, '"')) {
		if (peek(r) < ' ')
			return false;
		if (take_byte(r, '\\')) {
			if (!take_escape(r))
				return false;
		} else {
			r->s = slice_skip(r->s, 1);
		}
	}
	return true;
}

static bool take_word(struct json_reader *r, struct slice word)
{
	if (r->s.len < word.len || !slice_equal(slice_of(r->s.data, word.len), word))
		return false;
	r->s = slice_skip(r->s, word.len);
	return true;
}

static bool take_scalar(struct json_reader *r)
{
	return take_string(r) || take_word(r, SLICE("true")) || take_word(r, SLICE("false")) ||
	       take_word(r, SLICE("null")) || take_number(r);
}

static bool take_name(struct json_reader *r)
{
	skip_space(r);
	if (!take_string(r))
		return false;
	skip_space(r);
	return take_byte(r, ':');
}

/* Whole values end here: close what they were the last of. *more: another one follows. */
static bool take_end(struct json_reader *r, bool *more)
{
	REQUIRE(r->depth <= JSON_TEXT_DEPTH_MAX);
	for (skip_space(r); r->depth > 0; skip_space(r)) {
		char open = r->open[r->depth - 1];

		*more = take_byte(r, ',');
		if (*more)
			return open == '[' || take_name(r);
		if (!take_byte(r, open == '{' ? '}' : ']'))
			return false;
		r->depth--;
	}
	*more = false;
	return true;
}

/* An opening bracket; *empty: and the closing one. */
static bool take_open(struct json_reader *r, bool *empty)
{
	char open = (char)peek(r);

	if (r->depth == JSON_TEXT_DEPTH_MAX || !take_byte(r, open))
		return false;
	skip_space(r);
	*empty = take_byte(r, open == '{' ? '}' : ']');
	if (*empty)
		return true;
	r->open[r->depth++] = open;
	return open == '[' || take_name(r);
}

bool json_text_valid(struct slice s)
{
	struct json_reader r = {.s = s};
	bool more = true;

	if (!utf8_valid(s))
		return false;
	while (more) {
		bool complete = true;

		skip_space(&r);
		if (peek(&r) == '{' || peek(&r) == '[') {
			if (!take_open(&r, &complete))
				return false;
		} else if (!take_scalar(&r)) {
			return false;
		}
		if (complete && !take_end(&r, &more))
			return false;
	}
	return r.s.len == 0;
}
