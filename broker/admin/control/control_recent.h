/* Rows of what is remembered (base/recent.h).  Thread: who has the query, and owns the list. */
#ifndef ADMIN_CONTROL_RECENT_H
#define ADMIN_CONTROL_RECENT_H

#include "admin/control/control_window.h"
#include "base/recent.h"

/* Append {"time":..., "first":..., "count":..., the members of the object} without its end, so that
 * more can be added before json_close. */
void control_recent_open(struct buf *out, const struct recent_entry *entry, struct slice object);
/* Its key in a window: the newest first. `source`: which list, below 64. */
#define RECENT_KEY_MAX 24
struct slice control_recent_key(const struct recent_entry *entry, unsigned source,
                                char out[RECENT_KEY_MAX]);

#endif
