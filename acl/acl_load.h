/* acl.yaml from a file to the compiled policy.  Thread: any; files are read on main. */
#ifndef ACL_ACL_LOAD_H
#define ACL_ACL_LOAD_H

#include "acl/acl_types.h"
#include "conf/conf.h"
#include "conf/errors.h"

/* Load and compile. `path` NULL: denies everything. A missing file is an error of its own kind: the
 * caller decides (errors gets it, and errno is ENOENT). An empty one denies everything. One that
 * is not to be trusted (program/trust.h) is an error. NULL when there are errors. */
struct acl *acl_load(const char *path, enum conf_partial_subscriptions partial,
                     struct errors *errors);
struct acl *acl_parse(const char *name, struct slice bytes, enum conf_partial_subscriptions partial,
                      struct errors *errors);
void acl_free(struct acl *acl);
size_t acl_rule_count(const struct acl *acl);
size_t acl_role_count(const struct acl *acl);
bool acl_has_role(const struct acl *acl, const char *role);
/* Is there a rule that may allow something to anonymous clients? */
bool acl_allows_anonymous(const struct acl *acl);

#endif
