/* What a client says of the messages it was sent: PUBACK, PUBREC, PUBCOMP.  Thread: the
 * connection's worker. */
#ifndef SESSION_SESSION_ACKS_H
#define SESSION_SESSION_ACKS_H

#include "session/client_link.h"

struct fault on_puback(struct client_link *link, const struct frame *f);
struct fault on_pubrec(struct client_link *link, const struct frame *f);
struct fault on_pubcomp(struct client_link *link, const struct frame *f);

#endif
