/* TLS as a stream over another one.  Nothing here needs OpenSSL's headers.  Thread: see stream.h.
 */
#ifndef NET_TLS_STREAM_H
#define NET_TLS_STREAM_H

#include "net/stream.h"
#include "net/tls/tls_source.h"

/* The server's side. `inner` carries the records and belongs to the new stream: detached, with a
 * read of its own. A reference of the source is taken, where it finds its context when the
 * handshake begins. Detached. */
struct stream *tls_stream_new(struct stream *inner, struct tls_source *source);

#endif
