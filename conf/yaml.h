/* YAML as Vakt takes it: a tree of nodes with places.  Aliases, anchors, tags, duplicate keys and
 * several documents are refused; depth (16), nodes (100,000) and size (4 MiB) are bounded.  Scalars
 * stay text: the reader of a key knows what it needs. The only door to libyaml.  Thread: the
 * caller's. */
#ifndef CONF_YAML_H
#define CONF_YAML_H

#include "base/bytes.h"
#include "conf/errors.h"

#define YAML_SIZE_MAX ((size_t)4 << 20)

enum yaml_kind {
	YAML_SCALAR,
	YAML_SEQUENCE,
	YAML_MAPPING,
};

struct yaml_node {
	enum yaml_kind kind;
	unsigned line, column; /* from 1 */
	bool quoted;           /* scalar in quotes: never null or a number by accident */
	char *text;            /* scalar; NUL-terminated (a NUL inside is an error) */
	size_t count;          /* sequence and mapping: entries */
	struct yaml_entry *entries;
};

struct yaml_entry {
	struct yaml_node *key; /* NULL in a sequence */
	struct yaml_node *value;
};

/* Parse a file (`what`: "ACL file"), or bytes with a name for the messages. NULL: an empty
 * document, or errors (then e->error_count grew; errno is 0 where the file was read). The caller
 * frees. */
struct yaml_node *yaml_load_file(const char *path, const char *what, struct errors *e);
struct yaml_node *yaml_load(const char *name, struct slice bytes, struct errors *e);
/* The same, but a complete tree is returned in spite of errors (duplicate keys, of which the
 * first stays, anchors, tags), so that its reader can add its own; e->error_count says whether
 * there were any. */
struct yaml_node *yaml_load_anyway(const char *name, struct slice bytes, struct errors *e);
/* libyaml exports a function named yaml_free, which ours would replace inside the library. */
#define yaml_free yaml_node_free
void yaml_free(struct yaml_node *node);
/* The value of a key of a mapping, NULL where it is not there. */
struct yaml_node *yaml_get(const struct yaml_node *mapping, const char *key);
bool yaml_is_null(const struct yaml_node *node); /* empty, ~ or null, unquoted */

#endif
