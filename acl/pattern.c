/* Names in rules: parsed once into parts, matched part by part.  The slow way round, with holes, is
 * only for deny rules whose %u or %c has no value.  Any thread. */
#include "acl/pattern.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/require.h"
#include "base/utf8.h"

static struct part *pattern_add(struct pattern *p, enum part_kind kind)
{
	array_extend(p->parts, p->count);
	p->parts[p->count] = (struct part){.kind = kind};
	return &p->parts[p->count++];
}

/* `at` lies in p->bytes and is the next byte written there: runs of text grow in place. */
static void pattern_add_byte(struct pattern *p, char *at, uint8_t byte)
{
	struct part *last = p->count == 0 ? NULL : &p->parts[p->count - 1];

	*at = (char)byte;
	if (last == NULL || last->kind != PART_TEXT) {
		last = pattern_add(p, PART_TEXT);
		last->text.data = (const uint8_t *)at;
	}
	last->text.len++;
}

size_t pattern_parse(struct pattern *p, struct slice raw)
{
	char *at;

	REQUIRE(p->count == 0 && p->bytes == NULL);
	at = p->bytes = xalloc(raw.len + 1);
	for (size_t i = 0; i < raw.len; i++) {
		uint8_t sign = raw.data[i] != '%' ? 0 : i + 1 < raw.len ? raw.data[i + 1] : ' ';

		if (sign == 0 || sign == '%')
			pattern_add_byte(p, at++, raw.data[i]);
		else if (sign == 'u')
			pattern_add(p, PART_USER);
		else if (sign == 'c')
			pattern_add(p, PART_CLIENT);
		else
			return i;
		i += sign != 0;
	}
	return raw.len;
}

void pattern_fini(struct pattern *p)
{
	free(p->parts);
	free(p->bytes);
	*p = (struct pattern){0};
}

bool pattern_is_text(const struct pattern *p, struct slice *text)
{
	*text = p->count == 0 ? SLICE("") : p->parts[0].text;
	return p->count == 0 || (p->count == 1 && p->parts[0].kind == PART_TEXT);
}

bool pattern_has_client(const struct pattern *p)
{
	for (size_t i = 0; i < p->count; i++) {
		if (p->parts[i].kind == PART_CLIENT)
			return true;
	}
	return false;
}

static bool part_value(const struct part *part, const struct pattern_names *names,
                       struct slice *value)
{
	*value = part->kind == PART_TEXT   ? part->text
	         : part->kind == PART_USER ? names->user
	                                   : names->client;
	return value->data != NULL;
}

bool pattern_is_known(const struct pattern *p, const struct pattern_names *names)
{
	struct slice value;

	for (size_t i = 0; i < p->count; i++) {
		if (!part_value(&p->parts[i], names, &value))
			return false;
	}
	return true;
}

bool pattern_is_hole(const struct pattern *p, const struct pattern_names *names)
{
	struct slice value;

	for (size_t i = 0; i < p->count; i++) {
		if (part_value(&p->parts[i], names, &value))
			return false;
	}
	return p->count > 0;
}

/* A run: the parts [first, end) between two holes. Its length, and where it ends. */
static size_t run_length(const struct pattern *p, size_t first, const struct pattern_names *names,
                         size_t *end)
{
	struct slice value;
	size_t len = 0;

	for (*end = first; *end < p->count && part_value(&p->parts[*end], names, &value); (*end)++)
		len += value.len;
	return len;
}

static bool run_starts(const struct pattern *p, size_t first, size_t end,
                       const struct pattern_names *names, struct slice bytes)
{
	for (size_t i = first; i < end; i++) {
		struct slice value;

		part_value(&p->parts[i], names, &value);
		if (!slice_starts_with(bytes, value))
			return false;
		bytes = slice_skip(bytes, value.len);
	}
	return true;
}

/* The parts after the hole at `hole`: each run at its leftmost place, the last one at the end. */
static bool matches_behind(const struct pattern *p, size_t hole, const struct pattern_names *names,
                           struct slice bytes, bool open)
{
	for (;;) {
		size_t first = hole + 1;
		size_t len = run_length(p, first, names, &hole);

		if (bytes.len < len)
			return false;
		if (hole == p->count && !open)
			return run_starts(p, first, hole, names,
			                  slice_skip(bytes, bytes.len - len));
		while (!run_starts(p, first, hole, names, bytes)) {
			if (bytes.len <= len)
				return false;
			bytes = slice_skip(bytes, 1);
		}
		if (hole == p->count)
			return true;
		bytes = slice_skip(bytes, len);
	}
}

bool pattern_matches_parts(const struct pattern *p, const struct pattern_names *names,
                           struct slice bytes, unsigned flags)
{
	for (size_t i = 0; i < p->count; i++) {
		struct slice value;

		if (!part_value(&p->parts[i], names, &value)) {
			if ((flags & PATTERN_HOLES) == 0 ||
			    ((flags & PATTERN_FIRST) != 0 && i == 0 && bytes.len > 0 &&
			     bytes.data[0] == '$'))
				return false;
			return matches_behind(p, i, names, bytes, (flags & PATTERN_OPEN) != 0);
		}
		if (!slice_starts_with(bytes, value))
			return false;
		bytes = slice_skip(bytes, value.len);
	}
	return bytes.len == 0 || (flags & PATTERN_OPEN) != 0;
}

bool pattern_name_is_clean(struct slice name)
{
	if (name.len == 0 || name.data[0] == '$')
		return false;
	while (name.len > 0) {
		uint32_t code_point;
		size_t n = utf8_decode(name, &code_point);

		if (n == 0 || code_point == 0 || utf8_is_control(code_point) || code_point == '/' ||
		    code_point == '+' || code_point == '#')
			return false;
		name = slice_skip(name, n);
	}
	return true;
}
