/* The broker in numbers: what its workers and its shared state count, summed at one moment, for
 * $SYS and for broker-ctl.  The table is worker/figures.def.  Thread: any. */
#ifndef ADMIN_STATS_H
#define ADMIN_STATS_H

#include "journal/journal.h"
#include "worker/worker.h"

struct stats {
#define COUNTER(member, topic, status, text) uint64_t member;
#define FIGURE(member, topic, status, text)  uint64_t member;
#define COUNTER_SET(member, size)            uint64_t member[size];
#include "worker/figures.def"
	struct journal_health store;
	uint64_t commit_us_mean;
};

/* A row of the table. */
struct figure {
	const char *topic;  /* below $SYS/broker/; "": not there */
	const char *status; /* in the answer of `status`; "": not there */
	size_t offset;      /* of the uint64_t in struct stats */
	bool of_store;      /* only where there is a store on disk */
};

/* Number of rows. */
enum {
	STATS_FIGURES = 0
#define COUNTER(member, topic, status, text) +1
#define FIGURE(member, topic, status, text)  +1
#define STORE(member, topic, status, text)   +1
#define ALIAS(member, topic)                 +1
#include "worker/figures.def"
};

extern const struct figure stats_figures[STATS_FIGURES];

uint64_t stats_value(const struct stats *stats, size_t offset);

/* The state of the store in a word: "ok", "full", "failed"; "off" where there is none on disk. */
const char *stats_store_state(const struct shared *shared, const struct stats *t);
/* The last error of the store: "No space left on device". NULL: there was none. */
const char *stats_store_error(const struct stats *t);

void stats_take(struct shared *shared, struct stats *out);

#endif
