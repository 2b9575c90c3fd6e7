/* The kinds of values, a row each.  Thread: any. */
#include "conf/value.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/require.h"
#include "base/utf8.h"
#include "conf/conf_file.h"
#include "conf/listen_address.h"
#include "conf/peer_list.h"
#include "conf/value_list.h"
#include "conf/value_quote.h"

#define STRING_MAX 256

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit sizes[] = {{"G", 1 << 30}, {"M", 1 << 20}, {"k", 1 << 10}, {"", 1}};
/* In milliseconds; a bare number has no unit and is no duration, except 0. */
static const struct unit durations[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1},
};

/* Decimal digits at the start, without a sign; no leading zero, which YAML 1.1 would take for
 * octal. NULL: none there, or too large. */
static const char *read_digits(const char *text, uint64_t *out)
{
	uint64_t value = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++) {
		if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
			return NULL;
	}
	if (p == text || (*text == '0' && p != text + 1))
		return NULL;
	*out = value;
	return p;
}

static bool read_with_unit(const char *text, const struct unit *units, size_t count, uint64_t *out)
{
	const char *unit = read_digits(text, out);

	if (unit == NULL)
		return false;
	for (size_t i = 0; i < count; i++)
		if (strcmp(unit, units[i].name) == 0)
			return !__builtin_mul_overflow(*out, units[i].factor, out);
	return *unit == '\0' && *out == 0;
}

/* The largest unit without a rest. */
static void put_with_unit(uint64_t value, const struct unit *units, size_t count, struct buf *out)
{
	size_t i = 0;

	while (i + 1 < count && value % units[i].factor != 0)
		i++;
	if (value == 0)
		buf_printf(out, "0");
	else
		buf_printf(out, "%" PRIu64 "%s", value / units[i].factor, units[i].name);
}

static bool store_in_range(const struct schema_key *key, uint64_t value, void *field)
{
	if (value < key->min || value > key->max)
		return false;
	schema_store(key, field, value);
	return true;
}

static bool parse_word(const struct schema_key *key, struct value_input *in, void *field)
{
	for (size_t i = 0; i < key->word_count; i++) {
		if (strcmp(in->text, key->words[i].name) == 0) {
			schema_store(key, field, key->words[i].value);
			return true;
		}
	}
	return false;
}

static bool format_word(const struct schema_key *key, const void *field, struct buf *out)
{
	uint64_t value = schema_load(key, field);

	for (size_t i = 0; i < key->word_count; i++) {
		if (value == key->words[i].value) {
			bool digit = key->words[i].name[0] >= '0' && key->words[i].name[0] <= '9';

			buf_printf(out, digit ? "\"%s\"" : "%s", key->words[i].name);
			return true;
		}
	}
	return false;
}

static void expect_words(const struct schema_key *key, struct buf *out)
{
	for (size_t i = 0; i < key->word_count; i++)
		buf_printf(out, "%s%s",
		           i == 0                     ? ""
		           : i + 1 == key->word_count ? " or "
		                                      : ", ",
		           key->words[i].name);
}

static void format_enum(const struct schema_key *key, const void *field, struct buf *out)
{
	REQUIRE(format_word(key, field, out));
}

static bool parse_bool(const struct schema_key *key, struct value_input *in, void *field)
{
	bool yes = strcmp(in->text, "true") == 0;

	if (!yes && strcmp(in->text, "false") != 0)
		return false;
	schema_store(key, field, yes ? 1 : 0);
	return true;
}

static void format_bool(const struct schema_key *key, const void *field, struct buf *out)
{
	buf_printf(out, "%s", schema_load(key, field) != 0 ? "true" : "false");
}

static void expect_bool(const struct schema_key *key, struct buf *out)
{
	(void)key;
	buf_printf(out, "true or false");
}

static bool parse_integer(const struct schema_key *key, struct value_input *in, void *field)
{
	uint64_t value;
	const char *rest = read_digits(in->text, &value);

	if (rest == NULL)
		return parse_word(key, in, field);
	return *rest == '\0' && store_in_range(key, value, field);
}

static void format_integer(const struct schema_key *key, const void *field, struct buf *out)
{
	if (!format_word(key, field, out))
		buf_printf(out, "%" PRIu64, schema_load(key, field));
}

static void expect_integer(const struct schema_key *key, struct buf *out)
{
	buf_printf(out, "a whole number from %" PRIu64 " to %" PRIu64, key->min, key->max);
	if (key->word_count > 0)
		buf_printf(out, ", or ");
	expect_words(key, out);
}

static bool parse_size(const struct schema_key *key, struct value_input *in, void *field)
{
	uint64_t value;

	if (!read_with_unit(in->text, sizes, ARRAY_LEN(sizes), &value))
		return parse_word(key, in, field);
	return store_in_range(key, value, field);
}

static void format_size(const struct schema_key *key, const void *field, struct buf *out)
{
	if (format_word(key, field, out))
		return;
	put_with_unit(schema_load(key, field), sizes, ARRAY_LEN(sizes), out);
}

static void expect_size(const struct schema_key *key, struct buf *out)
{
	buf_printf(out, "a size from ");
	put_with_unit(key->min, sizes, ARRAY_LEN(sizes), out);
	buf_printf(out, " to ");
	put_with_unit(key->max, sizes, ARRAY_LEN(sizes), out);
	buf_printf(out, " (bytes, or with the unit k, M or G)");
	if (key->word_count > 0)
		buf_printf(out, ", or ");
	expect_words(key, out);
}

static uint64_t unit_ms(const struct schema_key *key)
{
	return key->kind == SCHEMA_SECONDS ? 1000 : 1;
}

static bool parse_duration(const struct schema_key *key, struct value_input *in, void *field)
{
	uint64_t ms;

	if (!read_with_unit(in->text, durations, ARRAY_LEN(durations), &ms))
		return parse_word(key, in, field);
	return ms % unit_ms(key) == 0 && store_in_range(key, ms / unit_ms(key), field);
}

static void format_duration(const struct schema_key *key, const void *field, struct buf *out)
{
	if (format_word(key, field, out))
		return;
	put_with_unit(schema_load(key, field) * unit_ms(key), durations, ARRAY_LEN(durations), out);
}

static void expect_duration(const struct schema_key *key, struct buf *out)
{
	buf_printf(out, "a duration from ");
	put_with_unit(key->min * unit_ms(key), durations, ARRAY_LEN(durations), out);
	buf_printf(out, " to ");
	put_with_unit(key->max * unit_ms(key), durations, ARRAY_LEN(durations), out);
	buf_printf(out, " (with its unit: %ss, m, h or d)",
	           key->kind == SCHEMA_MILLISECONDS ? "ms, " : "");
	if (key->word_count > 0)
		buf_printf(out, ", or ");
	expect_words(key, out);
}

static bool parse_mode(const struct schema_key *key, struct value_input *in, void *field)
{
	size_t len = strlen(in->text);
	uint64_t value = 0;

	if (len < 3 || len > 4 || strspn(in->text, "01234567") != len)
		return false;
	for (const char *p = in->text; *p != '\0'; p++)
		value = value * 8 + (uint64_t)(*p - '0');
	return store_in_range(key, value, field);
}

static void format_mode(const struct schema_key *key, const void *field, struct buf *out)
{
	buf_printf(out, "\"%04o\"", (unsigned)schema_load(key, field));
}

static void expect_mode(const struct schema_key *key, struct buf *out)
{
	buf_printf(out, "an octal mode from %04o to %04o, like \"0660\"", (unsigned)key->min,
	           (unsigned)key->max);
}

static bool is_plain_text(const char *text)
{
	struct slice rest = slice_of_str(text);

	while (rest.len > 0) {
		uint32_t code_point = 0;
		size_t n = utf8_decode(rest, &code_point);

		if (n == 0 || utf8_is_control(code_point))
			return false;
		rest = slice_skip(rest, n);
	}
	return true;
}

static void set_string(void *field, char *text)
{
	char *old;

	memcpy(&old, field, sizeof(old));
	free(old);
	memcpy(field, &text, sizeof(text));
}

static bool is_item(const struct schema_key *key, struct value_input *in)
{
	const char *wrong;

	if (in->text[0] == '\0' || strlen(in->text) > STRING_MAX || !is_plain_text(in->text))
		return false;
	wrong = key->item_wrong == NULL ? NULL : key->item_wrong(in->text);
	if (wrong != NULL)
		in->why = xasprintf("'%.80s': %s", in->text, wrong);
	return wrong == NULL;
}

static bool parse_string(const struct schema_key *key, struct value_input *in, void *field)
{
	if (!is_item(key, in))
		return false;
	set_string(field, xstrdup(in->text));
	return true;
}

static bool parse_path(const struct schema_key *key, struct value_input *in, void *field)
{
	char *path;

	(void)key;
	if (in->text[0] == '\0' || !is_plain_text(in->text))
		return false;
	path = conf_resolve_path(in->file, in->text);
	if (strlen(path) >= PATH_MAX) {
		free(path);
		return false;
	}
	set_string(field, path);
	return true;
}

/* "+" and "#" alone in their level, "#" in the last one. */
static bool is_level(const char *level, size_t len, bool last)
{
	return memchr(level, '#', len) == NULL ? memchr(level, '+', len) == NULL || len == 1
	                                       : len == 1 && last;
}

static bool is_filter(const char *text)
{
	const char *level = text;

	for (const char *p = text;; p++) {
		if (*p != '/' && *p != '\0')
			continue;
		if (!is_level(level, (size_t)(p - level), *p == '\0'))
			return false;
		if (*p == '\0')
			return true;
		level = p + 1;
	}
}

static bool parse_filter(const struct schema_key *key, struct value_input *in, void *field)
{
	(void)key;
	if (in->text[0] == '\0' || strlen(in->text) > UINT16_MAX || !is_plain_text(in->text) ||
	    !is_filter(in->text))
		return false;
	if (strncmp(in->text, "$share/", 7) == 0) {
		in->why = xstrdup(
		    "a shared subscription is not a topic filter: write the part after its group");
		return false;
	}
	set_string(field, xstrdup(in->text));
	return true;
}

static void format_string(const struct schema_key *key, const void *field, struct buf *out)
{
	const char *text;

	(void)key;
	memcpy(&text, field, sizeof(text));
	if (text == NULL)
		buf_printf(out, "null");
	else
		value_quote(text, out);
}

static void expect_string(const struct schema_key *key, struct buf *out)
{
	(void)key;
	buf_printf(out, "text of at most %d bytes, without control characters", STRING_MAX);
}

static void expect_path(const struct schema_key *key, struct buf *out)
{
	buf_printf(out, "the path of a %s",
	           (key->flags & KEY_DIRECTORY) != 0 ? "directory" : "file");
}

static void expect_filter(const struct schema_key *key, struct buf *out)
{
	(void)key;
	buf_printf(out, "a topic filter, like \"home/+/state/#\"");
}

static bool parse_bind(const struct schema_key *key, struct value_input *in, void *field)
{
	(void)key;
	return in->text[0] != '\0' && is_plain_text(in->text) && listen_address_parse(in, field);
}

static void format_bind(const struct schema_key *key, const void *field, struct buf *out)
{
	const struct conf_listener *listener = field;

	(void)key;
	value_quote(listener->bind, out);
}

static void expect_bind(const struct schema_key *key, struct buf *out)
{
	(void)key;
	buf_printf(out, "an address with a port like \"[::]:8883\", or unix:/path");
}

static void expect_mapping(const struct schema_key *key, struct buf *out)
{
	(void)key;
	buf_printf(out, "a mapping (lines of 'key: value')");
}

static void expect_list(const struct schema_key *key, struct buf *out)
{
	buf_printf(out, "a list of %" PRIu64 " to %" PRIu64 " mappings (each begins with '- ')",
	           key->min, key->max);
}

/* --- lists: each item is parsed by itself --- */

static bool parse_flag(const struct schema_key *key, struct value_input *in, void *field)
{
	uint64_t before = schema_load(key, field);

	if (!parse_word(key, in, field))
		return false;
	schema_store(key, field, before | schema_load(key, field));
	return true;
}

static void format_flags(const struct schema_key *key, const void *field, struct buf *out)
{
	uint64_t value = schema_load(key, field);
	const char *separator = "[";

	if (value == 0) {
		buf_printf(out, "null");
		return;
	}
	for (size_t i = 0; i < key->word_count; i++) {
		if ((value & key->words[i].value) == 0)
			continue;
		buf_printf(out, "%s%s", separator, key->words[i].name);
		separator = ", ";
	}
	buf_put_u8(out, ']');
}

static void expect_flags(const struct schema_key *key, struct buf *out)
{
	buf_printf(out, "a list like [%s], of ", key->words[0].name);
	expect_words(key, out);
}

static bool parse_strings(const struct schema_key *key, struct value_input *in, void *field)
{
	if (!is_item(key, in))
		return false;
	value_list_add(field, in->text);
	return true;
}

static void format_strings(const struct schema_key *key, const void *field, struct buf *out)
{
	struct conf_strings list;

	(void)key;
	memcpy(&list, field, sizeof(list));
	if (list.count == 0)
		buf_printf(out, "null");
	for (size_t i = 0; i < list.count; i++) {
		buf_printf(out, i == 0 ? "[" : ", ");
		value_quote(list.items[i], out);
	}
	if (list.count > 0)
		buf_put_u8(out, ']');
}

static void expect_strings(const struct schema_key *key, struct buf *out)
{
	buf_printf(out, "a list of %" PRIu64 " to %" PRIu64 " %s", key->min, key->max, key->items);
}

struct value_type {
	bool (*parse)(const struct schema_key *key, struct value_input *in, void *field);
	void (*format)(const struct schema_key *key, const void *field, struct buf *out);
	void (*expected)(const struct schema_key *key, struct buf *out);
};

static const struct value_type types[] = {
    [SCHEMA_BOOL] = {parse_bool, format_bool, expect_bool},
    [SCHEMA_INTEGER] = {parse_integer, format_integer, expect_integer},
    [SCHEMA_SIZE] = {parse_size, format_size, expect_size},
    [SCHEMA_SECONDS] = {parse_duration, format_duration, expect_duration},
    [SCHEMA_MILLISECONDS] = {parse_duration, format_duration, expect_duration},
    [SCHEMA_ENUM] = {parse_word, format_enum, expect_words},
    [SCHEMA_MODE] = {parse_mode, format_mode, expect_mode},
    [SCHEMA_STRING] = {parse_string, format_string, expect_string},
    [SCHEMA_PATH] = {parse_path, format_string, expect_path},
    [SCHEMA_FILTER] = {parse_filter, format_string, expect_filter},
    [SCHEMA_BIND] = {parse_bind, format_bind, expect_bind},
    [SCHEMA_NETWORKS] = {peer_list_parse, peer_list_format, peer_list_expected},
    [SCHEMA_SENDERS] = {peer_list_parse, peer_list_format, peer_list_expected},
    [SCHEMA_PEER_USERS] = {peer_list_parse_user, peer_list_format, peer_list_expected},
    [SCHEMA_FLAGS] = {parse_flag, format_flags, expect_flags},
    [SCHEMA_STRINGS] = {parse_strings, format_strings, expect_strings},
    [SCHEMA_MAPPING] = {NULL, NULL, expect_mapping},
    [SCHEMA_LIST] = {NULL, NULL, expect_list},
};
_Static_assert(ARRAY_LEN(types) == SCHEMA_KIND_COUNT, "a row for each kind");

bool value_parse(const struct schema_key *key, struct value_input *in, void *field)
{
	REQUIRE(types[key->kind].parse != NULL);
	return types[key->kind].parse(key, in, field);
}

void value_default(const struct schema_key *key, void *field)
{
	struct value_input in = {.file = "", .text = key->default_text};
	char *text, *rest = NULL;

	if (key->kind != SCHEMA_STRINGS && key->kind != SCHEMA_FLAGS) {
		REQUIRE(value_parse(key, &in, field));
		return;
	}
	text = xstrdup(key->default_text);
	for (char *item = strtok_r(text, ", ", &rest); item != NULL;
	     item = strtok_r(NULL, ", ", &rest)) {
		in.text = item;
		REQUIRE(value_parse(key, &in, field));
	}
	free(text);
}

void value_format(const struct schema_key *key, const void *field, struct buf *out)
{
	REQUIRE(types[key->kind].format != NULL);
	types[key->kind].format(key, field, out);
}

void value_expected(const struct schema_key *key, struct buf *out)
{
	types[key->kind].expected(key, out);
}
