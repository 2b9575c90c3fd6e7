/* Running the tests of a policy file against it. */
#include "acl/acl_test.h"

#include "acl/acl_check.h"
#include "acl/acl_policy.h"
#include "acl/acl_verdict.h"

/* A topic that nobody owns yet counts as free. */
static struct acl_verdict test_ask(const struct acl *acl, const struct acl_test *test,
                                   const struct acl_who *who)
{
	struct acl_subject *subject = acl_subject_new(acl, who);
	struct acl_verdict verdict = acl_check(subject, &(struct acl_request){
							    .action = test->action,
							    .topic = slice_of_str(test->topic),
							    .retain = test->retain,
							    .qos = test->qos,
							    .payload = slice_of_str(test->payload),
							    .owner = ACL_OWNER_NOBODY_ELSE,
							});

	acl_subject_free(subject);
	return verdict;
}

size_t acl_each_test(const struct acl *acl, acl_roles_fn *roles_of, void *roles_arg,
                     acl_test_fn *report, void *arg)
{
	size_t run = 0;

	for (size_t i = 0; i < acl->test_count; i++) {
		const struct acl_test *test = &acl->tests[i];
		struct acl_test_result result = {
		    .line = test->line,
		    .column = test->column,
		    .user = test->user,
		    .action = test->action,
		    .topic = test->topic,
		    .expect_allow = test->expect_allow,
		};
		struct acl_who who = {
		    .anonymous = test->anonymous,
		    .user = slice_of_str(test->user),
		    .client_id = slice_of_str(test->client_id),
		};

		result.skipped = !test->anonymous && roles_of != NULL && !roles_of(roles_arg, &who);
		if (!result.skipped) {
			result.verdict = test_ask(acl, test, &who);
			result.passed = result.verdict.allowed == test->expect_allow;
			run++;
		}
		report(arg, &result);
	}
	return run;
}

struct test_report {
	const struct acl *acl;
	struct errors *errors;
};

static void report(void *arg, const struct acl_test_result *r)
{
	const struct test_report *to = arg;
	char why[256];

	if (r->skipped) {
		errors_warn(to->errors, to->acl->name, r->line, r->column,
		            "test skipped: user '%s' is missing or locked", r->user);
		return;
	}
	if (r->passed)
		return;
	acl_verdict_text(to->acl, &r->verdict, why, sizeof(why));
	errors_add(to->errors, to->acl->name, r->line, r->column,
	           "test failed: %s %s %s: expected %s, the policy says %s (%s)",
	           r->user == NULL ? "anonymous" : r->user, acl_action_name(r->action), r->topic,
	           r->expect_allow ? "allow" : "deny", r->verdict.allowed ? "allow" : "deny", why);
}

size_t acl_run_tests(const struct acl *acl, acl_roles_fn *roles_of, void *arg,
                     struct errors *errors)
{
	struct test_report to = {.acl = acl, .errors = errors};

	return acl_each_test(acl, roles_of, arg, report, &to);
}
