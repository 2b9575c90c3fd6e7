/* A descriptor that a loop watches.  The descriptor stays its owner's: a watch that is given up is
 * off the loop at once, and the descriptor can be watched by another loop without being duplicated.
 * Thread: the loop's. */
#ifndef NET_FD_WATCH_H
#define NET_FD_WATCH_H

#include <stdbool.h>

struct loop;
struct watch;

enum {
	WATCH_READ = 1,
	WATCH_WRITE = 2,
};

/* `failed`: the descriptor is in error and disarmed now; reading or writing tells which. */
typedef void watch_fn(void *owner, int events, bool failed);

/* Not armed yet. NULL with *error = -errno. */
struct watch *watch_new(struct loop *loop, int fd, watch_fn *fn, void *owner, int *error);
/* Level-triggered; no system call where it is so already. */
void watch_arm(struct watch *w, int events);
int watch_armed(const struct watch *w);
void watch_free(struct watch *w); /* may be NULL */

#endif
