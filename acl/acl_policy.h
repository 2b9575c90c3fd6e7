/* The whole policy as it is in memory.  Built by load.c, immutable from then on.  Thread: any. */
#ifndef ACL_ACL_POLICY_H
#define ACL_ACL_POLICY_H

#include "acl/acl.h"
#include "acl/rule_list.h"

struct role_use {
	char *name;
	unsigned line, column;
};

/* Somebody with rules and roles of his own: a user, or anonymous. */
struct principal {
	char *name; /* NULL: anonymous */
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
	char *name; /* of the file, as given */
	bool partial;
	struct dictionary levels;
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

/* May %u and %c in filters have this value?  No separators, wildcards, control characters, leading
 * `$`; not empty. */
bool acl_name_is_clean(struct slice name);

/* Read the tests: section; mistakes go to errors. */
void acl_load_tests(struct acl *acl, const struct yaml_node *section, struct errors *errors);
void acl_test_fini(struct acl_test *test);

/* What each list answers by itself, behind the guards: `first` is the rule that decides there, or
 * NULL. The one with own rules comes first, where there is one; then each role that is defined. */
typedef void acl_answer_fn(void *arg, const struct rule_list *list, const struct acl_rule *first);
void acl_ask_each(const struct acl_subject *subject, const struct acl_request *request,
                  acl_answer_fn *report, void *arg);

/* Warn about rules that can never decide. */
void acl_lint(const struct acl *acl, struct errors *errors);

#endif
