/* Commands that only read. Each returns the exit status, and has said what went wrong. */
#ifndef PASSWD_PASSWD_SHOW_H
#define PASSWD_PASSWD_SHOW_H

#include "passwd/passwd_command.h"

int passwd_show_verify(const struct passwd_options *o);
int passwd_show_list(const struct passwd_options *o);

#endif
