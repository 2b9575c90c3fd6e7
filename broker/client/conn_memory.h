/* What a connection takes of memory beyond its fixed part: an unfinished packet, packets that wait,
 * output that is not read, topic aliases, an exchange of AUTH packets.  Charged to the address
 * until the login (and after it, of anonymous clients), then to the user.  Thread: the
 * connection's. */
#ifndef CLIENT_CONN_MEMORY_H
#define CLIENT_CONN_MEMORY_H

#include "client/conn.h"

/* So much is never refused: a packet of a record of TLS that came in two pieces. */
#define CONN_INPUT_FREE ((size_t)16384)

/* The fixed part of a connection at most, which limits.connections bounds: OpenSSL's state and its
 * buffers (a record each way), ciphertext that waits while it is paused, what is free above, and
 * our own state. */
#define CONN_FIXED_BYTES ((size_t)192 << 10)

/* It begins, at an address; or moves to another worker and back into the books there. */
void conn_memory_begin(struct conn *c);
/* It leaves its worker's books. */
void conn_memory_suspend(struct conn *c);
void conn_memory_resume(struct conn *c);
/* Its user is known and pays from now on. */
void conn_memory_login(struct conn *c);
void conn_memory_end(struct conn *c);

/* Count what it has now. Cheap; called whenever that may have changed. */
void conn_memory_count(struct conn *c);
/* Append to the unfinished packet, as it arrives. False: that is too much, and the connection is
 * closed. */
bool conn_memory_keep_input(struct conn *c, struct slice bytes);

#endif
