/* Who may write a file besides its owner. */
#ifndef PROGRAM_TRUST_WRITERS_H
#define PROGRAM_TRUST_WRITERS_H

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
 * next call.  Thread: main. */
const struct trust_members *trust_writers_of_group(gid_t gid);
/* Ask the system again from now on.  Thread: main. */
void trust_writers_forget(void);

struct trust_writer {
	bool is_group;
	unsigned id;
};

/* The user or group of the entry at *index or later of the file's access control list that may
 * write; *index moves after it. False: there is none.  Thread: any. */
bool trust_writers_next_listed(int fd, size_t *index, struct trust_writer *out);

#endif
