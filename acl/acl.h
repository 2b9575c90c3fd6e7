/* The policy: acl.yaml, compiled.  What a rule means and the order in which rules decide:
 * acl.yaml(5). A compiled ACL is immutable; checks are pure, allocate nothing and
 * never block.  Thread: any. */
#ifndef ACL_ACL_H
#define ACL_ACL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "conf/conf.h"
#include "conf/errors.h"

enum acl_action {
	ACL_PUBLISH,
	ACL_WILL,
	ACL_SUBSCRIBE, /* topic is a whole filter; $share/group/ already taken off */
	ACL_RECEIVE,
};

/* Who owns the (retained) topic, as seen by the one who asks: for `own`. */
enum acl_owner {
	ACL_OWNER_NOBODY_ELSE, /* free, or owned by the asker */
	ACL_OWNER_OTHER,
};

struct acl_request {
	enum acl_action action;
	struct slice topic; /* valid topic name, or valid filter */
	bool retain;
	uint8_t qos;
	struct slice payload;
	enum acl_owner owner;
};

struct acl_rule; /* one line of the file */

enum acl_cause {
	ACL_CAUSE_RULE,          /* `rule` decided */
	ACL_CAUSE_NO_RULE,       /* none matched: denied */
	ACL_CAUSE_GUARD_DESIRED, /* anonymous never writes desired-state topics */
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

/* Load and compile. `path` NULL: denies everything. A missing file is an error of its own kind: the
 * caller decides (errors gets it, and errno is ENOENT). An empty one denies everything. One that
 * is not to be believed (base/trust.h) is an error. NULL when there are errors. */
struct acl *acl_load(const char *path, enum conf_partial_subscriptions partial,
                     struct errors *errors);
struct acl *acl_parse(const char *name, struct slice bytes, enum conf_partial_subscriptions partial,
                      struct errors *errors);
void acl_free(struct acl *acl);
size_t acl_rule_count(const struct acl *acl);
size_t acl_role_count(const struct acl *acl);
bool acl_has_role(const struct acl *acl, const char *role);

/* Somebody, as the rules see them: own rules and roles found, %u and %c at hand. Copies what it
 * needs; keep it with the session and make a new one when the ACL changes. Must not outlive `acl`.
 */
struct acl_subject;

struct acl_who {
	bool anonymous;
	struct slice user;
	struct slice client_id;
	char *const *roles; /* those of the password file; the ACL file's users: adds its own */
	size_t role_count;
};

struct acl_subject *acl_subject_new(const struct acl *acl, const struct acl_who *who);
void acl_subject_free(struct acl_subject *subject);
/* Do both get the same verdict, whatever they subscribe to or receive? Two sessions of one user do,
 * unless a rule has %c. False may be said of others who would. */
bool acl_reads_alike(const struct acl_subject *a, const struct acl_subject *b);

/* The one gate. */
struct acl_verdict acl_check(const struct acl_subject *subject, const struct acl_request *request);

/* "acl.yaml:12: deny publish desired/#", "no rule allows it", "guard: anonymous clients never
 * publish to desired/#": for logs and Reason Strings. At most `cap` bytes, NUL-terminated; returns
 * the length. */
size_t acl_verdict_text(const struct acl *acl, const struct acl_verdict *verdict, char *out,
                        size_t cap);
/* A small number that names the rule (or cause), to limit log lines per rule. */
uint32_t acl_verdict_id(const struct acl *acl, const struct acl_verdict *verdict);

/* Run the file's tests: section (users and roles as the password file has them through `roles_of`,
 * which may be NULL and returns false where the user is missing or locked: skipped with a warning).
 * Failures are errors with the place of the test. */
typedef bool acl_roles_fn(void *arg, struct slice user, char *const **roles, size_t *role_count);
size_t acl_run_tests(const struct acl *acl, acl_roles_fn *roles_of, void *arg,
                     struct errors *errors); /* tests run */

/* What `after` says differently: "rule added", "rule removed" (of a role, a user, anonymous,
 * desired_topics), "role added", "role removed", "role given", "role taken". */
struct acl_diff_sink {
	void (*fn)(void *arg, const char *what, const char *whose, const char *text);
	void *arg;
};
void acl_diff(const struct acl *before, const struct acl *after, struct acl_diff_sink *sink);

#endif
