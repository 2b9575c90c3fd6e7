/* The files whose change starts a reload: certificates, keys, CA, CRL, users, ACL.  stat(2) looks
 * at them once a second, which sees renames and swapped symbolic links alike, on every file system.
 * Thread: main's. */
#ifndef SERVER_FILE_WATCH_H
#define SERVER_FILE_WATCH_H

#include <sys/stat.h>

#include "worker/config_snapshot.h"

struct watched {
	char *path;
	struct timespec mtime;
	off_t size;
	ino_t inode;
	dev_t device;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	bool there;
};

/* Zero-initialised. */
struct file_watch {
	struct watched *loaded; /* as they were when they were read */
	struct watched *seen;   /* as they were at the last look */
	size_t count;
};

/* Watch the files of this snapshot; files that were watched before count as they were at the last
 * look. */
void file_watch_take(struct file_watch *w, const struct config_snapshot *p);
void file_watch_fini(struct file_watch *w);
/* A file differs from what was loaded, and none has changed since the last look. */
bool file_watch_changed_and_settled(struct file_watch *w);
void file_watch_look(struct file_watch *w);
bool file_watch_has_changed(const struct file_watch *w, const char *path);
/* What is there now was read and refused: wait for the next change. */
void file_watch_forget(struct file_watch *w);
/* No changed file is missing, empty, or without its last newline. */
bool file_watch_is_sound(const struct file_watch *w, struct errors *errors);

#endif
