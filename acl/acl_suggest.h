/* The rule that would allow what was asked, as a line of acl.yaml.  Pure.  Thread: any. */
#ifndef ACL_ACL_SUGGEST_H
#define ACL_ACL_SUGGEST_H

#include "acl/acl.h"

/* "allow publish current/%u/lamp/on": levels that are the user's name become %u. NULL where no rule
 * can name the topic. The caller frees. */
char *acl_suggest_rule(const struct acl_request *request, const struct acl_who *who);
/* A text as a YAML scalar: as it is where that is safe (and `always` is not set), else in double
 * quotes. The caller frees. */
char *acl_suggest_yaml(const char *text, bool always);

#endif
