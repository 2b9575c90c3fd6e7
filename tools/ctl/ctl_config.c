/* The words are looked for, with nothing but signs of YAML and comments between them. */
#include "ctl/ctl_config.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static bool is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

/* Past blanks, the ends of lines, comments, and these. */
static const char *skip(const char *at, const char *signs)
{
	for (;;) {
		if (*at == '#')
			at += strcspn(at, "\n");
		else if (is_one_of(*at, " \t\r\n") || is_one_of(*at, signs))
			at++;
		else
			return at;
	}
}

/* Past `word:`, perhaps in quotes; NULL: something else is here. */
static const char *take_key(const char *at, const char *word)
{
	size_t len = strlen(word);
	bool quoted = is_one_of(*at, "\"'");

	at += quoted;
	if (strncmp(at, word, len) != 0)
		return NULL;
	at += len;
	at += quoted && is_one_of(*at, "\"'");
	at += strspn(at, " \t");
	return *at == ':' ? at + 1 : NULL;
}

/* A scalar on the rest of the line. */
static char *value_of(const char *at)
{
	size_t len;

	at += strspn(at, " \t");
	if (is_one_of(*at, "\"'")) {
		const char *end = strchr(at + 1, *at);

		return end == NULL || end == at + 1 ? NULL
		                                    : xstrndup(at + 1, (size_t)(end - at - 1));
	}
	len = strcspn(at, ",}#\r\n");
	while (len > 0 && is_one_of(at[len - 1], " \t"))
		len--;
	return len == 0 ? NULL : xstrndup(at, len);
}

char *ctl_config_socket(struct slice text)
{
	char *whole = slice_dup(text), *found = NULL; /* a NUL ends it */

	for (const char *line = whole; found == NULL && line != NULL;) {
		const char *at = take_key(skip(line, "{,"), "control");

		if (at != NULL)
			at = take_key(skip(at, "{"), "socket");
		if (at != NULL)
			found = value_of(at);
		line = strchr(line, '\n');
		line = line == NULL ? NULL : line + 1;
	}
	free(whole);
	return found;
}
