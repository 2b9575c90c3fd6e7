/* What TLS knows of a peer once the handshake is done: its version and certificate, as facts of the
 * stream.  Thread: the stream's. */
#ifndef NET_TLS_PEER_H
#define NET_TLS_PEER_H

#include <openssl/ssl.h>

#include "net/stream.h"

struct tls_context;

struct tls_peer {
	struct stream_tls tls;
	/* Both borrowed from the stream. */
	const struct tls_context *ctx;
	const SSL *ssl;
};

/* After the handshake. */
void tls_peer_init(struct tls_peer *peer, const struct tls_context *ctx, const SSL *ssl);

#endif
