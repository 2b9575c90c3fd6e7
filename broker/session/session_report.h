/* What is logged about a session: denials, dropped messages, what was refused for a limit; not
 * too often.  Thread: the session's worker. */
#ifndef SESSION_SESSION_REPORT_H
#define SESSION_SESSION_REPORT_H

#include "proto/fault.h"
#include "session/session.h"

enum ignored_limit {
	IGNORED_RECEIVE_MAXIMUM,
	IGNORED_MAXIMUM_PACKET_SIZE,
};

enum denial_kind {
	DENIAL_PUBLISH,
	DENIAL_SUBSCRIBE,
	DENIAL_WILL,
	DENIAL_RECEIVE,
	/* Of a subscription that was granted in part: what the client never could read. */
	DENIAL_FILTERED,
};
_Static_assert(DENIAL_FILTERED + 1 == DENIED_ACTIONS, "each kind is counted");

/* One line with the rule, limited per client and rule: a warning, but of DENIAL_FILTERED. */
void session_report_denial(struct session *s, enum denial_kind kind, struct slice topic,
                           const struct acl_verdict *verdict);
/* A subscription, or a publish, was refused for a setting, which `fault` names: one line for
 * several, limited per client and reason. */
void session_report_subscribe_refusal(struct session *s, struct slice filter, struct fault fault);
void session_report_publish_refusal(struct session *s, struct slice topic, struct fault fault);
/* A dropped message is counted and logged. */
void session_report_drop(struct session *s, enum drop_reason why, const char *cause);
/* A message that was queued for it expired: counted and logged. */
void session_report_expired_message(struct session *s, const struct msg *msg);
/* It ends because its time is over. Before it ends: what it had is said. */
void session_report_expired(struct session *s);
/* It ends for another cause, before its time is over: logged if somebody loses anything. */
void session_report_end(struct session *s, const char *cause);
/* Its client exceeds a limit that was announced to it: once for each session. */
void session_report_ignored(struct session *s, enum ignored_limit limit);
/* Something was refused for a limit of memory: `what` is in plain words ("a subscription"). */
void session_report_memory(const struct session *s, const char *what, const char *cause);
/* A retained message was refused for a limit. */
void session_report_retained(const struct session *s, struct slice topic, const char *cause);

#endif
