/* Questions to a policy as one line of text, for tables of tests. */
#ifndef TESTS_ACL_ASK_H
#define TESTS_ACL_ASK_H

#include "acl/acl.h"

/* A policy from YAML; or, where the text begins with allow or deny, from rules, one a line: own
 * rules of the user `anna` (or of anonymous), so that rule n stands on line n. Fails the test when
 * there are errors. */
struct acl *policy_of(const char *text, bool for_anonymous);
struct acl *policy_of_partial(const char *text, bool for_anonymous); /* subscriptions: filter */

/* who: "anna", "anna as lamp", "- as lamp" (anonymous), "porch with provider,actor".
 * what: "publish a/b retain qos=1 payload=on owned", the last word: by somebody else.
 * The answer is "allow 3" or "deny 3" (the line of the rule), "allow 3 own", "deny none",
 * "deny desired", "deny system"; static. */
const char *policy_ask(const struct acl *acl, const char *who, const char *what);

#endif
