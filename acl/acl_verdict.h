/* A verdict in words, for logs and Reason Strings.  Thread: any. */
#ifndef ACL_ACL_VERDICT_H
#define ACL_ACL_VERDICT_H

#include "acl/acl_types.h"

/* "acl.yaml:12: deny publish desired/#", "no rule allows it", "guard: anonymous clients never
 * publish to desired/#". At most `cap` bytes, NUL-terminated; returns the length. */
size_t acl_verdict_text(const struct acl *acl, const struct acl_verdict *verdict, char *out,
                        size_t cap);
/* A small number that names the rule (or cause), to limit log lines per rule. */
uint32_t acl_verdict_id(const struct acl_verdict *verdict);
/* "publish", "subscribe", ... */
const char *acl_action_name(enum acl_action action);

#endif
