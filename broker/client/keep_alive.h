/* The timer of a connection, and its rate of PUBLISH packets. Thread: the connection's owner. */
#ifndef CLIENT_KEEP_ALIVE_H
#define CLIENT_KEEP_ALIVE_H

#include "client/conn.h"

/* Of struct conn. */
void keep_alive_on_timer(struct timer *timer, void *executor_arg);
/* A PUBLISH arrives: pause reading if it exceeds limits.message_rate. */
void keep_alive_spend_rate(struct conn *c);

#endif
