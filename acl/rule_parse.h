/* From a line of text to a rule.  Inside acl/ only.  Thread: main. */
#ifndef ACL_RULE_PARSE_H
#define ACL_RULE_PARSE_H

#include "acl/rule.h"
#include "conf/errors.h"
#include "conf/yaml.h"

/* Parse the line in `node`; false: every mistake in it is in `errors`. Fini in both cases. */
bool rule_parse(struct acl_rule *rule, const char *file, const struct yaml_node *node,
                struct errors *errors);
/* A rule of the guard: deny writing on this filter. */
bool rule_parse_guard(struct acl_rule *rule, const char *file, const struct yaml_node *node,
                      struct errors *errors);
void rule_fini(struct acl_rule *rule);

#endif
