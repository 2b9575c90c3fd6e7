/* From the bytes that a client sends to the handlers of its packets.  Thread: the connection's
 * owner.
 */
#ifndef CLIENT_PACKET_DISPATCH_H
#define CLIENT_PACKET_DISPATCH_H

#include "client/conn.h"

/* Of stream_events. */
void packet_dispatch_on_bytes(void *arg, struct slice bytes);
void packet_dispatch_on_drained(void *arg);
/* Go on with packets that were read but not handled while it was paused. */
void packet_dispatch_continue(struct conn *c);
/* Handle its deferred packets, as far as there is space, until worker->work has come so far. The
 * caller applies the input limit afterwards. True: there is space for more. */
bool packet_dispatch_deferred(struct conn *c, uint64_t until);

#endif
