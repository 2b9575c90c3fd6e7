/* Which keys the certificates of a user must have. Each returns the exit status, and has said what
 * went wrong. */
#ifndef PASSWD_PASSWD_PIN_H
#define PASSWD_PASSWD_PIN_H

#include "passwd/passwd_command.h"

int passwd_pin_add(const struct passwd_options *o);
int passwd_pin_remove(const struct passwd_options *o);

#endif
