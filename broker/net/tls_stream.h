/* TLS over TCP as a stream, and what listeners and TLS streams need of a context.  Nothing here
 * needs OpenSSL's headers.  Thread: see stream.h. */
#ifndef NET_TLS_STREAM_H
#define NET_TLS_STREAM_H

#include <sys/socket.h>

#include "net/stream.h"
#include "net/tls_context.h"
#include "net/tls_source.h"

/* Takes the connected descriptor, and a reference of the source, where it finds its context when
 * the handshake begins. Detached. */
struct stream *tls_stream_new(int fd, unsigned listener, const struct sockaddr *peer,
                              struct tls_source *source);

/* What the listener is called in the log; the first name given stays. Any thread. */
void tls_context_name(struct tls_context *ctx, const char *bind);

/* The way between OpenSSL and a loop, made with the loop. NULL: OpenSSL's memory is out. */
struct bio_st *tls_bio_new(void);
void tls_bio_free(struct bio_st *bio);

#endif
