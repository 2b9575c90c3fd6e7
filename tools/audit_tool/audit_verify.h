/* Verification of audit files: the chain from the first line of the first file to the last line of
 * the last one.  Thread: main. */
#ifndef AUDIT_TOOL_AUDIT_VERIFY_H
#define AUDIT_TOOL_AUDIT_VERIFY_H

#include <stdbool.h>
#include <stdio.h>

#include "audit/audit_chain.h"

struct audit_verify {
	struct slice key;
	/* NULL: none is known. A head that was published: its line must be there. */
	const struct audit_head *wanted;
	bool found; /* it was */
	struct audit_head head;
	/* Before the first line of the first file: what came before is not verified. */
	uint64_t begins_after;
	uint64_t files, lines, lost, torn_bytes;
};

/* The next file, oldest first. False: tampering or no audit file; *why says where and what. */
bool audit_verify_file(struct audit_verify *v, FILE *file, const char *name, struct buf *why);
/* After the last file. False: a line that was published is missing. */
bool audit_verify_end(const struct audit_verify *v, struct buf *why);

#endif
