/* What survives a crash: is there a store, and how lasting are messages of a topic?  Thread: the
 * worker's. */
#ifndef DURABILITY_DURABILITY_H
#define DURABILITY_DURABILITY_H

#include "conf/conf.h"
#include "worker/worker.h"

/* Does anything survive at all? */
static inline bool durability_is_on(const struct worker *w)
{
	return w->is_durable;
}
/* How lasting messages of this topic are. */
enum conf_durability durability_of_topic(const struct worker *w, struct slice topic);

#endif
