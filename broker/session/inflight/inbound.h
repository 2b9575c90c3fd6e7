/* QoS 2 messages received and not yet released.  Thread: the session's worker. */
#ifndef SESSION_INBOUND_H
#define SESSION_INBOUND_H

#include "session/client_link.h"
#include "session/session.h"

/* The identifier is in use from now on, and its group is not durable yet. */
struct inbound *inbound_new(struct session *s, uint16_t packet_id);
/* The group of a QoS 2 identifier is durable (or failed): PUBRECs that wait go out. */
void inbound_stored(struct session *s, uint16_t packet_id, bool stored);
/* Nobody took the message: its identifier is free (stored: on disk, too), and PUBRECs that wait say
 * so, with this cause. */
void inbound_refused(struct session *s, uint16_t packet_id, bool stored, struct slice cause);
/* One that was received before the broker started. */
void inbound_restore(struct session *s, uint16_t packet_id);

/* The same identifier again before PUBREL: it is not routed again. True: that was so, and PUBREC is
 * sent, or will be. */
bool inbound_repeat(struct client_link *link, uint16_t packet_id);
/* The session ends: all of them, as far as *steps go. False: some are left. */
bool inbound_free_all(struct session *s, size_t *steps);

struct fault on_pubrel(struct client_link *link, const struct frame *f);

#endif
