/* The field of one key.  Inside conf/ only.  Thread: any. */
#ifndef CONF_SCHEMA_FIELD_H
#define CONF_SCHEMA_FIELD_H

#include "conf/schema.h"

struct value_input {
	const char *file; /* that holds it: paths are relative to its directory */
	const char *text;
	char *why; /* out: what is wrong, where the kind knows better than value_expected() */
};

/* Numbers in fields of one to eight bytes. */
void schema_store(const struct schema_key *key, void *field, uint64_t value);
uint64_t schema_load(const struct schema_key *key, const void *field);

#endif
