/* What is wrong with a file that is not YAML, in words: where, what it is, what to write.  libyaml
 * says what it expected; what was meant is found in the lines themselves.  Inside conf/ only.
 * Thread: any. */
#ifndef CONF_YAML_MISTAKE_H
#define CONF_YAML_MISTAKE_H

#include <stdbool.h>

#include "base/bytes.h"

/* Lines and columns from 0, columns in characters. */
struct yaml_mistake {
	const char *problem, *context; /* libyaml's words; NULL: none */
	size_t line, column;
	size_t context_line, context_column; /* where what is not complete began */
};

/* Append the words; line and column become the place to look at. */
void yaml_mistake_describe(struct yaml_mistake *m, struct slice bytes, struct buf *out);
/* What kind of file it is, if it is no text at all: "" of one that is. */
const char *yaml_mistake_no_text(struct slice bytes);

#endif
