/* Sessions of TLS 1.2 by session id, for clients without tickets (BearSSL).  What a client can make
 * of it is bounded: in number, in bytes, and for each source; the oldest go first.  No clock of its
 * own.  Thread: the caller's lock. */
#ifndef NET_TLS_SESSION_CACHE_H
#define NET_TLS_SESSION_CACHE_H

#include "base/bytes.h"
#include "base/table.h"

#define TLS_SESSIONS_MAX            1024
#define TLS_SESSIONS_PER_SOURCE_MAX 128 /* while the cache is full */
#define TLS_SESSION_BYTES_MAX       4096
#define TLS_SESSION_ID_BYTES_MAX    32

struct tls_session_entry;

/* Zero-initialised is empty. */
struct tls_session_cache {
	struct table by_id;
	struct tls_session_entry *oldest_first;
};

/* All sessions are wiped. */
void tls_session_cache_fini(struct tls_session_cache *c);
/* `source`: where the client comes from (stream_peer_key), for the bound. `session` is copied; one
 * that is too large is left out. An id that is there already is replaced. */
void tls_session_cache_put(struct tls_session_cache *c, struct slice id, struct slice source,
                           struct slice session);
/* Appended to *out (a secret); false: there is none of that id. */
bool tls_session_cache_find(const struct tls_session_cache *c, struct slice id, struct buf *out);
/* None of that id is fine. */
void tls_session_cache_remove(struct tls_session_cache *c, struct slice id);

#endif
