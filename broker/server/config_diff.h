/* Logs what a new configuration snapshot changes: settings, users, roles, rules, listeners,
 * certificates.  Thread: main's. */
#ifndef SERVER_CONFIG_DIFF_H
#define SERVER_CONFIG_DIFF_H

#include "worker/config_snapshot.h"

/* How many changes there are. */
size_t config_diff_log(const struct config_snapshot *before, const struct config_snapshot *after);

#endif
