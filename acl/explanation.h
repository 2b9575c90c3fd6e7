/* The account of a verdict, for people: which lists of rules were asked, what each answered by
 * itself, and which rules nearly fitted.  It comes from the gate itself, so that it cannot say
 * anything else.  Allocates; not for the way of a message.  Thread: any. */
#ifndef ACL_EXPLANATION_H
#define ACL_EXPLANATION_H

#include "acl/acl.h"

/* An allow rule for this action and topic that does not fit for one reason. */
struct acl_near_miss {
	const struct acl_rule *rule;
	char *why; /* "the message is retained" */
};

/* What one list of rules answers by itself. */
struct acl_answer {
	const char *role;            /* NULL: somebody's own rules */
	bool from_source;            /* the identity source gives the role */
	unsigned line;               /* of the ACL file, where the role is given; 0: not there */
	bool defined;                /* false: the ACL file has no such role, it gives nothing */
	size_t rule_count;           /* of the list */
	const struct acl_rule *rule; /* the first that fits, NULL: none */
	struct acl_near_miss
	    *near_misses; /* before that one, in their order; none where it allows */
	size_t near_miss_count;
};

struct acl_explanation {
	struct acl_verdict verdict; /* acl_check's; guards come before all answers */
	bool lacks_client_id;       /* rules use %c, and who has none */
	struct acl_answer *answers; /* own rules, then roles in the order of their turn */
	size_t count;
};

/* Borrows from `acl` and `who`. The caller frees. */
struct acl_explanation *acl_explanation_new(const struct acl *acl, const struct acl_who *who,
                                            const struct acl_request *request);
void acl_explanation_free(struct acl_explanation *explanation);

bool acl_rule_denies(const struct acl_rule *rule);
unsigned acl_rule_line(const struct acl_rule *rule);
/* "acl.yaml:12: deny publish desired/#". The caller frees. */
char *acl_rule_text(const struct acl *acl, const struct acl_rule *rule);
/* The rule with %u and %c as they are for `who`; NULL where it has no name in it, or one that has
 * no value in an allow rule's filter. The caller frees. */
char *acl_rule_filled(const struct acl_rule *rule, const struct acl_who *who);

/* A test of the file, run. */
struct acl_test_result {
	unsigned line, column;
	const char *user; /* NULL: anonymous */
	enum acl_action action;
	const char *topic;
	bool expect_allow;
	bool skipped; /* the user is missing or locked */
	bool passed;
	struct acl_verdict verdict; /* unless skipped */
};

typedef void acl_test_fn(void *arg, const struct acl_test_result *result);
/* Run the tests as acl_run_tests does, and tell of each. Returns how many ran. */
size_t acl_each_test(const struct acl *acl, acl_roles_fn *roles_of, void *roles_arg,
                     acl_test_fn *report, void *arg);
/* "publish", "subscribe", ... */
const char *acl_action_name(enum acl_action action);

#endif
