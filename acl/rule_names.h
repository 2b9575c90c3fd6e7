/* What %u and %c stand for in the rules of a client.  Inside acl/ only.  Thread: any. */
#ifndef ACL_RULE_NAMES_H
#define ACL_RULE_NAMES_H

#include "acl/acl_types.h"
#include "acl/pattern.h"

struct rule_names {
	struct pattern_names in_filters;    /* without values that must not stand in a filter */
	struct pattern_names in_conditions; /* as they are */
};

/* Borrows from `who`. */
struct rule_names rule_names_of(const struct acl_who *who);

#endif
