/* Everything that a configuration says, loaded and checked together: the broker.yaml, users, ACL
 * and TLS contexts that are in force at one time. Immutable, shared by reference; each worker holds
 * the one it works by, and a reload is a new one.  Thread: made on main. */
#ifndef CORE_POLICY_H
#define CORE_POLICY_H

#include "acl/acl.h"
#include "auth/login.h"
#include "auth/users.h"
#include "conf/conf.h"
#include "net/tls.h"

struct policy {
	_Atomic uint32_t refs;
	uint64_t generation; /* from 1, one more with each that was taken */
	struct conf *conf;
	struct users *users;
	struct acl *acl;
	struct tls_context **tls; /* one per listener; NULL for a Unix socket */
};

/* Load everything the file names. NULL when there are errors: all of them are in *errors. */
struct policy *policy_load(const char *conf_path, struct tls_tickets *tickets, uint64_t generation,
                           struct errors *errors);
/* From parts, for tests without files; takes over all of them (tls: all NULL). */
struct policy *policy_of(struct conf *conf, struct users *users, struct acl *acl,
                         uint64_t generation);
struct policy *policy_ref(struct policy *p);
void policy_unref(struct policy **p);

/* The rules' view of somebody who has logged in: roles from the password file and the ACL file. The
 * caller frees. */
struct acl_subject *policy_subject(const struct policy *p, bool anonymous, struct slice user,
                                   struct slice client_id);

/* What is reachable by whom, in plain words, a line per listener. The caller frees. */
char *policy_exposure(const struct policy *p);

#endif
