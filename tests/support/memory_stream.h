/* Streams without a kernel: for the simulation and for tests.  The far end is driven by the test.
 * Events come from memory_run; the loop given to stream_attach may be NULL. */
#ifndef TEST_SUPPORT_MEMORY_STREAM_H
#define TEST_SUPPORT_MEMORY_STREAM_H

#include "net/stream.h"

/* The far end. Lives until memory_peer_free, which comes after on_closed (or stream_discard). */
struct memory_peer;

/* A new stream, detached, and its far end. `name` is the peer text and key;
 * `certificate_name` may be NULL. */
struct stream *memory_stream_new(unsigned listener, const char *name, const char *certificate_name,
                                 struct memory_peer **peer);
void memory_peer_free(struct memory_peer *peer);

/* What stream_fits answers for it; STREAM_FITS at first. */
void memory_set_fit(struct memory_peer *peer, enum stream_fit fit);
/* The far end sends; bytes wait until memory_run hands them over, at most `max` per call of
 * on_bytes. */
void memory_send(struct memory_peer *peer, struct slice bytes);
void memory_send_end(struct memory_peer *peer,
                     enum stream_end end); /* FIN or reset, after what was sent */
/* What the broker wrote: the test consumes from it (buf_consume). */
struct buf *memory_received(struct memory_peer *peer);
/* While stalled, what the broker writes is backlog. */
void memory_stall(struct memory_peer *peer, bool stalled);
/* A stalled peer takes some of it. */
void memory_accept(struct memory_peer *peer, size_t max_bytes);
bool memory_is_closed(const struct memory_peer *peer); /* the broker ended it (after flushing) */
/* Its stream has been freed too: nothing comes any more. */
bool memory_is_gone(const struct memory_peer *peer);
/* Dispatch what is pending, as events; call it entered in the executor that owns the stream. True:
 * something happened. */
bool memory_run(struct memory_peer *peer, size_t max_bytes);

#endif
