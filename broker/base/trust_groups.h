/* Who is in a group.  Thread: main. */
#ifndef BASE_TRUST_GROUPS_H
#define BASE_TRUST_GROUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define TRUST_MEMBERS_MAX 16

struct trust_members {
	uid_t uids[TRUST_MEMBERS_MAX];
	size_t count;
	bool is_known; /* false: there are more, or it is no user's own group */
};

/* Those who have this as their own group, and the members that the group lists. Valid until the
 * next call. */
const struct trust_members *trust_groups_members(gid_t gid);
/* Ask the system again from now on. */
void trust_groups_forget(void);

#endif
