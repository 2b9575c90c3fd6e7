/* Events of log.level debug: each packet, and what is decided about clients and messages; with
 * log.trace those of one client id or user only.  Never payloads or passwords.  Whoever calls asks
 * trace_is_on before: one read of one flag.  Thread: the connection's, or the session's, worker. */
#ifndef SESSION_TRACE_H
#define SESSION_TRACE_H

#include "acl/acl_types.h"
#include "base/log.h"
#include "proto/frame.h"
#include "tree/msg.h"

struct client_link;
struct connect;
struct session;
struct worker;

static inline bool trace_is_on(void)
{
	return __builtin_expect(log_is_debug(), 0);
}

/* Is this client meant by log.trace? */
bool trace_wants(const struct worker *w, struct slice client_id, struct slice user);
bool trace_wants_session(const struct session *s);

void trace_received(const struct client_link *link, const struct frame *f);
/* All packets that are about to be written. */
void trace_sent(const struct client_link *link, struct slice packets);
/* A rule allows it; the second one, before there is a session. Where it is denied, there is an
 * event of a higher level. */
void trace_allowed(const struct session *s, enum acl_action action, struct slice topic,
                   const struct acl_verdict *verdict);
void trace_allowed_will(const struct worker *w, const struct connect *packet,
                        const struct acl_verdict *verdict);
/* How many subscriptions and filters match a message that `s` (NULL: the broker) publishes. */
void trace_routed(const struct session *s, const struct msg *msg, size_t matches);
/* What becomes of a message for this session, other than being sent. */
void trace_delivery(const struct session *s, const struct msg *msg, const char *decision);

#endif
