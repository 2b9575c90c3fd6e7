/* Subscriptions that were granted although only a part of them may be read
 * (partial_subscriptions: filter): what they leave out was never promised.  Thread: the session's
 * worker. */
#ifndef SESSION_PARTIAL_GRANT_H
#define SESSION_PARTIAL_GRANT_H

#include "session/session.h"

/* May this client subscribe to the filter (without $share/group/)? *permit says how much of it. */
struct acl_verdict partial_grant_check(struct session *s, struct slice filter,
                                       enum subscription_permit *permit);
/* A message that may not be delivered: did it come by subscriptions that were granted in part only?
 * False: the client could read the topic before, or nobody says filter. */
bool partial_grant_leaves_out(struct session *s, struct slice topic);

#endif
