/* Asking the broker over its control socket.  Thread: main. */
#ifndef CTL_CTL_ASK_H
#define CTL_CTL_ASK_H

#include "ctl/ctl_command.h"

/* Ask the broker one thing, and print its answer. `rows` (may be NULL): of its answer. Returns the
 * exit status. */
int ctl_ask(const struct ctl_options *o, const struct ctl_command *command, const char *path,
            size_t *rows);

#endif
