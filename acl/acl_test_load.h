/* Reading the tests: section.  Inside acl/ only.  Thread: main. */
#ifndef ACL_ACL_TEST_LOAD_H
#define ACL_ACL_TEST_LOAD_H

#include "acl/acl_policy.h"
#include "conf/errors.h"
#include "conf/yaml.h"

/* Mistakes go to errors. */
void acl_test_load(struct acl *acl, const struct yaml_node *section, struct errors *errors);
void acl_test_fini(struct acl_test *test);

#endif
