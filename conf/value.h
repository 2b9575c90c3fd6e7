/* The kinds of values: text to field, field to text, and what is expected in words.  Inside conf/
 * only.  Thread: any. */
#ifndef CONF_VALUE_H
#define CONF_VALUE_H

#include "base/bytes.h"
#include "conf/schema_field.h"

/* False: the text is not valid for the key, the field is as it was. The caller frees in->why. */
bool value_parse(const struct schema_key *key, struct value_input *in, void *field);
void value_default(const struct schema_key *key, void *field);
/* Append it as YAML; what is off is null. */
void value_format(const struct schema_key *key, const void *field, struct buf *out);
/* Append what is expected: "a whole number from 1 to 65535". */
void value_expected(const struct schema_key *key, struct buf *out);

#endif
