/* A stream over a Unix socket: the bytes as they are.  Thread: see stream.h. */
#ifndef NET_UNIX_STREAM_H
#define NET_UNIX_STREAM_H

#include "net/stream.h"

/* Takes the connected descriptor. Detached. */
struct stream *unix_stream_new(int fd, unsigned listener);

#endif
