/* Where a chain goes on: an audit file is opened, and its last line read.  Thread: main. */
#ifndef AUDIT_AUDIT_RESUME_H
#define AUDIT_AUDIT_RESUME_H

#include "audit/audit_chain.h"

struct audit_resumed {
	int fd; /* the caller closes it; it is locked against other brokers */
	uint64_t size;
	struct audit_head head; /* zeros: the file is empty */
	/* Of a line that was half written when the broker or its machine died; they are removed. */
	uint64_t torn_bytes;
};

/* 0 or -errno with the cause and the cure in *why. */
int audit_resume(const char *path, struct audit_resumed *out, struct buf *why);

#endif
