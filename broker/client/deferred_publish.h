/* PUBLISH packets for which the store has no space, and those that came behind them: as if they had
 * not been read yet, in their order.  Meanwhile the client's other packets are handled: what it
 * acknowledges is what makes room. DESIGN.md section 5. Thread: the connection's home. */
#ifndef CLIENT_DEFERRED_PUBLISH_H
#define CLIENT_DEFERRED_PUBLISH_H

#include "client/conn.h"

/* Has this packet to wait for others? */
static inline bool deferred_is_waiting(const struct conn *c, const struct frame *f)
{
	return c->deferred != NULL && f->type == PACKET_PUBLISH;
}
/* Put a whole packet by (copied). */
void deferred_publish_add(struct conn *c, const struct frame *f, struct slice packet);
/* Handle them, as far as there is space. The caller applies the input limit behind it. */
void deferred_publish_continue(struct conn *c);
/* They are dropped with the connection: nobody was told that they are kept. */
void deferred_publish_free(struct conn *c);

#endif
