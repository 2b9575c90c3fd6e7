/* What was lost lately: whose messages, and why.  A JSON object for each client and cause, counted.
 * For the question that comes when something is missing.  Thread: the session's worker. */
#ifndef SESSION_LOSSES_H
#define SESSION_LOSSES_H

#include "session/session.h"

/* Of a worker: all, of one client, and bytes. */
#define LOSSES_MAX        512
#define LOSSES_PER_CLIENT 8
#define LOSSES_BYTES      ((size_t)1 << 19)

/* A message for this session is not delivered. `cause`: as the log has it; it is copied. */
void losses_add(struct session *s, const char *cause);
/* The session ends with so many. */
void losses_add_queue(struct session *s, size_t messages, const char *cause);

#endif
