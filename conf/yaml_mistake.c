/* A row for each kind of mistake, the surest first. */
#include "conf/yaml_mistake.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/text_input.h"

/* The line at hand and the one above it that is neither empty nor a comment, without their ends. */
struct mistake_lines {
	struct yaml_mistake *m;
	struct slice line, above;
	size_t above_at; /* its number */
	size_t indent, above_indent;
	struct slice bytes;
};

static struct slice line_of(struct slice bytes, size_t number)
{
	const uint8_t *end;
	struct slice line;

	for (; number > 0 && bytes.len > 0; number--) {
		end = memchr(bytes.data, '\n', bytes.len);
		bytes =
		    end == NULL ? SLICE_EMPTY : slice_skip(bytes, (size_t)(end - bytes.data) + 1);
	}
	end = bytes.len == 0 ? NULL : memchr(bytes.data, '\n', bytes.len);
	line = end == NULL ? bytes : slice_of(bytes.data, (size_t)(end - bytes.data));
	if (line.len > 0 && line.data[line.len - 1] == '\r')
		line.len--;
	return line;
}

static size_t indent_of(struct slice line)
{
	size_t n = 0;

	while (n < line.len && line.data[n] == ' ')
		n++;
	return n;
}

static struct slice trimmed(struct slice line)
{
	line = slice_skip(line, indent_of(line));
	while (line.len > 0 && line.data[line.len - 1] == ' ')
		line.len--;
	return line;
}

static bool is_empty(struct slice line)
{
	struct slice text = trimmed(line);

	return text.len == 0 || text.data[0] == '#';
}

static bool has(const char *text, const char *part)
{
	return text != NULL && strstr(text, part) != NULL;
}

/* The offset of a colon that ends a key: a blank or nothing follows. line.len: there is none. */
static size_t key_end(struct slice line)
{
	for (size_t i = 0; i < line.len; i++) {
		if (line.data[i] == ':' && (i + 1 == line.len || line.data[i + 1] == ' '))
			return i;
	}
	return line.len;
}

/* The text after "key: " and a dash. */
static struct slice value_of(struct slice line)
{
	struct slice text = trimmed(line);
	size_t end = key_end(text);

	if (end < text.len)
		return trimmed(slice_skip(text, end + 1));
	return slice_starts_with(text, SLICE("- ")) ? trimmed(slice_skip(text, 2)) : text;
}

static void put_slice(struct buf *out, struct slice s)
{
	buf_put(out, s.data, s.len > 60 ? 60 : s.len);
}

/* --- the kinds --- */

static bool put_special_value(struct mistake_lines *l, struct buf *out)
{
	struct slice value = value_of(l->line);

	if (value.len < 2 || strchr("[{*&!|>%@`", value.data[0]) == NULL)
		return false;
	if (value.data[0] == '[' && memmem(value.data, value.len, "]:", 2) != NULL)
		buf_printf(out, "an address in brackets must be in quotes: write \"");
	else if ((value.data[0] == '[' || value.data[0] == '{') &&
	         !has(l->m->problem, "expected node content"))
		return false;
	else
		buf_printf(out, "a value that begins with '%c' must be in quotes: write \"",
		           value.data[0]);
	put_slice(out, value);
	buf_printf(out, "\"");
	return true;
}

static bool put_unclosed_quote(struct mistake_lines *l, struct buf *out)
{
	if (!has(l->m->context, "quoted scalar") ||
	    !(has(l->m->problem, "end of stream") || has(l->m->problem, "document indicator")))
		return false;
	l->m->line = l->m->context_line;
	l->m->column = l->m->context_column;
	buf_printf(out,
	           "the quote that opens here is never closed: end the value with the same one");
	return true;
}

static bool put_escape(struct mistake_lines *l, struct buf *out)
{
	if (!has(l->m->context, "quoted scalar"))
		return false;
	buf_printf(out,
	           "in double quotes a backslash begins an escape (\\n, \\x41): put the value in "
	           "single quotes, or write two backslashes");
	return true;
}

static bool put_unclosed_list(struct mistake_lines *l, struct buf *out)
{
	bool list = has(l->m->context, "flow sequence"), map = has(l->m->context, "flow mapping");

	if (!list && !map)
		return false;
	buf_printf(out,
	           "the %s that opens with '%c' on line %zu is not closed here with '%c', or a "
	           "comma is missing between its entries",
	           list ? "list" : "mapping", list ? '[' : '{', l->m->context_line + 1,
	           list ? ']' : '}');
	return true;
}

static bool lacks_blank(struct slice line)
{
	struct slice text = trimmed(line);

	return key_end(text) == text.len && memchr(text.data, ':', text.len) != NULL &&
	       text.data[0] != '"' && text.data[0] != '\'';
}

/* "workers:1" */
static bool put_missing_blank(struct mistake_lines *l, struct buf *out)
{
	struct slice text = l->line;
	size_t at = l->m->line, colon;

	if (is_empty(text) || !lacks_blank(text)) {
		text = l->above;
		at = l->above_at;
	}
	if (is_empty(text) || !lacks_blank(text))
		return false;
	l->m->line = at;
	l->m->column = indent_of(text);
	text = trimmed(text);
	colon = (size_t)((const uint8_t *)memchr(text.data, ':', text.len) - text.data);
	buf_printf(out, "a blank is missing after the colon: write '");
	put_slice(out, slice_of(text.data, colon));
	buf_printf(out, ": ");
	put_slice(out, slice_skip(text, colon + 1));
	buf_printf(out, "'");
	return true;
}

/* "workers 1" */
static bool put_missing_colon(struct mistake_lines *l, struct buf *out)
{
	struct slice text = l->line;
	size_t at = l->m->line, blank;

	if (is_empty(text) || key_end(trimmed(text)) < trimmed(text).len ||
	    slice_starts_with(trimmed(text), SLICE("-"))) {
		text = l->above;
		at = l->above_at;
	}
	if (is_empty(text) || key_end(trimmed(text)) < trimmed(text).len ||
	    slice_starts_with(trimmed(text), SLICE("-")))
		return false;
	l->m->line = at;
	l->m->column = indent_of(text);
	text = trimmed(text);
	blank = 0;
	while (blank < text.len && text.data[blank] != ' ')
		blank++;
	buf_printf(out, "this line has no colon after its key: write '");
	put_slice(out, slice_of(text.data, blank));
	buf_printf(out, ":");
	put_slice(out, slice_skip(text, blank));
	buf_printf(out, "'");
	return true;
}

static bool put_dash(struct mistake_lines *l, struct buf *out)
{
	if (has(l->m->problem, "block sequence entries are not allowed")) {
		buf_printf(out,
		           "a list item ('- ') cannot begin in this line: put it on a line of its "
		           "own, below its key");
		return true;
	}
	if (has(l->m->problem, "expected '-' indicator")) {
		buf_printf(out,
		           "this line is in the column of the list's dashes and has none: begin a "
		           "new item with '- ', or indent the line as deep as the keys of the "
		           "item above");
		return true;
	}
	if (!slice_starts_with(trimmed(l->line), SLICE("- ")))
		return false;
	buf_printf(out, "a list item ('- ') stands among keys: remove the dash, or indent the line "
	                "below the key that has the list");
	return true;
}

static bool put_after_value(struct mistake_lines *l, struct buf *out)
{
	struct slice value = value_of(l->line);

	if (l->m->column <= l->indent || value.len == 0 || strchr("\"'[{]}", value.data[0]) == NULL)
		return false;
	buf_printf(out,
	           "something follows here after a value that is complete: remove it, or put the "
	           "whole value in quotes");
	return true;
}

static bool put_colon_in_value(struct mistake_lines *l, struct buf *out)
{
	struct slice text = trimmed(l->line), rest;
	size_t end = key_end(text);

	if (end == text.len)
		return false;
	rest = slice_skip(text, end + 1);
	if (key_end(rest) == rest.len || rest.len == 0 || l->m->column <= l->indent + end)
		return false;
	buf_printf(out, "a value with a colon and a blank in it must be in quotes: write ");
	put_slice(out, slice_of(text.data, end));
	buf_printf(out, ": \"");
	put_slice(out, trimmed(rest));
	buf_printf(out, "\"");
	return true;
}

static bool put_indentation(struct mistake_lines *l, struct buf *out)
{
	if (l->above.len == 0 || is_empty(l->line))
		return false;
	l->m->column = l->indent;
	buf_printf(out,
	           "this line is indented by %zu, which fits nothing above it (line %zu has %zu): "
	           "keys that belong together begin in one column, and what belongs to a key is "
	           "indented deeper than it",
	           l->indent, l->above_at + 1, l->above_indent);
	return true;
}

static const struct {
	const char *problem; /* a part of libyaml's words; NULL: whatever it says */
	bool (*put)(struct mistake_lines *l, struct buf *out);
} kinds[] = {
    {"alphabetic or numeric character", put_special_value},
    {"expected node content", put_special_value},
    {"cannot start any token", put_special_value},
    {NULL, put_unclosed_quote},
    {NULL, put_escape},
    {NULL, put_unclosed_list},
    {"block sequence entries", put_dash},
    {"'-' indicator", put_dash},
    {"could not find expected ':'", put_missing_blank},
    {"could not find expected ':'", put_missing_colon},
    {"mapping values are not allowed", put_colon_in_value},
    {"mapping values are not allowed", put_missing_blank},
    {"mapping values are not allowed", put_missing_colon},
    {"mapping values are not allowed", put_indentation},
    {"expected key", put_dash},
    {"expected key", put_special_value},
    {"expected key", put_after_value},
    {"expected key", put_missing_colon},
    {"expected key", put_indentation},
};

static struct mistake_lines lines_at(struct yaml_mistake *m, struct slice bytes)
{
	struct mistake_lines l = {.m = m, .bytes = bytes, .line = line_of(bytes, m->line)};
	size_t at = m->line;

	while (at > 0) {
		l.above = line_of(bytes, --at);
		l.above_at = at;
		if (!is_empty(l.above))
			break;
		l.above = SLICE_EMPTY;
	}
	l.indent = indent_of(l.line);
	l.above_indent = indent_of(l.above);
	return l;
}

void yaml_mistake_describe(struct yaml_mistake *m, struct slice bytes, struct buf *out)
{
	struct mistake_lines l = lines_at(m, bytes);

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if ((kinds[i].problem == NULL || has(m->problem, kinds[i].problem)) &&
		    kinds[i].put(&l, out))
			return;
	}
	buf_printf(out, "this is not YAML, which is lines of 'key: value' (%s%s%s)",
	           m->problem == NULL ? "no reason is known" : m->problem,
	           m->context == NULL ? "" : ", ", m->context == NULL ? "" : m->context);
}

const char *yaml_mistake_no_text(struct slice bytes)
{
	static const struct {
		struct slice start;
		const char *what;
	} rows[] = {
	    {SLICE_INIT("\x7f"
	                "ELF"),
	     "this is a program, not a text file: name another file"},
	    {SLICE_INIT("\x1f\x8b"), "this is a compressed file: unpack it first"},
	    {SLICE_INIT("PK\x03\x04"), "this is a compressed file: unpack it first"},
	    {SLICE_INIT("SQLite format 3"),
	     "this is a database, not a text file: name another file"},
	};

	const char *encoding = text_input_encoding(bytes);

	if (encoding != NULL)
		return encoding;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (slice_starts_with(bytes, rows[i].start))
			return rows[i].what;
	}
	return "";
}
