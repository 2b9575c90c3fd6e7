/* Texts as YAML.  Inside conf/ only.  Thread: any. */
#ifndef CONF_VALUE_QUOTE_H
#define CONF_VALUE_QUOTE_H

#include "base/bytes.h"

/* Append as a quoted YAML scalar. */
void value_quote(const char *text, struct buf *out);

#endif
