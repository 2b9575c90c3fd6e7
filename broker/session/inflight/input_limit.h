/* How much a connection may send while its answers wait for the store: at most the Receive Maximum
 * of PUBLISH packets and 64 other answers.  Here they are counted; what happens above the bound is
 * client/input_drain's.  Thread: the connection's worker. */
#ifndef SESSION_INPUT_LIMIT_H
#define SESSION_INPUT_LIMIT_H

#include "session/client_link.h"

/* An answer of this type waits from now on, or has left. */
void input_limit_add(struct client_link *link, enum packet_type type);
void input_limit_remove(struct client_link *link, enum packet_type type);
/* Something of this connection was given to the journal. */
void input_limit_note_journal(struct client_link *link);

/* Does it owe as much as it may? */
bool input_limit_is_reached(const struct client_link *link);
/* The same of each kind of answer; with `more` PUBLISH packets. */
bool input_limit_publishes_reached(const struct client_link *link, uint32_t more);
bool input_limit_others_reached(const struct client_link *link);
/* Answers owed, of all kinds. */
uint32_t input_limit_owed(const struct client_link *link);

#endif
