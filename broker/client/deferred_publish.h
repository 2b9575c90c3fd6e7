/* PUBLISH packets for which the store has no space, and those that came after them: as if they had
 * not been read yet, in their order.  Meanwhile the client's other packets are handled: what it
 * acknowledges frees space.  Thread: the connection's owner. */
#ifndef CLIENT_DEFERRED_PUBLISH_H
#define CLIENT_DEFERRED_PUBLISH_H

#include "client/conn.h"

struct deferred_publish {
	uint64_t received_ms;
	struct frame frame;
};

/* Does this packet have to wait for others? */
static inline bool deferred_publish_waits_for(const struct conn *c, const struct frame *f)
{
	return c->deferred != NULL && f->type == PACKET_PUBLISH;
}
/* Append a whole packet (copied). */
void deferred_publish_add(struct conn *c, const struct frame *f, struct slice packet);
/* Take the next one off *in, which begins as buf_slice(c->deferred). */
struct deferred_publish deferred_publish_take(struct slice *in);
/* Remove the first `bytes` bytes: they were handled. */
void deferred_publish_consume(struct conn *c, size_t bytes);
/* They are dropped with the connection: nothing of them was acknowledged. */
void deferred_publish_free(struct conn *c);

#endif
