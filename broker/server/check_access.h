/* What of users, rules and listeners does not fit together: nobody can log in, or whoever does may
 * do nothing.  Warnings only.  Thread: main's. */
#ifndef SERVER_CHECK_ACCESS_H
#define SERVER_CHECK_ACCESS_H

#include "worker/config_snapshot.h"

/* Of `next` users and ACL are there; `errors` gets warnings. */
void check_access(const struct config_snapshot *next, struct errors *errors);

#endif
