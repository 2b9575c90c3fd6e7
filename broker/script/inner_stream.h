/* A stream whose other end is in this process: an HTTP request that is served by a session of MQTT.
 * It has the address and the TLS facts of the connection that the request came by.  Thread: the
 * worker's. */
#ifndef SCRIPT_INNER_STREAM_H
#define SCRIPT_INNER_STREAM_H

#include "net/stream.h"

struct inner_stream;

/* For the other end. None is called from inside an inner_stream_* function. */
struct inner_stream_events {
	/* What the owner of the stream wrote: take as much as you like off *bytes. The rest is the
	 * stream's backlog, until inner_stream_wake. */
	void (*on_output)(void *arg, struct slice *bytes);
	/* The last call: the owner has ended it. */
	void (*on_ended)(void *arg);
};

/* `outer` stays until inner_stream_close, or on_ended. The stream is detached. */
struct inner_stream *inner_stream_new(struct stream *outer,
                                      const struct inner_stream_events *events, void *arg);
/* For its owner. */
struct stream *inner_stream_end(struct inner_stream *i);
/* To its owner, in a later turn. */
void inner_stream_send(struct inner_stream *i, struct slice bytes);
/* on_output may take more now. */
void inner_stream_wake(struct inner_stream *i);
/* The other end has gone: no more events. */
void inner_stream_close(struct inner_stream *i);

#endif
