/* `broker-passwd FILE restore-ids`: users whose ids in the file are not those that the broker's
 * store knows get the former ones again.  Errors are printed to stderr; functions return the exit
 * status, 0 for success. */
#ifndef PASSWD_PASSWD_RESTORE_H
#define PASSWD_PASSWD_RESTORE_H

#include <stdbool.h>

struct passwd_restore {
	const char *path;
	const char *socket; /* of the running broker; NULL: it is stopped */
	const char *config; /* of the stopped one, which names its store */
	bool yes;           /* do not ask */
};

int passwd_restore(const struct passwd_restore *restore);

#endif
