/* A descriptor that a loop watches.  The descriptor belongs to the caller: after fd_watch_free the
 * loop has nothing of it, and another loop can watch it without a duplicate.
 * Thread: the loop's. */
#ifndef NET_FD_WATCH_H
#define NET_FD_WATCH_H

#include <stdbool.h>

struct loop;
struct fd_watch;

enum {
	FD_WATCH_READ = 1,
	FD_WATCH_WRITE = 2,
	/* Comes with FD_WATCH_READ where the peer sends no more: what is there to read is the rest.
	 */
	FD_WATCH_END = 4,
};

/* `failed`: the descriptor is in error and disarmed now; reading or writing tells which. */
typedef void fd_watch_fn(void *owner, int events, bool failed);

/* Not armed yet. NULL with *error = -errno. */
struct fd_watch *fd_watch_new(struct loop *loop, int fd, fd_watch_fn *fn, void *owner, int *error);
/* FD_WATCH_READ and FD_WATCH_WRITE. Level-triggered; no system call when nothing changes. */
void fd_watch_arm(struct fd_watch *w, int events);
int fd_watch_armed(const struct fd_watch *w);
void fd_watch_free(struct fd_watch *w); /* may be NULL */

#endif
