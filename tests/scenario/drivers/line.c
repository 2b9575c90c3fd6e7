/* The line protocol of line.h. Commands are read on the main thread; events are said from any. */

#include "line.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t kinds[] = {
    [1] = KIND_U8,      [2] = KIND_U32,   [3] = KIND_TEXT,  [8] = KIND_TEXT, [9] = KIND_DATA,
    [11] = KIND_VARINT, [17] = KIND_U32,  [18] = KIND_TEXT, [19] = KIND_U16, [21] = KIND_TEXT,
    [22] = KIND_DATA,   [23] = KIND_U8,   [24] = KIND_U32,  [25] = KIND_U8,  [26] = KIND_TEXT,
    [28] = KIND_TEXT,   [31] = KIND_TEXT, [33] = KIND_U16,  [34] = KIND_U16, [35] = KIND_U16,
    [36] = KIND_U8,     [37] = KIND_U8,   [38] = KIND_PAIR, [39] = KIND_U32, [40] = KIND_U8,
    [41] = KIND_U8,     [42] = KIND_U8,
};

enum kind property_kind(int id)
{
	if (id < 0 || (size_t)id >= sizeof(kinds))
		abort();
	return (enum kind)kinds[id];
}

static int hex_value(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : toupper((unsigned char)c) - 'A' + 10;
}

/* Decode in place; the result ends with a NUL that is not counted. */
static struct text decode(char *s)
{
	char *out = s;

	for (char *in = s; *in != '\0'; in++) {
		if (*in == '%' && in[1] != '\0' && in[2] != '\0') {
			*out++ = (char)(hex_value(in[1]) << 4 | hex_value(in[2]));
			in += 2;
		} else {
			*out++ = *in;
		}
	}
	*out = '\0';
	return (struct text){.data = s, .len = (int)(out - s)};
}

static void add_field(struct command *c, char *word)
{
	char *equals = strchr(word, '=');

	if (equals == NULL || c->count == FIELDS_MAX)
		abort();
	*equals = '\0';
	c->fields[c->count++] = (struct field){.name = word, .value = decode(equals + 1)};
}

static bool command_read(struct command *c)
{
	ssize_t len = getline(&c->line, &c->room, stdin);
	char *rest = NULL;

	if (len <= 0)
		return false;
	c->line[strcspn(c->line, "\n")] = '\0';
	c->count = 0;
	c->word = strtok_r(c->line, " ", &rest);
	for (char *word; (word = strtok_r(NULL, " ", &rest)) != NULL;)
		add_field(c, word);
	return c->word != NULL;
}

static void run_one(const struct command *c, const struct verb *verbs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(verbs[i].word, c->word) == 0) {
			verbs[i].run(c);
			return;
		}
	}
	abort();
}

void commands_run(const struct verb *verbs, size_t count)
{
	struct command c = {0};

	say_start("started");
	say_end();
	while (command_read(&c))
		run_one(&c, verbs, count);
	free(c.line);
}

const struct text *command_find(const struct command *c, const char *name)
{
	for (int i = 0; i < c->count; i++) {
		if (strcmp(c->fields[i].name, name) == 0)
			return &c->fields[i].value;
	}
	return NULL;
}

const char *command_text(const struct command *c, const char *name)
{
	const struct text *found = command_find(c, name);

	return found != NULL ? found->data : NULL;
}

int command_number(const struct command *c, const char *name, int fallback)
{
	const char *found = command_text(c, name);

	return found != NULL ? (int)strtol(found, NULL, 10) : fallback;
}

static struct property property_of(int id, struct text value)
{
	struct property p = {.id = id, .kind = property_kind(id), .text = value};

	if (p.kind == KIND_PAIR) {
		p.text.len = (int)strlen(value.data);
		p.with.data = value.data + p.text.len + 1;
		p.with.len = value.len - p.text.len - 1;
	} else if (p.kind < KIND_TEXT) {
		p.number = (uint32_t)strtoul(value.data, NULL, 10);
	}
	return p;
}

void command_properties(const struct command *c, const char *prefix, property_taker *take,
                        void *arg)
{
	size_t len = strlen(prefix);

	for (int i = 0; i < c->count; i++) {
		const char *name = c->fields[i].name;
		if (strncmp(name, prefix, len) != 0 || name[len] != '.')
			continue;
		struct property p =
		    property_of((int)strtol(name + len + 1, NULL, 10), c->fields[i].value);
		take(&p, arg);
	}
}

void say_start(const char *event)
{
	flockfile(stdout);
	fputs(event, stdout);
}

void say_number(const char *name, long number)
{
	printf(" %s=%ld", name, number);
}

static void say_encoded(const void *data, size_t len)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < len; i++) {
		if (isalnum(bytes[i]))
			putchar(bytes[i]);
		else
			printf("%%%02X", bytes[i]);
	}
}

void say_bytes(const char *name, const void *data, size_t len)
{
	printf(" %s=", name);
	say_encoded(data, len);
}

void say_property(const struct property *p)
{
	printf(" prop.%d=", p->id);
	if (p->kind < KIND_TEXT) {
		printf("%lu", (unsigned long)p->number);
		return;
	}
	say_encoded(p->text.data, (size_t)p->text.len);
	if (p->kind == KIND_PAIR) {
		printf("%%00");
		say_encoded(p->with.data, (size_t)p->with.len);
	}
}

void say_end(void)
{
	putchar('\n');
	fflush(stdout);
	funlockfile(stdout);
}
