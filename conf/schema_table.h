/* The table of all keys.  Inside conf/ only.  Thread: any; constant. */
#ifndef CONF_SCHEMA_TABLE_H
#define CONF_SCHEMA_TABLE_H

#include "conf/schema.h"

extern const struct schema_section schema_root;
extern const struct schema_section schema_listener;
/* Every section, the root first: for the manual, and for keys that stand in the wrong place. */
extern const struct schema_section *const schema_sections[];
extern const size_t schema_section_count;

#endif
