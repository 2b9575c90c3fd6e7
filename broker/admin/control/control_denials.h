/* A row about a denial.  Thread: the worker's. */
#ifndef ADMIN_CONTROL_DENIALS_H
#define ADMIN_CONTROL_DENIALS_H

#include "admin/control/control_query.h"
#include "base/recent.h"

/* Append the line; false: `match` of the request is not in it, and nothing was appended. */
bool control_denials_put(struct control_query *q, struct buf *line,
                         const struct recent_entry *entry);

#endif
