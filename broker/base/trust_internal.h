/* Between the files of base/trust*.c: whose word counts, and what is said of a file that is not
 * believed.  Thread: main. */
#ifndef BASE_TRUST_INTERNAL_H
#define BASE_TRUST_INTERNAL_H

#include <sys/stat.h>

#include "base/trust.h"

/* --- who is in a group (trust_groups.c) --- */

#define TRUST_MEMBERS_MAX 16

struct trust_members {
	uid_t uids[TRUST_MEMBERS_MAX];
	size_t count;
	bool is_known; /* false: it has other members too, or nobody's own group it is */
};

/* Those who have this as their own group, and the members that the group lists. */
const struct trust_members *trust_members_of(gid_t gid);

/* --- access control lists (trust_groups.c) --- */

struct trust_writer {
	bool is_group;
	unsigned id;
};

/* The `index`th user or group that may write by an entry of its own in the access control list; -1:
 * there is no more. */
bool trust_next_writer(int fd, size_t *index, struct trust_writer *out);

/* --- what is said (trust_text.c) --- */

enum trust_fault {
	TRUST_FAULT_OWNER,
	TRUST_FAULT_LINK, /* its owner, in a directory where others may write */
	TRUST_FAULT_OTHERS_WRITE,
	TRUST_FAULT_OTHERS_READ,
	TRUST_FAULT_GROUP,
	TRUST_FAULT_LIST, /* an access control list */
};

struct trust_finding {
	enum trust_fault fault;
	char *path;     /* of what is wrong */
	bool is_itself; /* the file that was asked for, not something on the way to it */
	bool is_secret;
	struct stat st;
	struct trust_writer writer; /* of TRUST_FAULT_LIST */
};

void trust_describe(const struct trust_finding *f, struct buf *out);

#endif
