/* The timer of a connection: CONNECT deadline, then silence; and its rates of PUBLISH packets
 * and of bytes.
 * Thread: the connection's owner.
 *
 * Bytes count as life, whether a packet is whole or not; but one that is under way has to come at
 * KEEP_ALIVE_PACKET_RATE. Time in which the connection is not read does not count. If bytes wait
 * for it then, and it takes none of them for one and a half keep alive intervals, it is silent. If
 * nothing waits, TCP keep-alive finds a dead peer. */
#ifndef CLIENT_KEEP_ALIVE_H
#define CLIENT_KEEP_ALIVE_H

#include "client/conn.h"

#define KEEP_ALIVE_PACKET_RATE 100    /* bytes per second, after the first intervals */
#define KEEP_ALIVE_OUTPUT_MS   600000 /* to take something, without keep alive */

/* Of struct conn. */
void keep_alive_on_timer(struct timer *timer, void *executor_arg);
/* The connection is accepted: its timer is armed. */
void keep_alive_begin(struct conn *c);
/* It is not read because of what waits for it. */
void keep_alive_watch_output(struct conn *c);
/* A PUBLISH arrives: pause reading if it exceeds limits.message_rate. */
void keep_alive_spend_rate(struct conn *c);
/* So many bytes of it were read: pause reading if they exceed limits.byte_rate. */
void keep_alive_spend_bytes(struct conn *c, size_t bytes);

#endif
