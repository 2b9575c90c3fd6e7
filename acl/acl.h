/* The policy: acl.yaml, compiled.  What a rule means and the order in which rules decide:
 * acl.yaml(5).  A compiled ACL is immutable; checks are pure, allocate nothing and never block.
 * This is what other folders include.  Thread: any. */
#ifndef ACL_ACL_H
#define ACL_ACL_H

#include "acl/acl_check.h"
#include "acl/acl_diff.h"
#include "acl/acl_lint_roles.h"
#include "acl/acl_lint_users.h"
#include "acl/acl_load.h"
#include "acl/acl_test.h"
#include "acl/acl_types.h"
#include "acl/acl_verdict.h"

#endif
