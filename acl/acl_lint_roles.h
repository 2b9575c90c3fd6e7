/* Warnings about roles that users have together: the deny of one that another makes void.  Thread:
 * main. */
#ifndef ACL_ACL_LINT_ROLES_H
#define ACL_ACL_LINT_ROLES_H

#include "acl/acl_lint_users.h"

/* The first few are named, the rest is counted; of very long lists only a part is compared. */
void acl_lint_roles(const struct acl *acl, const struct acl_user_list *users,
                    struct errors *errors);

#endif
