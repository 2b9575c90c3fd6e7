/* The chained audit file (audit_chain.h): events whose row says so, one line of JSON each. A thread
 * of its own writes and synchronizes them, so that nobody who logs waits for the disk. What does
 * not fit into its bounded memory, or onto a full disk, is lost; the chain itself says how much
 * was.  There is one of a process.  Thread: main, except where it says any. */
#ifndef AUDIT_AUDIT_LOG_H
#define AUDIT_AUDIT_LOG_H

#include <stdbool.h>

#include "audit/audit_chain.h"

/* What waits at most, besides what is being written. */
#define AUDIT_WAITING_MAX ((size_t)1048576)

struct audit_options {
	const char *path;
	const char *key_path; /* made where it does not exist */
};

/* Goes on with the chain of that file, from now on for each event. 0 or -errno with the cause and
 * the cure in *why. Before other threads log. */
int audit_log_start(const struct audit_options *options, struct buf *why);
/* After a rotation: the file of that name is the next one of the chain, from the next line on; it
 * must be empty, or not exist. Nothing where the file was not moved, or none is open. 0 or
 * -errno: the old one is written on. */
int audit_log_reopen(void);
/* What waits is written first, for a bounded time. After all other threads that log. */
void audit_log_stop(void);
/* The last line that is certainly on disk. False: there is no audit.  Thread: any. */
bool audit_log_head(struct audit_head *out);

#endif
