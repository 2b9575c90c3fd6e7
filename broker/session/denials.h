/* What the rules denied lately: to whom, what, and by which rule.  A JSON object for each client,
 * action, topic and rule, counted.  For the question why something is denied, which comes later.
 * Thread: the session's worker. */
#ifndef SESSION_DENIALS_H
#define SESSION_DENIALS_H

#include "acl/acl_types.h"
#include "session/session.h"

/* Of a worker: all, of one client, and bytes. */
#define DENIALS_MAX        1024
#define DENIALS_PER_CLIENT 16
#define DENIALS_BYTES      ((size_t)1 << 20)

/* What names the client there. */
uint64_t denials_key(const struct session *s);
/* Is it about a client of this id? */
bool denials_is_of(const struct recent_entry *entry, struct slice client_id);
void denials_add(struct session *s, enum acl_action action, struct slice topic,
                 const struct acl_verdict *verdict);

#endif
