/* At most so many per second, with bursts saved up in a few seconds of silence (a leaking
 * bucket, kept as the time at which everything so far would have been due).  Pure. */
#ifndef BASE_RATE_LIMITER_H
#define BASE_RATE_LIMITER_H

#include <stdbool.h>
#include <stdint.h>

#define RATE_LIMITER_BURST_MS 3000
#define RATE_LIMITER_PAUSE_MS 50 /* at least: a timer for several, not for each */

/* Zero-initialised. */
struct rate_limiter {
	uint64_t due_ns;
};

/* Count so many more now. Returns for how long no more may come; 0: continue. per_second: 1 to
 * 2^30; count: at most 2^32. */
uint64_t rate_limiter_spend_many(struct rate_limiter *r, uint64_t count, uint32_t per_second,
                                 uint64_t now_ms);

/* One more. */
static inline uint64_t rate_limiter_spend(struct rate_limiter *r, uint32_t per_second,
                                          uint64_t now_ms)
{
	return rate_limiter_spend_many(r, 1, per_second, now_ms);
}

/* As one that has counted nothing. */
bool rate_limiter_is_full(const struct rate_limiter *r, uint64_t now_ms);

#endif
