/* The first packet of a connection.  Thread: the worker's that has it.
 *
 * The worker that accepted the connection looks only at the client id: if another worker owns it,
 * the connection moves there, whole. The owner decodes the packet, checks the login
 * (connect_login.h, auth_packets.h), and accepts or refuses it. Nothing of a session or a will is
 * touched before the login has succeeded. */
#ifndef CLIENT_CONNECT_H
#define CLIENT_CONNECT_H

#include "client/conn.h"

/* A whole CONNECT at the head of the input. A fault: the caller refuses it. */
struct fault connect_handle(struct conn *c, const struct frame *f);

#endif
