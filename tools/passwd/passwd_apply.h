/* `broker-passwd FILE apply`: the users that standard input lists take the place of those in the
 * file, and a name that stays keeps its id. Errors are printed to stderr; functions return the exit
 * status, 0 for success. */
#ifndef PASSWD_PASSWD_APPLY_H
#define PASSWD_PASSWD_APPLY_H

#include <stdbool.h>
#include <stdint.h>

struct passwd_apply {
	const char *path;
	const char *method; /* of new hashes */
	uint32_t iterations;
	bool create;  /* the file, where it does not exist */
	bool scram;   /* verifiers for everybody whose password is given */
	bool dry_run; /* only say what would change */
};

int passwd_apply(const struct passwd_apply *apply);

#endif
