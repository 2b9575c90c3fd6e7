/* A key of broker.yaml: everything about it is in its row of schema_table.c (limits: limits.def),
 * and reading, ranges, defaults, --dump and the manual follow from it.  Inside conf/ only. Thread:
 * any; the tables are constant. */
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
	SCHEMA_PATH,       /* resolved against the file's directory */
	SCHEMA_FILTER,     /* a topic filter, $share/... is none */
	SCHEMA_BIND,       /* into the whole struct conf_listener */
	SCHEMA_NETWORKS,   /* a list of networks, or one: a struct conf_peers */
	SCHEMA_SENDERS,    /* the same, also with uid:N */
	SCHEMA_PEER_USERS, /* a mapping of ids to users: a struct conf_peer_users */
	SCHEMA_FLAGS,      /* a list of `words`, or one of them: the sum of their bits */
	SCHEMA_STRINGS,    /* a list of single values, or one: a struct conf_strings */
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
	KEY_RESTART = 1 << 6,   /* only a start applies it */
	KEY_HTTPS = 1 << 7,     /* of a listener: protocol: https only */
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
	const char *default_text; /* as in the file; NULL: left out is off; of a list: "a, b" */
	const struct schema_word *words;
	size_t word_count;
	const char *items; /* of SCHEMA_STRINGS: what they are, in the plural */
	/* What is wrong with a SCHEMA_STRING, or with an item of SCHEMA_STRINGS; NULL: nothing. */
	const char *(*item_wrong)(const char *text);
	const struct schema_section *section; /* mapping, list */
	const char *hint;                     /* follows every error about the value */
	const char *help;                     /* a paragraph for the manual */
};

struct schema_section {
	const char *name;
	const struct schema_key *keys;
	size_t count;
	size_t size;          /* of the struct after it */
	bool has_place;       /* the struct keeps where it stood */
	size_t line_offset;   /* unsigned */
	size_t column_offset; /* unsigned */
	const char *help;
};

/* Where a section's values are kept. */
struct scope {
	void *object;                   /* the section's struct */
	struct conf *whole;             /* NULL inside a listener */
	struct conf_listener *listener; /* NULL outside of one */
};

#endif
