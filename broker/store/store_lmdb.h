/* The backend: tables in a file of LMDB.  LMDB may crash or return wrong data on a damaged file, so
 * the file is verified before it is opened (store_verify.h). */
#ifndef STORE_STORE_LMDB_H
#define STORE_STORE_LMDB_H

#include "store/store_format.h"
#include "store/store_last_commit.h"

struct lmdb_options {
	const char *path; /* of the file; LMDB's own lock is beside it, in PATH-lock */
	uint64_t first_map, max_bytes;
	bool read_only; /* beside a broker that writes */
	/* Nobody else opens it: LMDB makes no lock file, in whose place others could have put
	 * something. */
	bool is_alone;
	const struct store_formats *formats; /* NULL: those that this version knows */
};

/* Open the file, or make an empty one.  The caller settles the format (store_format_settle), which
 * makes the tables that are missing. */
int store_lmdb_open(const struct lmdb_options *options, char text[STORE_ERROR_TEXT],
                    struct store **out);
/* From now on each commit is saved beside the tables (store_last_commit.h).  The lock belongs to
 * the store. */
void store_lmdb_save_commits(struct store *store, struct store_lock *lock);
/* Copy the state of one moment, without free pages, into an empty file; not flushed.  `at_rest`:
 * nobody writes to it, and LMDB leaves no lock file beside it. */
int store_lmdb_copy(const char *path, bool at_rest, int to, char text[STORE_ERROR_TEXT]);

#endif
