/* The places of a worker for connections without CONNACK: its part of limits.unauthenticated.
 * Thread: the worker's. */
#ifndef CLIENT_HALF_OPEN_PLACES_H
#define CLIENT_HALF_OPEN_PLACES_H

#include "client/half_open.h"
#include "net/stream.h"
#include "worker/worker.h"

/* Is there a place for one more connection of this address at this stage? Another one may be
 * displaced for it. */
bool half_open_places_make(struct worker *w, struct stream *stream, enum half_open_stage stage);
/* The two that follow do not ask. `displace` and accepted_ms are set. */
void half_open_places_enter(struct worker *w, struct half_open_place *place,
                            const struct stream *stream, enum half_open_stage stage);
/* Does nothing for one that has no place. */
void half_open_places_leave(struct worker *w, struct half_open_place *place);

/* A listener has a new connection: may it come in? Its address is counted then
 * (connection_limits_give_address). */
bool half_open_places_admit(struct worker *w, struct stream *stream);

/* When it came: a PROXY header may have been waited for since. */
uint64_t half_open_places_since(const struct worker *w, const struct stream *stream);
/* The stage of a stream that has just come. */
enum half_open_stage half_open_places_stage(const struct stream *stream);

#endif
