/* The memory of a connection beyond its fixed part: an unfinished packet, packets that wait, output
 * that is not read, topic aliases, an exchange of AUTH packets. It is charged to the address until
 * the login (of anonymous clients also after it), then to the user. Thread: the connection's owner.
 * */
#ifndef CLIENT_CONN_MEMORY_H
#define CLIENT_CONN_MEMORY_H

#include "client/conn.h"

/* This much is never refused: a packet of one TLS record that arrives in two pieces. */
#define CONN_INPUT_FREE ((size_t)16384)

/* The fixed part of a connection at most, which limits.connections bounds: OpenSSL's state and its
 * buffers (a record each way), ciphertext that waits while it is paused, what is free above, and
 * our own state. */
#define CONN_FIXED_BYTES ((size_t)192 << 10)

/* The connection begins; its address pays. */
void conn_memory_begin(struct conn *c);
/* It leaves its worker, and arrives at another one. */
void conn_memory_suspend(struct conn *c);
void conn_memory_resume(struct conn *c);
/* The user is known and pays from now on. */
void conn_memory_login(struct conn *c);
void conn_memory_end(struct conn *c);

/* Charge what it has now. Cheap; called whenever that may have changed. */
void conn_memory_count(struct conn *c);
/* Append to the unfinished packet. False: it takes too much memory, and the connection was closed.
 * */
bool conn_memory_add_input(struct conn *c, struct slice bytes);

#endif
