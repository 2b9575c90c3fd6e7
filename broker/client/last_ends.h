/* How connections ended lately: of clients that had a session, and of those whose CONNECT was
 * refused.  A JSON object for each, with what the log says about it and who it is.  For the
 * question why a client is offline.  Thread: the connection's worker. */
#ifndef CLIENT_LAST_ENDS_H
#define CLIENT_LAST_ENDS_H

#include "client/conn.h"

/* Of a worker: all, of one client, and bytes. */
#define LAST_ENDS_MAX        1024
#define LAST_ENDS_PER_CLIENT 8
#define LAST_ENDS_BYTES      ((size_t)1 << 20)

/* What names a client there. */
uint64_t last_ends_key(struct slice client_id);
/* The connection of a session ends. `taken_by`: the address of who takes the session over; NULL:
 * nobody does. */
void last_ends_add(const struct conn *c, enum close_reason why, struct fault fault,
                   const char *taken_by);
/* Its CONNECT is refused. */
void last_ends_add_refused(const struct conn *c, const struct connect *packet, struct fault fault);

#endif
