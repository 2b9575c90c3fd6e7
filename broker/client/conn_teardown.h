/* Takes a connection apart.  Only conn_close and the stream call it.  Thread: the connection's
 * owner.
 */
#ifndef CLIENT_CONN_TEARDOWN_H
#define CLIENT_CONN_TEARDOWN_H

#include "client/conn.h"

/* Release everything, flush what was written, and close the stream, if it has not closed. */
void conn_teardown_close(struct conn *c, bool stream_gone);
/* The stream has closed: free the connection. (stream_events) */
void conn_teardown_on_closed(void *arg, enum stream_end end);

#endif
