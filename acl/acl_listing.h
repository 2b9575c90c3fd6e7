/* The rules as they stand in the file, for people: whose they are, and which roles a user gets.
 * Thread: any. */
#ifndef ACL_ACL_LISTING_H
#define ACL_ACL_LISTING_H

#include "acl/acl_types.h"

struct acl_listed {
	/* Whose rule it is: a role; or a user's own, or those of anonymous clients where both are
	 * NULL. */
	const char *role, *user;
	unsigned line;
	const char *rule; /* as it stands there; NULL: a role without rules */
};

/* Each rule: those of roles, of users, and of anonymous clients, in the order in which they decide.
 */
typedef void acl_listing_fn(void *arg, const struct acl_listed *row);
void acl_listing_visit(const struct acl *acl, acl_listing_fn *fn, void *arg);
/* Each role that the file gives to this user. */
typedef void acl_listing_role_fn(void *arg, const char *role);
void acl_listing_visit_roles(const struct acl *acl, struct slice user, acl_listing_role_fn *fn,
                             void *arg);

#endif
