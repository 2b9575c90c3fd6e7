/* RFC 8259 for flat objects.  The parser walks once; what it decodes is never longer than what it
 * read, so one allocation holds it all. */
#include "base/json.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/require.h"
#include "base/utf8.h"

/* --- writing --- */

/* What is no UTF-8 becomes U+FFFD: JSON has no bytes. */
static void put_quoted(struct buf *out, struct slice s)
{
	uint32_t cp;

	buf_put_u8(out, '"');
	while (s.len > 0) {
		size_t len = utf8_decode(s, &cp);

		if (len == 0)
			buf_put_slice(out, SLICE("\xef\xbf\xbd"));
		else if (cp == '"' || cp == '\\')
			buf_printf(out, "\\%c", (char)cp);
		else if (cp == '\n')
			buf_put_slice(out, SLICE("\\n"));
		else if (cp == '\t')
			buf_put_slice(out, SLICE("\\t"));
		else if (cp > 0xffff && utf8_is_noncharacter(cp)) /* a pair of surrogates */
			buf_printf(out, "\\u%04x\\u%04x", (unsigned)(0xd7c0 + (cp >> 10)),
			           (unsigned)(0xdc00 | (cp & 0x3ff)));
		else if (utf8_is_unsafe(cp))
			buf_printf(out, "\\u%04x", (unsigned)cp);
		else
			buf_put(out, s.data, len);
		s = slice_skip(s, len == 0 ? 1 : len);
	}
	buf_put_u8(out, '"');
}

static void put_name(struct buf *out, const char *name)
{
	REQUIRE(out->len > 0); /* after json_open */
	if (out->data[out->len - 1] != '{')
		buf_put_u8(out, ',');
	put_quoted(out, slice_of_str(name));
	buf_put_u8(out, ':');
}

void json_open(struct buf *out)
{
	buf_put_u8(out, '{');
}

void json_text(struct buf *out, const char *name, struct slice value)
{
	put_name(out, name);
	put_quoted(out, value);
}

void json_str(struct buf *out, const char *name, const char *value)
{
	if (value != NULL) {
		json_text(out, name, slice_of_str(value));
		return;
	}
	put_name(out, name);
	buf_put_slice(out, SLICE("null"));
}

void json_number(struct buf *out, const char *name, uint64_t value)
{
	put_name(out, name);
	buf_printf(out, "%" PRIu64, value);
}

void json_bool(struct buf *out, const char *name, bool value)
{
	put_name(out, name);
	buf_put_slice(out, value ? SLICE("true") : SLICE("false"));
}

void json_close(struct buf *out)
{
	buf_put_slice(out, SLICE("}\n"));
}

void json_members(struct buf *out, struct slice object)
{
	REQUIRE(out->len > 0 && object.len >= 3 && object.data[0] == '{');
	if (object.len == 3)
		return;
	if (out->data[out->len - 1] != '{')
		buf_put_u8(out, ',');
	buf_put(out, object.data + 1, object.len - 3);
}

/* --- reading --- */

struct parser {
	struct slice rest;
	uint8_t *out; /* where decoded text goes next */
	bool bad;     /* sticky */
};

static int peek(const struct parser *p)
{
	return p->bad || p->rest.len == 0 ? -1 : p->rest.data[0];
}

static void skip_blanks(struct parser *p)
{
	while (peek(p) == ' ' || peek(p) == '\t')
		p->rest = slice_skip(p->rest, 1);
}

static bool accept(struct parser *p, struct slice word)
{
	if (p->bad || !slice_starts_with(p->rest, word))
		return false;
	p->rest = slice_skip(p->rest, word.len);
	return true;
}

static void expect(struct parser *p, struct slice word)
{
	skip_blanks(p);
	if (!accept(p, word))
		p->bad = true;
	skip_blanks(p);
}

static uint32_t read_hex4(struct parser *p)
{
	uint32_t value = 0;

	for (int i = 0; i < 4; i++) {
		int c = peek(p);
		int digit = c >= '0' && c <= '9'   ? c - '0'
		            : c >= 'a' && c <= 'f' ? c - 'a' + 10
		            : c >= 'A' && c <= 'F' ? c - 'A' + 10
		                                   : -1;

		if (digit < 0) {
			p->bad = true;
			return 0;
		}
		value = value << 4 | (uint32_t)digit;
		p->rest = slice_skip(p->rest, 1);
	}
	return value;
}

/* \uXXXX, and the second half of a pair. */
static uint32_t read_unicode(struct parser *p)
{
	uint32_t high = read_hex4(p), low;

	if (high < 0xd800 || high > 0xdfff)
		return high;
	if (high > 0xdbff || !accept(p, SLICE("\\u"))) {
		p->bad = true;
		return 0;
	}
	low = read_hex4(p);
	if (low < 0xdc00 || low > 0xdfff)
		p->bad = true;
	return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

static void put_utf8(struct parser *p, uint32_t cp)
{
	if (cp < 0x80) {
		*p->out++ = (uint8_t)cp;
		return;
	}
	if (cp < 0x800) {
		*p->out++ = (uint8_t)(0xc0 | cp >> 6);
	} else if (cp < 0x10000) {
		*p->out++ = (uint8_t)(0xe0 | cp >> 12);
		*p->out++ = (uint8_t)(0x80 | (cp >> 6 & 0x3f));
	} else {
		*p->out++ = (uint8_t)(0xf0 | cp >> 18);
		*p->out++ = (uint8_t)(0x80 | (cp >> 12 & 0x3f));
		*p->out++ = (uint8_t)(0x80 | (cp >> 6 & 0x3f));
	}
	*p->out++ = (uint8_t)(0x80 | (cp & 0x3f));
}

static void read_escape(struct parser *p)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at;
	uint32_t cp;
	int c;

	if (accept(p, SLICE("u"))) {
		cp = read_unicode(p);
		if (!p->bad)
			put_utf8(p, cp);
		return;
	}
	c = peek(p);
	at = c <= 0 ? NULL : strchr(from, c);
	if (at == NULL) {
		p->bad = true;
		return;
	}
	*p->out++ = (uint8_t)to[at - from];
	p->rest = slice_skip(p->rest, 1);
}

static void read_plain(struct parser *p)
{
	uint32_t cp;
	size_t len = utf8_decode(p->rest, &cp);

	if (len == 0 || cp < 0x20) {
		p->bad = true;
		return;
	}
	memcpy(p->out, p->rest.data, len);
	p->out += len;
	p->rest = slice_skip(p->rest, len);
}

static struct slice read_quoted(struct parser *p)
{
	const uint8_t *start = p->out;

	if (!accept(p, SLICE("\""))) {
		p->bad = true;
		return SLICE_EMPTY;
	}
	while (!p->bad && peek(p) != '"') {
		if (accept(p, SLICE("\\")))
			read_escape(p);
		else
			read_plain(p);
	}
	(void)accept(p, SLICE("\""));
	return slice_of(start, (size_t)(p->out - start));
}

static uint64_t read_number(struct parser *p)
{
	uint64_t value = 0;

	if (accept(p, SLICE("0")))
		return 0; /* a digit after it is no comma */
	while (peek(p) >= '0' && peek(p) <= '9') {
		uint64_t digit = (uint64_t)(peek(p) - '0');

		if (value > (UINT64_MAX - digit) / 10)
			p->bad = true;
		value = value * 10 + digit;
		p->rest = slice_skip(p->rest, 1);
	}
	return value;
}

static const struct json_member *find_member(const struct json_object *o, struct slice name)
{
	for (size_t i = 0; i < o->count; i++) {
		if (slice_equal(o->members[i].name, name))
			return &o->members[i];
	}
	return NULL;
}

static void read_member(struct parser *p, struct json_object *o)
{
	struct json_member m = {.kind = JSON_BOOL};
	int c;

	m.name = read_quoted(p);
	expect(p, SLICE(":"));
	c = peek(p);
	if (c == '"') {
		m.kind = JSON_TEXT;
		m.text = read_quoted(p);
	} else if (c >= '0' && c <= '9') {
		m.kind = JSON_NUMBER;
		m.number = read_number(p);
	} else if (accept(p, SLICE("true"))) {
		m.number = 1;
	} else if (accept(p, SLICE("null"))) {
		m.kind = JSON_NULL;
	} else if (!accept(p, SLICE("false"))) {
		p->bad = true;
	}
	skip_blanks(p);
	if (o->count == JSON_MEMBERS_MAX || find_member(o, m.name) != NULL)
		p->bad = true;
	if (!p->bad)
		o->members[o->count++] = m;
}

bool json_parse(struct slice line, struct json_object *out)
{
	struct parser p = {.rest = line};

	out->count = 0;
	out->bytes = xalloc(line.len + 1);
	p.out = out->bytes;
	expect(&p, SLICE("{"));
	if (peek(&p) != '}') {
		read_member(&p, out);
		while (accept(&p, SLICE(","))) {
			skip_blanks(&p);
			read_member(&p, out);
		}
	}
	expect(&p, SLICE("}"));
	if (p.rest.len > 0)
		p.bad = true;
	if (!p.bad)
		return true;
	json_fini(out);
	return false;
}

void json_fini(struct json_object *o)
{
	free(o->bytes);
	o->bytes = NULL;
	o->count = 0;
}

const struct json_member *json_find(const struct json_object *o, const char *name)
{
	return find_member(o, slice_of_str(name));
}

struct slice json_text_of(const struct json_object *o, const char *name)
{
	const struct json_member *m = json_find(o, name);

	return m != NULL && m->kind == JSON_TEXT ? m->text : SLICE_EMPTY;
}
