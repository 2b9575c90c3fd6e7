/* The words of the rules: what is asked, of whom, and what the answer is.  Thread: any. */
#ifndef ACL_ACL_TYPES_H
#define ACL_ACL_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Where administrators ask the broker. An allow counts there only if its filter begins with it. */
#define CONTROL_PREFIX "$CONTROL/vakt/"

enum acl_action {
	ACL_PUBLISH,
	ACL_WILL,
	/* The topic is a whole filter, without $share/group/. */
	ACL_SUBSCRIBE,
	ACL_RECEIVE,
};

/* Who owns the (retained) topic, as seen by the one who asks: for `own`. */
enum acl_owner {
	ACL_OWNER_NOBODY_ELSE, /* free, or owned by the asker */
	ACL_OWNER_OTHER,
};

/* What happens to a subscription that is permitted in part: it is refused, or granted, and only
 * what is permitted is delivered. */
enum acl_partial {
	ACL_PARTIAL_UNSAID,
	ACL_PARTIAL_REFUSE,
	ACL_PARTIAL_FILTER,
};

struct acl_request {
	enum acl_action action;
	struct slice topic; /* valid topic name, or valid filter */
	/* ACL_SUBSCRIBE: the word of the listener. */
	enum acl_partial partial;
	bool retain;
	uint8_t qos;
	struct slice payload;
	enum acl_owner owner;
};

struct acl_rule; /* one line of the file */

enum acl_cause {
	ACL_CAUSE_RULE,          /* `rule` decided */
	ACL_CAUSE_NO_RULE,       /* none matched: denied */
	ACL_CAUSE_GUARD_DESIRED, /* anonymous, or assumed, never writes desired-state topics */
	ACL_CAUSE_GUARD_BRIDGE,  /* below BRIDGE_PREFIX: no rule names it */
	ACL_CAUSE_GUARD_CONTROL, /* below CONTROL_PREFIX: no rule names it */
	ACL_CAUSE_GUARD_LOGIN,   /* and nobody without a login */
	ACL_CAUSE_GUARD_SYSTEM,  /* nobody publishes to $... */
};

struct acl_verdict {
	bool allowed;
	bool by_own; /* allowed by a rule with `own`: the first retained publish makes the owner */
	enum acl_cause cause;
	uint32_t desired;            /* ACL_CAUSE_GUARD_DESIRED: which of desired_topics, from 0 */
	const struct acl_rule *rule; /* NULL unless ACL_CAUSE_RULE; lives as long as the acl */
};

struct acl;

/* Who asks. */
struct acl_who {
	bool anonymous;
	/* It has a name and came without login: the guards see it as anonymous. */
	bool assumed;
	struct slice user;
	struct slice client_id;
	/* Those of the identity source; the users: of the ACL file add theirs. */
	char *const *roles;
	size_t role_count;
};

#endif
