/* What is done with the keys of a section, whatever they are.  Inside conf/ only.  Thread: any; an
 * object belongs to its caller. */
#ifndef CONF_SCHEMA_SECTION_H
#define CONF_SCHEMA_SECTION_H

#include "conf/schema.h"

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
/* Free a text field, which is NULL afterwards. */
void schema_free_string(void *field);
/* Make a list of `count` zeroed items in place of the one that is there; the first of them. */
void *schema_list_new(const struct schema_key *key, const struct scope *scope, size_t count);
/* The items of a list and their number, for reading. */
const void *schema_list(const struct schema_key *key, const void *object, size_t *count);
/* One item of a list of listeners is a listener: the scope of its keys. */
struct scope schema_item(const struct schema_key *key, const struct scope *scope, size_t index);

#endif
