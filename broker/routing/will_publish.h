/* The will of a session is due.  Thread: the session's worker. */
#ifndef ROUTING_WILL_PUBLISH_H
#define ROUTING_WILL_PUBLISH_H

#include "session/session.h"

/* Publish it now, if there is one and it is (still) permitted. */
void will_publish(struct session *s);

#endif
