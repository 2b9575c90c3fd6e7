/* The generic cell rate algorithm. */
#include "base/rate_limiter.h"

#define SECOND_NS 1000000000u
#define MS_NS     1000000u

uint64_t rate_limiter_spend_many(struct rate_limiter *r, uint64_t count, uint32_t per_second,
                                 uint64_t now_ms)
{
	uint64_t now_ns = now_ms * MS_NS, ahead_ms;

	if (r->due_ns < now_ns)
		r->due_ns = now_ns;
	r->due_ns += count * SECOND_NS / per_second;
	ahead_ms = (r->due_ns - now_ns + MS_NS - 1) / MS_NS;
	if (ahead_ms <= RATE_LIMITER_BURST_MS)
		return 0;
	ahead_ms -= RATE_LIMITER_BURST_MS;
	return ahead_ms < RATE_LIMITER_PAUSE_MS ? RATE_LIMITER_PAUSE_MS : ahead_ms;
}

bool rate_limiter_is_full(const struct rate_limiter *r, uint64_t now_ms)
{
	return r->due_ns <= now_ms * MS_NS;
}
