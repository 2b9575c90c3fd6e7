/* Why a verdict is what it is: which lists of rules were asked, what each answered by itself, and
 * which rules nearly matched.  It asks the gate itself, so that both always agree.  Allocates; not
 * for the path of a message.  Thread: any. */
#ifndef ACL_ACL_EXPLANATION_H
#define ACL_ACL_EXPLANATION_H

#include "acl/acl_check.h"
#include "acl/acl_types.h"

/* An allow rule for this action and topic that does not match for one reason. */
struct acl_near_miss {
	const struct acl_rule *rule;
	char *why; /* "the message is retained" */
};

/* What one list of rules answers by itself. */
struct acl_answer {
	const char *role;            /* NULL: the client's own rules */
	bool from_source;            /* the identity source gives the role */
	unsigned line;               /* of the ACL file, where the role is given; 0: not there */
	bool defined;                /* false: the ACL file has no such role, it gives nothing */
	size_t rule_count;           /* of the list */
	const struct acl_rule *rule; /* the first that matches, NULL: none */
	struct acl_near_miss
	    *near_misses; /* before that one, in their order; none where it allows */
	size_t near_miss_count;
};

struct acl_explanation {
	struct acl_verdict verdict; /* acl_check's; guards come before all answers */
	bool lacks_client_id;       /* rules use %c, and no client id is given */
	/* Of a subscription: it is granted, but not every topic of it may be read; or it is denied,
	 * and would be granted so. */
	bool in_part, would_be_in_part;
	enum acl_partial_by partial_by; /* whose word on partial subscriptions decides */
	struct acl_answer *answers;     /* own rules, then roles in the order of their turn */
	size_t count;
};

/* Borrows from `acl` and `who`. The caller frees. */
struct acl_explanation *acl_explanation_new(const struct acl *acl, const struct acl_who *who,
                                            const struct acl_request *request);
void acl_explanation_free(struct acl_explanation *explanation);

#endif
