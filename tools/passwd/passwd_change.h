/* Commands that change one user. Each returns the exit status, and has said what went wrong. */
#ifndef PASSWD_PASSWD_CHANGE_H
#define PASSWD_PASSWD_CHANGE_H

#include "passwd/passwd_command.h"
#include "passwd/passwd_file.h"

int passwd_change_add(const struct passwd_options *o);
int passwd_change_set(const struct passwd_options *o);
int passwd_change_remove(const struct passwd_options *o);
int passwd_change_lock(const struct passwd_options *o);
int passwd_change_unlock(const struct passwd_options *o);
int passwd_change_grant(const struct passwd_options *o);
int passwd_change_revoke(const struct passwd_options *o);

/* For other commands, between lock and close: the user, one that can log in; 0, or the exit status.
 */
int passwd_change_require(const struct passwd_file *f, const struct passwd_options *o);
/* Write the entry in the place of the user's. */
int passwd_change_write(struct passwd_file *f, const struct password_entry *user);

#endif
