/* The files of broker-acl: configuration, users and ACL as the broker loads them; certificates
 * and listeners are left alone.  Thread: main. */
#ifndef TOOLS_ACL_CONTEXT_H
#define TOOLS_ACL_CONTEXT_H

#include "acl/acl.h"
#include "auth/identity_source.h"
#include "conf/conf.h"

#define EXIT_DENIED 1
#define EXIT_USAGE  2 /* use, or configuration */

struct context {
	struct conf *conf;
	struct identity_source *identities;
	struct acl *acl;
};

/* Say what is wrong: "broker-acl: ...". Returns EXIT_USAGE. */
int report_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Load; mistakes and warnings go to stderr. False where the broker would not start with it. Close
 * in any case. */
bool context_open(struct context *h, const char *conf_path);
void context_close(struct context *h);

/* For acl_run_tests: `arg` is the context. */
bool context_roles_of(void *arg, struct slice user, char *const **roles, size_t *role_count);
/* Why nobody of this name logs in here, and what to do about it; NULL where there is no reason. The
 * caller frees. */
char *context_why_no_login(const struct context *h, bool anonymous, const char *user);
/* The ACL file's name without its directory, as rules are named. */
const char *context_acl_name(const struct context *h);

#endif
