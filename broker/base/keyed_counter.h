/* Counters by key: sessions of a user, connections of an address.  Few keys at a
 * time, one lock.  Thread: any. */
#ifndef BASE_KEYED_COUNTER_H
#define BASE_KEYED_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/thread.h"

struct keyed_counter_entry;

struct keyed_counter {
	struct mutex lock;
	struct keyed_counter_entry *entries; /* by key; those at 0 are gone */
};

void keyed_counter_init(struct keyed_counter *t);
void keyed_counter_fini(struct keyed_counter *t); /* all counts are 0 */

/* Count one more if there are fewer than `max`. Give it back with keyed_counter_give. */
bool keyed_counter_take(struct keyed_counter *t, struct slice key, uint32_t max);
void keyed_counter_give(struct keyed_counter *t, struct slice key);
uint32_t keyed_counter_get(struct keyed_counter *t, struct slice key);

#endif
