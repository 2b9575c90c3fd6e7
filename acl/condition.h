/* The conditions of a rule: retain=, qos<=, max=, own, payload=.  To add one: its values in
 * struct acl_rule, its row in condition.c.  Inside acl/ only.  Thread: any. */
#ifndef ACL_CONDITION_H
#define ACL_CONDITION_H

#include "acl/rule.h"
#include "acl/rule_error.h"

/* By its looks: the name of a condition that has no value, or a '=' in it. */
bool condition_looks_like(const struct word *word);
void condition_parse(struct acl_rule *rule, struct rule_source *source, const struct word *word);
void condition_clear(struct acl_rule *rule);

/* Do all conditions hold? Actions and filters are not looked at. */
bool condition_hold(const struct acl_rule *rule, const struct acl_request *request,
                    const struct pattern_names *names);
/* Why the first one that does not hold does not: "the QoS is 2". NULL: all hold. The caller
 * frees. */
char *condition_why_not(const struct acl_rule *rule, const struct acl_request *request,
                        const struct pattern_names *names);

#endif
