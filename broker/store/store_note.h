/* A note of the last commit, beside the tables, written without waiting for the disk.  After a
 * crash of the process the note is exact; after a power cut it may be old, never new.  So tables
 * that are older than the note have lost something that was acknowledged.  Thread: as store.h says.
 */
#ifndef STORE_STORE_NOTE_H
#define STORE_STORE_NOTE_H

#include "store/store_lock.h"

struct store_note {
	uint64_t transaction, time_ms;
	bool written; /* something once was */
};

/* Zeros where there is none that can be read. */
void store_note_read(const struct store_lock *lock, struct store_note *out);
void store_note_peek(const char *directory, struct store_note *out); /* without the lock */
void store_note_write(const struct store_lock *lock, const struct store_note *note);

#endif
