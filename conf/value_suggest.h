/* What was probably meant by a value that is refused.  Inside conf/ only.  Thread: any. */
#ifndef CONF_VALUE_SUGGEST_H
#define CONF_VALUE_SUGGEST_H

#include "conf/schema.h"

/* The value to write instead ("true" for "yes", "10M" for "10 MB"): one that the key takes. NULL:
 * nothing is near. The caller frees. */
char *value_suggest(const struct schema_key *key, const char *text);
/* As our names are written: small letters, and _ in the place of a hyphen. */
char value_plain_letter(char c);

#endif
