/* A PUBLISH that is larger than limits.max_packet_size.  To close the connection would not help:
 * the client would send it again after each reconnect. So its beginning is handled, which refuses
 * and acknowledges it (routing/publish.c), and the rest is read and forgotten: it takes no memory,
 * and has to come as fast as any packet that is under way (keep_alive.h).  Thread: the connection's
 * owner. */
#ifndef CLIENT_LARGE_PUBLISH_H
#define CLIENT_LARGE_PUBLISH_H

#include "client/conn.h"

/* `f` is what has come of a packet that is too large, at the head of *in. FRAME_COMPLETE: it can be
 * handled, and *in stands after what has come of it; FRAME_INCOMPLETE: its beginning has not come
 * yet; FRAME_TOO_LARGE: it ends the connection. */
enum frame_result large_publish_begin(struct conn *c, struct slice *in, struct frame *f);
/* Take what belongs to it off *in. */
void large_publish_skip(struct conn *c, struct slice *in);

#endif
