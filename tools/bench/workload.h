/* What a run does.  One table (workload.def) is the source of the options, the keys of the file of
 * scenarios, and what the results repeat.  Thread: main until the run begins, then read by all. */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/bytes.h"
#include "prng.h"
#include "schedule.h"

#define WORKLOAD_SIZES_MAX 16
#define WORKLOAD_TEXT_MAX  64

struct workload_sizes {
	bool uniform; /* from the first to the second */
	size_t count;
	uint32_t bytes[WORKLOAD_SIZES_MAX];
};

struct workload_text {
	char text[WORKLOAD_TEXT_MAX];
};

enum workload_layout {
	LAYOUT_PAIRS,
	LAYOUT_ALL,
	LAYOUT_SHARED,
};

enum workload_next_after {
	NEXT_AFTER_ARRIVAL,
	NEXT_AFTER_ACK,
};

#define WORKLOAD_COUNT  uint64_t
#define WORKLOAD_RATE   double   /* 0: unset; WORKLOAD_RATE_MAX */
#define WORKLOAD_TIME   uint64_t /* milliseconds; least and most are seconds */
#define WORKLOAD_FLAG   bool
#define WORKLOAD_CHOICE unsigned
#define WORKLOAD_SIZES  struct workload_sizes
#define WORKLOAD_TEXT   struct workload_text

#define WORKLOAD_RATE_MAX (-1.0)

struct workload {
#define WORKLOAD(key, KIND, preset, least, most, value, help) WORKLOAD_##KIND key;
#include "workload.def"
#undef WORKLOAD
};

enum workload_key {
#define WORKLOAD(key, KIND, preset, least, most, value, help) WORKLOAD_KEY_##key,
#include "workload.def"
#undef WORKLOAD
	WORKLOAD_KEYS,
};

void workload_init(struct workload *w);
/* The key of that name, with underscores or dashes; WORKLOAD_KEYS: there is none. */
enum workload_key workload_find(const char *name);
/* The name as a key of a file. */
const char *workload_name(enum workload_key key);
/* A key without value on the command line. */
bool workload_is_flag(enum workload_key key);
/* False: the value is not valid, *w is as it was, and `why` says what is expected. */
bool workload_set(struct workload *w, enum workload_key key, const char *value, struct buf *why);
/* The values together: false, with what does not fit in `why`. */
bool workload_check(const struct workload *w, struct buf *why);
/* The lines of the usage. */
void workload_print_usage(FILE *to);
/* Append the value as it would be written in a file. */
void workload_format(const struct workload *w, enum workload_key key, struct buf *out);

/* All messages of one second; WORKLOAD_RATE_MAX. */
double workload_rate(const struct workload *w);
/* Does it publish as fast as messages arrive? */
static inline bool workload_is_closed(const struct workload *w)
{
	return w->rate == WORKLOAD_RATE_MAX;
}
/* And is it enough that the broker acknowledges them? */
static inline bool workload_waits_for_acks(const struct workload *w)
{
	return workload_is_closed(w) && w->next_after == NEXT_AFTER_ACK;
}
/* Does it only connect? */
static inline bool workload_has_storm(const struct workload *w)
{
	return w->connects > 0 || w->connect_rate != 0;
}
/* As many at a time as are allowed, in place of a rate? */
static inline bool workload_has_closed_storm(const struct workload *w)
{
	return workload_has_storm(w) && w->connect_rate <= 0;
}
/* How many subscribers (groups) that are not slow must get a message of this publisher. */
uint64_t workload_copies(const struct workload *w, size_t publisher);
uint32_t workload_draw_size(const struct workload *w, struct prng *prng);
uint32_t workload_largest_size(const struct workload *w);

#endif
