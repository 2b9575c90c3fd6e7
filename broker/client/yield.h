/* A connection that has used its share of a turn: it is not read until a later turn of the loop, in
 * which those before it have had their share.  Thread: the connection's owner. */
#ifndef CLIENT_YIELD_H
#define CLIENT_YIELD_H

#include <stdbool.h>

struct conn;
struct worker;

/* Pause it (PAUSE_TURN). */
void yield_begin(struct conn *c);
void yield_forget(struct conn *c);
/* Let those that yielded before this turn go on, within the budget of this turn. True: some still
 * wait. */
bool yield_turn(struct worker *w);

#endif
