/* An answer on its way to the MQTT client that asked: may it have this, and the packets.
 * Thread: the connection's worker. */
#ifndef ADMIN_CONTROL_ANSWER_H
#define ADMIN_CONTROL_ANSWER_H

#include "acl/acl_types.h"
#include "session/client_link.h"

/* What was asked, and where its answer goes. Slices borrow. */
struct control_answer {
	struct acl_request request; /* as the rules see the PUBLISH */
	struct slice response_topic;
	struct slice properties; /* the Correlation Data as a property; empty: none */
};

enum control_permission {
	CONTROL_PERMITTED,
	CONTROL_DENIED,        /* logged */
	CONTROL_NOT_SUBSCRIBED /* to the Response Topic */
};

/* Asked for each page: may this client ask that, and have the answer, as a message to the Response
 * Topic? */
enum control_permission control_answer_permission(struct client_link *link,
                                                  const struct control_answer *answer);

/* Is there space in the connection, and no SUBACK owed? */
bool control_answer_has_space(struct client_link *link);
/* Whole lines, in as many packets as the client's Maximum Packet Size makes of them. False: a line
 * is too large for it; what stands before it was sent. [MQTT5-3.1.2-24] */
bool control_answer_write(struct client_link *link, const struct control_answer *answer,
                          struct slice lines);
/* The last line. */
void control_answer_write_end(struct client_link *link, const struct control_answer *answer,
                              const char *error);

#endif
