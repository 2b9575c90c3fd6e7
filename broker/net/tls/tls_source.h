/* Where the streams of one listener find the TLS context that is in force.  A reload changes it,
 * and a handshake takes the current one when its first bytes arrive, however long ago the
 * connection was accepted.  Counted without atomics.  Thread: the executor of the listener's loop.
 */
#ifndef NET_TLS_SOURCE_H
#define NET_TLS_SOURCE_H

#include "net/tls/tls_context.h"

struct tls_source;

struct tls_source *tls_source_new(struct tls_context *ctx); /* a reference of it is taken */
struct tls_source *tls_source_ref(struct tls_source *source);
void tls_source_unref(struct tls_source **source); /* NULL is fine */
/* NULL: the listener is closed, and no handshake begins any more. */
void tls_source_set(struct tls_source *source, struct tls_context *ctx);
/* A new reference, or NULL. */
struct tls_context *tls_source_context(const struct tls_source *source);

#endif
