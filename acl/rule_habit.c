/* Tables of words and placeholders. */
#include "acl/rule_habit.h"

#include <string.h>
#include <strings.h>

#include "base/array.h"

static const struct {
	const char *word, *remedy;
} words[] = {
    {"pattern", "a rule may have %u (the user name) and %c (the client id) in it anywhere: write "
                "'allow publish devices/%u/#'"},
    {"topic", "write allow or deny, then publish, subscribe or all, then the topic filter"},
    {"user", "rules of a user are below users: and the user's name"},
    {"permit", "write allow"},
    {"grant", "write allow"},
    {"accept", "write allow"},
    {"forbid", "write deny"},
    {"reject", "write deny"},
    {"block", "write deny"},
    {"read", "write subscribe (which includes to receive)"},
    {"write", "write publish (which includes wills)"},
    {"readwrite", "write all"},
    {"rw", "write all"},
    {"pubsub", "write all"},
    {"both", "write all"},
    {"any", "write all"},
    {"*", "write all"},
    {"pub", "write publish"},
    {"sub", "write subscribe"},
};

const char *rule_habit_word(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcasecmp(word, words[i].word) == 0)
			return words[i].remedy;
	}
	return NULL;
}

#define USER   "%u for the user name"
#define CLIENT "%c for the client id"

/* The longest first, where one begins with another. */
static const struct {
	const char *text, *remedy;
} placeholders[] = {
    {"${username}", USER},    {"${user}", USER},       {"${clientid}", CLIENT},
    {"${client_id}", CLIENT}, {"${client}", CLIENT},   {"${", USER ", " CLIENT},
    {"%{username}", USER},    {"%{user}", USER},       {"%{clientid}", CLIENT},
    {"%{client_id}", CLIENT}, {"%{client}", CLIENT},   {"%username", USER},
    {"%user", USER},          {"%clientid", CLIENT},   {"%client_id", CLIENT},
    {"%client", CLIENT},      {"{username}", USER},    {"{user}", USER},
    {"{clientid}", CLIENT},   {"{client_id}", CLIENT}, {"{client}", CLIENT},
    {"$username", USER},      {"$user", USER},         {"$clientid", CLIENT},
    {"$client_id", CLIENT},   {"$client", CLIENT},     {"<username>", USER},
    {"<user>", USER},         {"<clientid>", CLIENT},  {"<client_id>", CLIENT},
};

/* Its row, -1: none begins here. */
static int find_placeholder(const char *at)
{
	for (size_t i = 0; i < ARRAY_LEN(placeholders); i++) {
		if (strncasecmp(at, placeholders[i].text, strlen(placeholders[i].text)) == 0)
			return (int)i;
	}
	return -1;
}

static const char *placeholder_remedy(const char *text)
{
	int row = find_placeholder(text);

	return row < 0 ? NULL : placeholders[row].remedy;
}

void rule_habit_warn(const struct rule_source *source)
{
	const char *line = source->node->text;

	for (const char *at = line; *at != '\0'; at++) {
		int row;

		/* mutant: foreign_placeholders */
		if (at > line && at[-1] == '%' && *at == '%')
			continue; /* a percent sign */
		row = find_placeholder(at);
		if (row < 0)
			continue;
		if (*at == '%')
			rule_warn(source, (size_t)(at - line),
			          "'%.*s' is %.2s, with the rest of the word after it: write %s",
			          (int)strlen(placeholders[row].text), at, at,
			          placeholders[row].remedy);
		else
			rule_warn(source, (size_t)(at - line),
			          "'%.*s' is taken as it is written, letter by letter: write %s",
			          (int)strlen(placeholders[row].text), at,
			          placeholders[row].remedy);
		at += strlen(placeholders[row].text) - 1;
	}
}

void rule_habit_percent(struct rule_source *source, size_t offset, struct slice text, size_t bad)
{
	const char *remedy = placeholder_remedy((const char *)text.data + bad);

	if (remedy != NULL) {
		rule_error(source, offset, "a placeholder of another broker: write %s", remedy);
		return;
	}
	rule_error(source, offset,
	           "unknown '%.*s': %%u is the user name, %%c the client id, %%%% a percent sign",
	           text.len - bad < 2 ? 1 : 2, (const char *)text.data + bad);
}
