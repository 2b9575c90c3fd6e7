/* To a client that said DISCONNECT, the end of its connection is the only answer there is: it comes
 * when its session, or its will, is gone for good, so that neither can return after a crash. A slow
 * disk is waited for, for a minute.  D5, D6.  Thread: the connection's home. */
#ifndef CLIENT_DEFERRED_CLOSE_H
#define CLIENT_DEFERRED_CLOSE_H

#include "client/conn.h"

/* The connection has let go of everything: does its end wait? Then it is closed later. */
bool deferred_close_begin(struct conn *c, uint64_t flush_ms);
/* It took too long: closed, without a last word. False: nothing waits here. */
bool deferred_close_is_late(struct conn *c);
/* The connection is being freed. */
void deferred_close_forget(struct conn *c);

#endif
