/* A connected socket, TCP or Unix, as a stream: the bytes as they are.  Thread: see stream.h. */
#ifndef NET_SOCKET_STREAM_H
#define NET_SOCKET_STREAM_H

#include "net/peer_address.h"
#include "net/stream.h"

/* Takes the connected descriptor, which does not block. Detached. `listener` is the index of the
 * one that accepted it. */
struct stream *socket_stream_new(int fd, const struct peer_address *peer, unsigned listener);

/* Bytes that are there, without taking them; 0: none, -1: the end. It must be attached. */
ssize_t socket_stream_peek(struct stream *stream, void *out, size_t cap);

#endif
