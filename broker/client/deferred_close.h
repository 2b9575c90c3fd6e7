/* A client that said DISCONNECT takes the end of its connection for the answer: so the connection
 * closes when the end of its session, or of its will, is stored, and neither can return after a
 * crash (D5, D6). It waits a minute at most.  Thread: the connection's owner. */
#ifndef CLIENT_DEFERRED_CLOSE_H
#define CLIENT_DEFERRED_CLOSE_H

#include "client/conn.h"

/* The connection has released everything. True: its stream is closed later. */
bool deferred_close_begin(struct conn *c, uint64_t flush_ms);
/* It took too long, and the stream is aborted. False: nothing waits here. */
bool deferred_close_is_late(struct conn *c);
/* The connection is being freed. */
void deferred_close_forget(struct conn *c);

#endif
