/* Takes a connection apart.  Only conn_close and the stream call it.  Thread: the connection's
 * owner.
 */
#ifndef CLIENT_CONN_TEARDOWN_H
#define CLIENT_CONN_TEARDOWN_H

#include "client/conn.h"

/* It lets go of everything; what was written is flushed, and the stream closes, if it has not. */
void conn_teardown_close(struct conn *c, bool stream_gone);
/* The stream has closed: the connection is freed. (stream_events) */
void conn_teardown_on_closed(void *arg, enum stream_end end);

#endif
