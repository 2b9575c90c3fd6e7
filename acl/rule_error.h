/* Where the words of a rule are, and mistakes in them.  Inside acl/ only.  Thread: main. */
#ifndef ACL_RULE_ERROR_H
#define ACL_RULE_ERROR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "conf/errors.h"
#include "conf/yaml.h"

struct rule_source {
	const char *file;
	const struct yaml_node *node;
	struct errors *errors;
	bool failed;
};

struct word {
	struct slice text; /* without its quotes */
	size_t offset;     /* in the line */
	bool quoted;
};

void rule_error(struct rule_source *source, size_t offset, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The rule is taken all the same. */
void rule_warn(const struct rule_source *source, size_t offset, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
