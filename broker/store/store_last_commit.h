/* A note of the last commit, beside the tables, written without waiting for the disk.  After a
 * crash of the process the note is exact; after a power cut it may be old, never new.  So tables
 * that are older than the note have lost something that was acknowledged.  Thread: as store.h says.
 */
#ifndef STORE_STORE_LAST_COMMIT_H
#define STORE_STORE_LAST_COMMIT_H

#include "store/store_lock.h"

struct store_last_commit {
	uint64_t transaction, time_ms;
	bool written; /* something once was */
};

/* Zeros where there is none that can be read. */
void store_last_commit_read(const struct store_lock *lock, struct store_last_commit *out);
void store_last_commit_peek(const char *directory,
                            struct store_last_commit *out); /* without the lock */
void store_last_commit_write(const struct store_lock *lock,
                             const struct store_last_commit *last_commit);

#endif
