/* Warnings about users and roles that do not fit together: what the rules say of users who do not
 * exist, and users whom the rules give nothing.  Thread: main. */
#ifndef ACL_ACL_LINT_USERS_H
#define ACL_ACL_LINT_USERS_H

#include "acl/acl_types.h"
#include "conf/errors.h"

/* One user of the identity source. */
struct acl_listed_user {
	const char *name;
	char *const *roles;
	size_t role_count;
	unsigned line; /* of the source's file */
};

struct acl_user_list {
	void *arg;
	const char *path; /* of the source's file */
	size_t count;
	void (*at)(void *arg, size_t index, struct acl_listed_user *out);
	bool (*has)(void *arg, const char *name);
	/* What to do about a user who does not exist. The caller frees. */
	char *(*why_missing)(void *arg, const char *name);
};

/* Of each kind the first few are named, the rest is counted. */
void acl_lint_users(const struct acl *acl, const struct acl_user_list *users,
                    struct errors *errors);

#endif
