/* The handshake of a TLS stream.  Thread: the stream's. */
#ifndef NET_TLS_HANDSHAKE_H
#define NET_TLS_HANDSHAKE_H

#include "net/tls/tls_stream_internal.h"

/* A step of it, from a job of the loop. Then it needs more bytes, or had its share of the turn, or
 * is done and the owner has got what came with it, or the stream is closed. */
void tls_handshake_run(struct tls_stream *t);

#endif
