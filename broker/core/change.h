/* What a new policy says differently, told in the log: users, roles, rules, listeners,
 * certificates.  Thread: main's. */
#ifndef CORE_CHANGE_H
#define CORE_CHANGE_H

#include "core/policy.h"

void change_log(const struct config_snapshot *before, const struct config_snapshot *after);
bool change_users_equal(const struct users *a, const struct users *b);

#endif
