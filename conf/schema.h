/* The table of broker.yaml's keys and what is done with a row: finding, defaults, copying, freeing.
 * Everything about a key stands in its row: reading, ranges, defaults, --dump and the manual follow
 * from it.  Inside conf/ only.  Thread: any; the tables are constant. */
#ifndef CONF_SCHEMA_H
#define CONF_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"

enum schema_kind {
	SCHEMA_BOOL,
	SCHEMA_INTEGER,      /* or one of `words` */
	SCHEMA_SIZE,         /* bytes */
	SCHEMA_SECONDS,      /* a duration, kept in seconds */
	SCHEMA_MILLISECONDS, /* a duration, kept in milliseconds */
	SCHEMA_ENUM,         /* one of `words` */
	SCHEMA_MODE,         /* octal */
	SCHEMA_STRING,
	SCHEMA_PATH,   /* resolved against the file's directory */
	SCHEMA_FILTER, /* a topic filter, $share/... is none */
	SCHEMA_BIND,   /* into the whole struct conf_listener */
	SCHEMA_MAPPING,
	SCHEMA_LIST, /* of mappings */
	SCHEMA_KIND_COUNT
};

enum schema_flags {
	KEY_REQUIRED = 1 << 0,
	KEY_GLOBAL = 1 << 1,    /* never in a listener; its field is in struct conf itself */
	KEY_LAST = 1 << 2,      /* read when everything else of its mapping is known */
	KEY_UNIX = 1 << 3,      /* of a listener: unix sockets only */
	KEY_TCP = 1 << 4,       /* of a listener: TCP only */
	KEY_DIRECTORY = 1 << 5, /* the path of a directory */
};

struct schema_word {
	const char *name;
	uint64_t value;
};

struct schema_section;

struct schema_key {
	const char *name;
	enum schema_kind kind;
	unsigned flags;
	size_t offset, width;     /* the field; of a list: its pointer */
	size_t count_offset;      /* list: number of items, a size_t */
	size_t inherit_offset;    /* mapping of a listener: what it overrides, in struct conf */
	bool inherits;            /* inherit_offset is set */
	size_t given_offset;      /* in struct conf_listener, a bool: given there; 0: none */
	uint64_t min, max;        /* in the unit that is kept; of a list: number of items */
	const char *default_text; /* as in the file; NULL: left out is off */
	const struct schema_word *words;
	size_t word_count;
	const struct schema_section *section; /* mapping, list */
	const char *hint;                     /* follows every error about the value */
	const char *help;                     /* a paragraph for the manual */
};

struct schema_section {
	const char *name;
	const struct schema_key *keys;
	size_t count;
	size_t size;          /* of the struct behind it */
	bool has_place;       /* the struct keeps where it stood */
	size_t line_offset;   /* unsigned */
	size_t column_offset; /* unsigned */
	const char *help;
};

extern const struct schema_section schema_root;
extern const struct schema_section schema_listener;
/* Every section, the root first: for the manual, and for keys that stand in the wrong place. */
extern const struct schema_section *const schema_sections[];
extern const size_t schema_section_count;

/* Where a section's values are kept. */
struct scope {
	void *object;                   /* the section's struct */
	struct conf *whole;             /* NULL inside a listener */
	struct conf_listener *listener; /* NULL outside of one */
};

const struct schema_key *schema_find(const struct schema_section *section, const char *name);
/* The field of a key; NULL for a global key inside a listener. */
void *schema_field(const struct schema_key *key, const struct scope *scope);
/* The scope of a mapping key's own keys. */
struct scope schema_inner(const struct schema_key *key, const struct scope *scope);
/* Fill a zeroed object: defaults, and what a listener inherits from `global` (NULL at the root). */
void schema_defaults(const struct schema_section *section, struct scope scope,
                     const struct conf *global);
/* Free what the fields own; they are NULL and zero afterwards. */
void schema_clear(const struct schema_section *section, struct scope scope);
/* Make a list of `count` zeroed items in place of the one that is there; the first of them. */
void *schema_list_new(const struct schema_key *key, const struct scope *scope, size_t count);
/* The items of a list and their number, for reading. */
const void *schema_list(const struct schema_key *key, const void *object, size_t *count);
/* One item of a list of listeners is a listener: the scope of its keys. */
struct scope schema_item(const struct schema_key *key, const struct scope *scope, size_t index);

/* Numbers in fields of one to eight bytes. */
void schema_store(const struct schema_key *key, void *field, uint64_t value);
uint64_t schema_load(const struct schema_key *key, const void *field);

#endif
