/* Accepted sockets whose PROXY header has not come yet: it is read here, and nothing that follows
 * it, before any other stream is put over the socket.  Thread: the loop's. */
#ifndef NET_PROXY_STAGE_H
#define NET_PROXY_STAGE_H

#include "net/proxy/proxy_header.h"
#include "net/stream.h"

/* So many wait at most; the one that has waited longest makes place for another. A proxy sends its
 * header at once. */
#define PROXY_STAGE_MAX 256

struct proxy_stage;

struct proxy_stage_events {
	/* Its header is whole: the socket is detached, and the callee's. The header is borrowed for
	 * the call. */
	void (*on_header)(void *arg, struct stream *socket, const struct proxy_header *header);
	/* It is closed: why, and what to do. */
	void (*on_refused)(void *arg, const struct peer_address *sender, const char *cause);
};

struct proxy_stage *proxy_stage_new(struct loop *loop, const struct proxy_stage_events *events,
                                    void *arg);
/* Take over a socket that is not attached, and wait at most so long. */
void proxy_stage_add(struct proxy_stage *stage, struct stream *socket, uint64_t timeout_ms);
/* Those that wait are closed. Not from inside on_refused. NULL: nothing to do. */
void proxy_stage_free(struct proxy_stage *stage);

#endif
