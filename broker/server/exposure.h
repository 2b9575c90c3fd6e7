/* What a configuration opens, in plain words, for `broker --check`.  Thread: main's. */
#ifndef SERVER_EXPOSURE_H
#define SERVER_EXPOSURE_H

#include "worker/config_snapshot.h"

/* Who can connect, a line for each listener; what is stored, and how much memory clients can take.
 * The caller frees. */
char *exposure_text(const struct config_snapshot *p);

#endif
