/* The journal on disk: one thread, all waiting groups of all executors in one commit. */
#ifndef JOURNAL_JOURNAL_DISK_H
#define JOURNAL_JOURNAL_DISK_H

#include "journal/journal.h"
#include "store/store.h"

struct journal_options {
	uint64_t interval_ms; /* of JOURNAL_INTERVAL and _NEXT */
	/* How long a retained row outlives its message, for what else is in it.  Until then it is
	 * shown with the expired message. */
	uint64_t expired_retention_ms;
	journal_over_fn *deleted_is_over; /* NULL: never */
};

/* The store belongs to the journal from now on. */
struct journal *journal_disk_new(struct store *store, const struct journal_options *options);

#endif
