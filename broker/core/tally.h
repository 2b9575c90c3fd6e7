/* How many there are of each key: sessions of a user, connections of an address.  Few keys at a
 * time, one lock.  Thread: any. */
#ifndef CORE_TALLY_H
#define CORE_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/thread.h"

struct tally_entry;

struct tally {
	struct mutex lock;
	struct tally_entry *entries; /* by key; those at 0 are gone */
};

void tally_init(struct tally *t);
void tally_fini(struct tally *t); /* everything was given back */

/* One more, where there are fewer than `max`. Give it back with tally_give. */
bool tally_take(struct tally *t, struct slice key, uint32_t max);
void tally_give(struct tally *t, struct slice key);

#endif
