/* A bar on standard error for work that takes longer than a second, where that is a terminal.
 * Thread: main; a thread of its own draws. */
#ifndef STORE_TOOL_PROGRESS_H
#define STORE_TOOL_PROGRESS_H

#include <stdbool.h>

/* Show the work on stores from now on.  `quiet`: not where standard output is the same terminal,
 * which gets the result meanwhile. */
void progress_show(bool quiet);

#endif
