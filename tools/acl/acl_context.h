/* What broker-acl works with: configuration, users and ACL as the broker loads them, without
 * certificates and listeners.  Thread: main. */
#ifndef ACL_ACL_CONTEXT_H
#define ACL_ACL_CONTEXT_H

#include "acl/acl.h"
#include "auth/identity_source.h"
#include "conf/conf.h"

#define EXIT_DENIED 1

struct context {
	struct conf *conf;
	struct identity_source *identities;
	struct acl *acl;
};

/* Load; errors and warnings go to stderr. False: the broker would not start with it. Close in any
 * case. */
bool context_open(struct context *h, const char *conf_path);
void context_close(struct context *h);

/* For acl_each_test: `arg` is the context. */
bool context_roles_of(void *arg, struct acl_who *who);
/* Why this user cannot log in, and what to do about it; NULL: it can. The caller frees. */
char *context_why_no_login(const struct context *h, bool anonymous, const char *user);
/* The ACL file, as it can be opened from here. */
const char *context_acl_name(const struct context *h);
/* What stands before its name there, "dev/": rules are named without it (acl_rule_text). The caller
 * frees. */
char *context_acl_directory(const struct context *h);

#endif
