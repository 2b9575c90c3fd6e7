/* What TLS knows of a peer once the handshake is done: its version and certificate, as facts of the
 * stream.  Thread: the stream's. */
#ifndef NET_TLS_PEER_H
#define NET_TLS_PEER_H

#include <openssl/ssl.h>

#include "net/stream.h"

struct tls_stream;

/* After the handshake: t->peer. */
void tls_peer_init(struct tls_stream *t);

#endif
