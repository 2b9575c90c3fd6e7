/* What TLS knows of a peer once the handshake is done: its version and certificate, as facts of the
 * stream.  Thread: the stream's. */
#ifndef NET_TLS_PEER_H
#define NET_TLS_PEER_H

#include <openssl/ssl.h>

#include "net/stream.h"

struct tls_stream;

/* Names of that kind: how many there are; the first is appended to *out. Only values that are UTF-8
 * without U+0000 count; one that is not gives 0.  Thread: any. */
size_t tls_peer_names_of(X509 *certificate, enum conf_certificate_user kind, struct buf *out);
/* After the handshake: t->peer. */
void tls_peer_init(struct tls_stream *t);

#endif
