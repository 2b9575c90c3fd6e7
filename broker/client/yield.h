/* A connection that has had its share of a turn: it is not read until a later turn of the loop, in
 * which those before it have had theirs.  Thread: the connection's home. */
#ifndef CLIENT_YIELD_H
#define CLIENT_YIELD_H

#include <stdbool.h>

struct conn;
struct worker;

/* Pauses it (CONN_PAUSE_TURN). */
void conn_yield(struct conn *c);
void yield_forget(struct conn *c);
/* Those that yielded before this turn go on, as far as this turn's budget goes. True: some wait. */
bool yield_turn(struct worker *w);

#endif
