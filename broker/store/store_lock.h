/* The store's directory: ours alone while the broker runs.  Thread: as store.h says. */
#ifndef STORE_STORE_LOCK_H
#define STORE_STORE_LOCK_H

#include "store/store_tables.h"

#define STORE_DATA_FILE        "data.mdb"
#define STORE_LAST_COMMIT_FILE "note"

struct store_lock {
	int fd, last_commit_fd; /* -1: none */
};

/* Make the directory where it is missing, check that it and its files may be trusted
 * (program/trust.h), and lock it. 0, or -errno with *text. */
int store_lock_take(const char *directory, struct store_lock *out, char text[STORE_ERROR_TEXT]);
void store_lock_drop(struct store_lock *lock);
/* What store_lock_take would refuse, without making or locking anything. */
int store_lock_check(const char *directory, char text[STORE_ERROR_TEXT]);

/* May the files of this store be trusted? Those that are missing may. */
int store_lock_check_files(const char *directory, char text[STORE_ERROR_TEXT]);

/* Prevent others from locking it while it is read.  The descriptor to close; -1: a broker runs
 * there
 * (*pid is its process, -1: not known), or there is nothing to lock (*pid 0). */
int store_lock_share(const char *directory, long *pid);
/* One of its files, to read; -1: there is none. */
int store_lock_open_file(const char *directory, const char *name);

/* Give a file that root made to the owner of the directory, the broker's user. */
void store_lock_give_away(int directory, int fd);

/* Flush the names of the files, and of the directory, to disk. 0 or -errno. */
int store_lock_sync(const char *directory, char text[STORE_ERROR_TEXT]);

#endif
