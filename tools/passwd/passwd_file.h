/* The password file as broker-passwd changes it: one line at a time, everything else stays as it
 * is. A new file is written beside the old one and renamed over it, under a lock.  Errors are
 * printed to stderr; functions return the exit status, 0 for success. */
#ifndef PASSWD_PASSWD_FILE_H
#define PASSWD_PASSWD_FILE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "auth/password_file.h"

struct passwd_file {
	const char *path;
	char *name; /* without its directory */
	int dir_fd; /* the directory, -1: not open */
	int fd;     /* the file; locked or not; -1: there is none */
	struct stat st;
	struct buf bytes;
	struct password_file *users;
};

/* Read and parse. Close in any case. */
int passwd_file_read(struct passwd_file *f, const char *path);
/* The same before a change: a symbolic link is refused, and with `create` a file that does not
 * exist is an empty one. */
int passwd_file_check(struct passwd_file *f, const char *path, bool create);
/* The same under the lock, which ends with the close; `create`: make it where it does not exist. */
int passwd_file_lock(struct passwd_file *f, const char *path, bool create);
/* Put `text` (a whole line, or nothing) in the place of that line, 0: at the end; check and write.
 */
int passwd_file_change(struct passwd_file *f, unsigned line, struct slice text);
/* Put these bytes in the place of the whole file; check and write. */
int passwd_file_replace(struct passwd_file *f, struct slice bytes);
/* The users of these bytes; NULL after errors, which name them `name`. */
struct password_file *passwd_file_parse(const char *name, struct slice bytes);
/* An id that none of these users has. */
uint64_t passwd_file_new_id(const struct password_file *users);
void passwd_file_close(struct passwd_file *f);

#endif
