/* What a new configuration snapshot changes: settings, users, roles, rules, listeners,
 * certificates.  Thread: main's. */
#ifndef SERVER_CONFIG_DIFF_H
#define SERVER_CONFIG_DIFF_H

#include "worker/config_snapshot.h"

/* "user changed", "anna", "locked": borrowed. */
typedef void config_diff_fn(void *arg, const char *what, const char *whose, const char *text);
void config_diff_each(const struct config_snapshot *before, const struct config_snapshot *after,
                      config_diff_fn *fn, void *arg);
/* To the log. How many changes there are. */
size_t config_diff_log(const struct config_snapshot *before, const struct config_snapshot *after);

#endif
