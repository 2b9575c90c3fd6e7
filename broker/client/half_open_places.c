/* Who may come in, and whom it displaces. */
#include "client/half_open_places.h"

#include "base/random.h"
#include "client/client_list.h"
#include "client/connection_limits.h"
#include "net/listener.h"
#include "worker/shared.h"

#define CROWD_FRESH_MS 500
#define CROWD_HOLD_MS  10

/* Is it so new that it cannot have come further? */
static bool is_fresh(const struct worker *w, const struct half_open_place *place)
{
	uint64_t since_ms = place->accepted_ms;

	if (since_ms < w->executor.resumed_ms)
		since_ms = w->executor.resumed_ms;
	return w->executor.now_ms - since_ms <= CROWD_FRESH_MS;
}

/* This worker's places. */
static size_t places_of(const struct worker *w, const struct stream *stream)
{
	const struct conf_listener *l =
	    config_snapshot_listener(w->snapshot, stream_listener(stream));
	unsigned workers = w->shared->worker_count;

	if (l == NULL) /* it will be closed soon */
		return UINT32_MAX;
	return l->limits.unauthenticated < workers ? 1 : l->limits.unauthenticated / workers;
}

bool half_open_places_make(struct worker *w, struct stream *stream, enum half_open_stage stage)
{
	struct half_open_place *victim;

	REQUIRE_EXECUTOR(&w->executor);
	if (w->clients->half_open.count < places_of(w, stream))
		return true;
	victim = half_open_victim(&w->clients->half_open, stream_peer_key(stream), stage);
	/* All places are taken evenly, and the connection that would be displaced is new: many
	 * clients connect at once, and none holds places. They wait in the kernel for free places
	 * instead of displacing each other. */
	if ((victim == NULL || is_fresh(w, victim)) &&
	    /* mutant: half_open_crowd_waits */
	    half_open_is_even(&w->clients->half_open, stream_peer_key(stream)))
		listener_hold(w->clients->listeners[stream_listener(stream)], CROWD_HOLD_MS);
	if (victim == NULL)
		return false;
	victim->displace(victim);
	return true;
}

void half_open_places_enter(struct worker *w, struct half_open_place *place,
                            const struct stream *stream, enum half_open_stage stage)
{
	REQUIRE_EXECUTOR(&w->executor);
	REQUIRE(place->displace != NULL);
	atomic_fetch_add(&w->shared->unauthenticated, 1);
	half_open_add(&w->clients->half_open, place, stream_peer_key(stream), stage);
}

void half_open_places_leave(struct worker *w, struct half_open_place *place)
{
	REQUIRE_EXECUTOR(&w->executor);
	if (place->address == NULL)
		return;
	atomic_fetch_sub(&w->shared->unauthenticated, 1);
	half_open_remove(&w->clients->half_open, place);
}

uint64_t half_open_places_since(const struct worker *w, const struct stream *stream)
{
	uint64_t accepted_ms = stream_accepted_ms(stream);

	REQUIRE_EXECUTOR(&w->executor);
	return accepted_ms > 0 ? accepted_ms : w->executor.now_ms;
}

enum half_open_stage half_open_places_stage(const struct stream *stream)
{
	return stream_is_established(stream) ? HALF_OPEN_HANDSHAKE : HALF_OPEN_ACCEPTED;
}

/* Only what comes over a network. */
static bool is_refused_early(struct worker *w, const struct stream *stream)
{
	/* mutant: half_open_early */
	if (!half_open_refuses_early(&w->clients->half_open, stream_peer_key(stream),
	                             places_of(w, stream), random_u64()))
		return false;
	count(&w->counters.refused_early);
	return true;
}

bool half_open_places_admit(struct worker *w, struct stream *stream)
{
	const struct conf_listener *l = worker_listener(w, stream_listener(stream));
	bool counted = stream_has_address(stream);

	if (w->stopping || (counted && !connection_limits_take_address(w, stream, l)))
		return false;
	if (!(counted && is_refused_early(w, stream)) &&
	    half_open_places_make(w, stream, half_open_places_stage(stream)))
		return true;
	if (counted)
		connection_limits_give_address(w, stream);
	return false;
}
