/* Spellings of other files; what is suggested was parsed. */
#include "conf/value_suggest.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/nearest.h"
#include "conf/value.h"

#define WORDS_MAX 16

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

char value_plain_letter(char c)
{
	static const char capital[] = "-ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static const char plain[] = "_abcdefghijklmnopqrstuvwxyz";
	const char *at = c == '\0' ? NULL : strchr(capital, c);

	if (at == NULL)
		return c;
	return plain[at - capital];
}

static char *checked(const struct schema_key *key, char *suggestion)
{
	struct value_input in = {.file = "", .text = suggestion};
	uint64_t field = 0;
	bool fine =
	    suggestion != NULL && key->width <= sizeof(field) && value_parse(key, &in, &field);

	free(in.why);
	if (fine)
		return suggestion;
	free(suggestion);
	return NULL;
}

static char *suggest_bool(const char *text)
{
	static const char *const yes[] = {"yes", "on", "true", "1", "y"};
	static const char *const no[] = {"no", "off", "false", "0", "n"};

	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		if (strcasecmp(text, yes[i]) == 0)
			return xstrdup("true");
		if (strcasecmp(text, no[i]) == 0)
			return xstrdup("false");
	}
	return NULL;
}

static char *suggest_word(const struct schema_key *key, const char *text)
{
	const char *words[WORDS_MAX];
	char *lower = xstrdup(text);
	const char *near;
	size_t count = key->word_count < WORDS_MAX ? key->word_count : WORDS_MAX;

	for (char *p = lower; *p != '\0'; p++)
		*p = value_plain_letter(*p);
	for (size_t i = 0; i < count; i++)
		words[i] = key->words[i].name;
	near = nearest_word(lower, words, count);
	free(lower);
	return near == NULL ? NULL : xstrdup(near);
}

/* Digits, with separators of thousands. The rest begins at the first letter. */
static char *digits_of(const char *text, const char **rest)
{
	char *digits = xcalloc(1, strlen(text) + 1);
	size_t len = 0;

	for (; is_digit(*text) || (len > 0 && strchr("_,' ", *text) != NULL && *text != '\0');
	     text++) {
		if (is_digit(*text))
			digits[len++] = *text;
	}
	*rest = text;
	if (len > 0)
		return digits;
	free(digits);
	return NULL;
}

struct suggest_unit {
	const char *written, *ours;
};

static const struct suggest_unit size_units[] = {
    {"k", "k"}, {"kb", "k"}, {"kib", "k"}, {"m", "M"}, {"mb", "M"},  {"mib", "M"},
    {"g", "G"}, {"gb", "G"}, {"gib", "G"}, {"b", ""},  {"byte", ""}, {"bytes", ""},
};
static const struct suggest_unit time_units[] = {
    {"", "s"},        {"ms", "ms"}, {"sec", "s"}, {"secs", "s"}, {"second", "s"},
    {"seconds", "s"}, {"s", "s"},   {"min", "m"}, {"mins", "m"}, {"minute", "m"},
    {"minutes", "m"}, {"m", "m"},   {"h", "h"},   {"hr", "h"},   {"hour", "h"},
    {"hours", "h"},   {"d", "d"},   {"day", "d"}, {"days", "d"},
};

static char *with_unit(const char *text, const struct suggest_unit *units, size_t count)
{
	const char *rest;
	char *digits = digits_of(text, &rest), *out = NULL;

	for (size_t i = 0; digits != NULL && out == NULL && i < count; i++) {
		if (strcasecmp(rest, units[i].written) == 0)
			out = xasprintf("%s%s", digits, units[i].ours);
	}
	free(digits);
	return out;
}

static char *suggest_integer(const char *text)
{
	const char *rest;
	char *digits = digits_of(text, &rest), *out = NULL;

	if (digits != NULL && *rest == '\0')
		out = xstrdup(digits);
	else if (digits != NULL && strcasecmp(rest, "k") == 0)
		out = xasprintf("%s000", digits);
	free(digits);
	return out;
}

char *value_suggest(const struct schema_key *key, const char *text)
{
	char *near = NULL;

	if (text[0] == '\0')
		return NULL;
	if (key->kind == SCHEMA_BOOL)
		near = suggest_bool(text);
	else if (key->kind == SCHEMA_SIZE)
		near = with_unit(text, size_units, ARRAY_LEN(size_units));
	else if (key->kind == SCHEMA_SECONDS || key->kind == SCHEMA_MILLISECONDS)
		near = with_unit(text, time_units, ARRAY_LEN(time_units));
	else if (key->kind == SCHEMA_INTEGER)
		near = suggest_integer(text);
	if (near == NULL && key->word_count > 0)
		near = suggest_word(key, text);
	if (near != NULL && strcmp(near, text) == 0) {
		free(near);
		return NULL;
	}
	return checked(key, near);
}
