/* One rule, parsed: "Rules" in acl.yaml(5).  Immutable after parsing.  Inside acl/ only.
 * Thread: any. */
#ifndef ACL_RULE_H
#define ACL_RULE_H

#include "acl/acl_types.h"
#include "acl/pattern.h"
#include "acl/rule_filter.h"

/* A set of enum acl_action. */
#define ACTION_BIT(action) ((uint8_t)(1U << (action)))
#define ACTIONS_WRITE      ((uint8_t)(ACTION_BIT(ACL_PUBLISH) | ACTION_BIT(ACL_WILL)))
#define ACTIONS_READ       ((uint8_t)(ACTION_BIT(ACL_SUBSCRIBE) | ACTION_BIT(ACL_RECEIVE)))

enum rule_retain {
	RETAIN_NO,
	RETAIN_ONLY,
	RETAIN_DELETE,
};

struct rule_payload {
	struct pattern text;
	bool open; /* it ends with a `*` */
};

struct acl_rule {
	bool deny;
	uint8_t actions;
	/* A bit for each condition that the rule has, by its row in condition.c; its values below
	 * mean something only then. */
	uint8_t conditions;
	enum rule_retain retain;
	bool own;
	uint8_t max_qos;
	uint64_t max_payload;
	struct rule_payload *payloads;
	size_t payload_count;

	struct rule_filter *filters;
	size_t filter_count;
	/* The line as written, and where its conditions begin. */
	char *text;
	size_t conditions_at;
	unsigned line, column;
	uint32_t id; /* from 1, in the order of the file */
};

#endif
