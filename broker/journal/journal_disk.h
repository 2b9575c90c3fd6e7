/* The journal on disk: one thread, all waiting groups of all executors in one commit. */
#ifndef JOURNAL_JOURNAL_DISK_H
#define JOURNAL_JOURNAL_DISK_H

#include "journal/journal.h"
#include "store/store.h"

struct journal_options {
	uint64_t interval_ms;             /* of JOURNAL_INTERVAL and _NEXT */
	uint64_t expired_retention_ms;    /* how long a retained row outlives its message, for what
	                                else is    in it; shown until then, with the expired message */
	journal_over_fn *deleted_is_over; /* NULL: never */
};

/* On these tables (taken over). */
struct journal *journal_disk_new(struct store *store, const struct journal_options *options);

#endif
