/* A file of LMDB as a disk, once somebody has looked that it is fine (store_verify.h): LMDB
 * believes whatever is in it. */
#ifndef STORE_STORE_LMDB_H
#define STORE_STORE_LMDB_H

#include "store/store_format.h"
#include "store/store_last_commit.h"

struct lmdb_options {
	const char *path; /* of the file; LMDB's own lock is beside it, in PATH-lock */
	uint64_t first_map, max_bytes;
	bool read_only; /* beside a broker that writes */
	/* Nobody else opens it: it needs no lock, in whose place others could have put something.
	 */
	bool is_alone;
	const struct store_formats *formats; /* NULL: those that this version knows */
};

/* Open the file, and make an empty one where there is none. The caller settles the format, which
 * makes the tables that it has not. */
int store_lmdb_open(const struct lmdb_options *options, char text[STORE_ERROR_TEXT],
                    struct store **out);
/* From now on each commit is noted there; the lock is dropped with the close. */
void store_lmdb_save_commits(struct store *store, struct store_lock *lock);
/* The state of one moment, without free pages, into this empty file; not flushed.  `at_rest`:
 * nobody writes to it, and LMDB leaves no file of its own beside it. */
int store_lmdb_copy(const char *path, bool at_rest, int to, char text[STORE_ERROR_TEXT]);

#endif
