/* What the two C drivers share: a command on each line of stdin, an event on each line of stdout,
 * both as "word name=value name=value" with values percent-encoded. Numbers are decimal. A property
 * is a field "prop.N" (or "will.N" for those of the will), N the standard's identifier; a user
 * property's value is its name, a NUL and its value. Its neighbour is clients_5.py. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FIELDS_MAX = 64 };

struct text {
	char *data;
	int len;
};

struct field {
	const char *name;
	struct text value;
};

/* Valid until the next command_read. */
struct command {
	char *line;
	size_t room;
	const char *word;
	struct field fields[FIELDS_MAX];
	int count;
};

enum kind { KIND_U8, KIND_U16, KIND_U32, KIND_VARINT, KIND_TEXT, KIND_DATA, KIND_PAIR };

struct property {
	int id;
	enum kind kind;
	uint32_t number;
	struct text text;
	struct text with; /* of a pair */
};

/* One word and what does it. */
struct verb {
	const char *word;
	void (*run)(const struct command *c);
};

typedef void property_taker(const struct property *p, void *arg);

/* Read and run commands until stdin ends. An unknown word aborts: the test is wrong. */
void commands_run(const struct verb *verbs, size_t count);

/* NULL, or `fallback`, where the command has no such field. */
const struct text *command_find(const struct command *c, const char *name);
const char *command_text(const struct command *c, const char *name);
int command_number(const struct command *c, const char *name, int fallback);

/* Hand each field "<prefix>.N" to take, in order. */
void command_properties(const struct command *c, const char *prefix, property_taker *take,
                        void *arg);
enum kind property_kind(int id);

/* One event is one line, from whichever thread: stdout is locked from say_start to say_end. */
void say_start(const char *event);
void say_number(const char *name, long number);
void say_bytes(const char *name, const void *data, size_t len);
void say_property(const struct property *p);
void say_end(void);
