/* PUBLISH from a client.  Thread: the connection's worker. */
#ifndef ROUTING_PUBLISH_H
#define ROUTING_PUBLISH_H

#include "session/client_link.h"

struct fault on_publish(struct client_link *link, const struct frame *f);

#endif
