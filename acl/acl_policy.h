/* The whole policy as it is in memory.  Built by acl_load.c, immutable from then on.  Inside acl/
 * only.  Thread: any. */
#ifndef ACL_ACL_POLICY_H
#define ACL_ACL_POLICY_H

#include "acl/rule_list.h"

struct role_use {
	char *name;
	unsigned line, column;
};

/* What the file says of a user, or of anonymous clients. */
struct principal {
	char *name; /* NULL: anonymous */
	unsigned line, column;
	struct rule_list rules;
	struct role_use *roles;
	size_t role_count;
};

/* A row of the tests: section. */
struct acl_test {
	unsigned line, column;
	char *user; /* NULL: anonymous */
	bool anonymous;
	char *client_id;
	bool has_action;
	enum acl_action action;
	char *topic;
	bool retain;
	uint8_t qos;
	char *payload;
	bool has_expect;
	bool expect_allow;
};

struct acl {
	char *name;   /* of the file, as given */
	bool partial; /* the word of broker.yaml: parts are granted */
	struct level_dictionary levels;
	struct rule_list guard;  /* desired_topics, as deny rules */
	struct rule_list *roles; /* by name */
	size_t role_count;
	struct principal *users; /* by name */
	size_t user_count;
	struct principal anonymous;
	struct acl_test *tests;
	size_t test_count;
	size_t rule_count;
};

const struct rule_list *acl_find_role(const struct acl *acl, struct slice name);
const struct principal *acl_find_user(const struct acl *acl, struct slice name);

#endif
