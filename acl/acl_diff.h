/* What one policy says differently from another, for the log of a reload.  Thread: main. */
#ifndef ACL_ACL_DIFF_H
#define ACL_ACL_DIFF_H

#include "acl/acl_types.h"

/* `what`: "rule added", "rule removed", "rule moved down" (of a role, a user, anonymous,
 * desired_topics), "role added", "role removed", "role given", "role taken",
 * "partial_subscriptions". */
struct acl_diff_sink {
	void (*fn)(void *arg, const char *what, const char *whose, const char *text);
	void *arg;
};

void acl_diff(const struct acl *before, const struct acl *after, struct acl_diff_sink *sink);

#endif
