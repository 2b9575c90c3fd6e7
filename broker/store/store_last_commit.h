/* The number and time of the last commit, in a file beside the tables, written without waiting for
 * the disk.  After a crash of the process it is exact; after a power cut it may be too old, never
 * too new.  So tables that are older than it have lost something that was acknowledged.  Thread: as
 * store.h says. */
#ifndef STORE_STORE_LAST_COMMIT_H
#define STORE_STORE_LAST_COMMIT_H

#include "store/store_lock.h"

struct store_last_commit {
	uint64_t transaction;
	struct store_time time;
	bool written; /* the file is not empty: there was a store */
};

/* Zeros where it cannot be read. */
void store_last_commit_read(const struct store_lock *lock, struct store_last_commit *out);
void store_last_commit_peek(const char *directory,
                            struct store_last_commit *out); /* without the lock */
void store_last_commit_write(const struct store_lock *lock,
                             const struct store_last_commit *last_commit);

#endif
