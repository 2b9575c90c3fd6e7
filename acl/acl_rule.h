/* What may be said of a rule to people.  Thread: any. */
#ifndef ACL_ACL_RULE_H
#define ACL_ACL_RULE_H

#include "acl/acl_types.h"

bool acl_rule_denies(const struct acl_rule *rule);
unsigned acl_rule_line(const struct acl_rule *rule);
/* "acl.yaml:12: deny publish desired/#". The caller frees. */
char *acl_rule_text(const struct acl *acl, const struct acl_rule *rule);
/* The rule with %u and %c as they are for `who`; NULL where it has no name in it, or one that has
 * no value in an allow rule's filter. The caller frees. */
char *acl_rule_filled(const struct acl_rule *rule, const struct acl_who *who);

#endif
