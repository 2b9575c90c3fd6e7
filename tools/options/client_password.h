/* The password of a client: from a file, a command or the terminal.  Thread: main. */
#ifndef OPTIONS_CLIENT_PASSWORD_H
#define OPTIONS_CLIENT_PASSWORD_H

#include "options/client_options.h"

/* Fill o->password and o->key_password from what was given, or ask on a terminal. 0 or the exit
 * status after an error. */
int client_password_get(struct client_options *o);

#endif
