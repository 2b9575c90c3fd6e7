/* The tests: section: what the policy must answer, written beside it.  Thread: main. */
#ifndef ACL_ACL_TEST_H
#define ACL_ACL_TEST_H

#include "acl/acl_types.h"
#include "conf/errors.h"

/* The roles that the identity source gives to a user. False: the user is missing or locked. */
typedef bool acl_roles_fn(void *arg, struct acl_who *who);

/* Run the tests of the file. A test of a user who is missing or locked is skipped with a warning; a
 * failed test is an error with its place. Returns how many ran. */
size_t acl_run_tests(const struct acl *acl, acl_roles_fn *roles_of, void *arg,
                     struct errors *errors);

/* A test that has run. */
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
/* The same, with each result reported. */
size_t acl_each_test(const struct acl *acl, acl_roles_fn *roles_of, void *roles_arg,
                     acl_test_fn *report, void *arg);

#endif
