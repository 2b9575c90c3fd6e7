/* What a start, a reload and `broker --check` require of a configuration as a whole.  Thread:
 * main's. */
#ifndef SERVER_CONFIG_CHECK_H
#define SERVER_CONFIG_CHECK_H

#include "worker/config_snapshot.h"

/* Run all checks; `before`: the snapshot in force, NULL at the start. Users, ACL or TLS contexts of
 * `next` are NULL where their files have errors. */
void config_check(const struct config_snapshot *next, const struct config_snapshot *before,
                  struct errors *errors);
/* Why log.audit cannot be opened, and what to do; `otherwise` where it is none of the causes that
 * are known. */
void config_check_explain_audit(const char *path, int failed, const char *otherwise,
                                struct errors *errors);

#endif
