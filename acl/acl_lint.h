/* Warnings about rules that can never decide.  Inside acl/ only.  Thread: main. */
#ifndef ACL_ACL_LINT_H
#define ACL_ACL_LINT_H

#include "acl/acl_policy.h"
#include "conf/errors.h"

void acl_lint(const struct acl *acl, struct errors *errors);

#endif
