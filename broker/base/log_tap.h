/* Lines of the log for somebody who asks for them while the broker runs, whatever the level of the
 * log is: of all, or of one client.  Each tap has a bounded buffer; what nobody takes in time is
 * lost and counted.  Levels are those of base/log.h (enum log_level).  While no tap is open it
 * costs a read of one number.  Thread: any. */
#ifndef BASE_LOG_TAP_H
#define BASE_LOG_TAP_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/bytes.h"

#define LOG_TAPS_MAX      8
#define LOG_TAP_BYTES_MAX ((size_t)262144)

struct log_tap;

struct log_tap_wish {
	int level;
	/* Only events about this client id or user; NULL data: of everybody. */
	struct slice who;
	/* Only lines in which this stands; empty: all. */
	struct slice match;
	bool payloads;
};

/* Copies the wish. NULL: LOG_TAPS_MAX are open. Whoever opens or closes one calls log_update_debug
 * then. */
struct log_tap *log_tap_open(const struct log_tap_wish *wish);
/* NULL is fine. */
void log_tap_close(struct log_tap *tap);
/* Append the lines that came, JSON objects; and how many were lost before them. */
void log_tap_take(struct log_tap *tap, struct buf *out, uint64_t *lost);

/* The highest level that a tap wants; -1: none is open. */
extern _Atomic int log_tap_level;
static inline bool log_tap_is_open(void)
{
	return atomic_load_explicit(&log_tap_level, memory_order_relaxed) >= 0;
}
static inline bool log_tap_wants_level(int level)
{
	return level <= atomic_load_explicit(&log_tap_level, memory_order_relaxed);
}

/* --- for who logs --- */

/* Does a tap want what is of this level about this client (both empty: about nobody)? `payloads`:
 * and what its messages say. */
bool log_tap_wants(int level, struct slice client_id, struct slice user, bool payloads);
/* An event is about one of these (none: empty). */
struct log_tap_line {
	int level;
	struct slice client_id, user;
	bool is_payload; /* only for taps that want payloads */
	struct slice text;
};
void log_tap_put(const struct log_tap_line *line);

#endif
