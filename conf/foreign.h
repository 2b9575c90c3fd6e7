/* Settings of other brokers: what stands for them here.  Inside conf/ only.  Thread: any. */
#ifndef CONF_FOREIGN_H
#define CONF_FOREIGN_H

#include <stdbool.h>

#include "base/bytes.h"
#include "conf/errors.h"

struct foreign_name {
	const char *broker, *name, *ours;
};

/* A setting of another broker, by its name without regard to case; NULL: it is not known. */
const struct foreign_name *foreign_find(struct slice name);
/* Is the whole file one of another broker (lines of "name value", "name = value" or "name {")? Then
 * errors say so, with what stands for each of its lines. */
bool foreign_refuse(const char *file, struct slice bytes, struct errors *errors);

#endif
