/* SUBSCRIBE and UNSUBSCRIBE.  Thread: the connection's worker. */
#ifndef SESSION_SUBSCRIBE_H
#define SESSION_SUBSCRIBE_H

#include "session/client_link.h"

struct fault on_subscribe(struct client_link *link, const struct frame *f);
struct fault on_unsubscribe(struct client_link *link, const struct frame *f);

#endif
