/* Loading a policy as one piece: nothing is used before everything was read and checked. */
#include "core/policy.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"

static bool roles_of_user(void *arg, struct slice name, char *const **roles, size_t *role_count)
{
	const struct user *user = users_find(arg, name);

	if (user == NULL || user->locked)
		return false;
	*roles = user->roles;
	*role_count = user->role_count;
	return true;
}

static void warn_unknown_roles(const struct policy *p, struct errors *errors)
{
	for (size_t i = 0; i < users_count(p->users); i++) {
		const struct user *user = users_at(p->users, i);

		for (size_t r = 0; r < user->role_count; r++) {
			if (!acl_has_role(p->acl, user->roles[r]))
				errors_warn(
				    errors, p->conf->password_file, user->line, 0,
				    "user '%s' has the role '%s', which the ACL file does not "
				    "define: it gives nothing",
				    user->name, user->roles[r]);
		}
	}
}

static struct acl *load_acl(const struct conf *conf, struct errors *errors)
{
	/* A start takes a missing ACL file at its word: it denies everything. */
	if (conf->acl_file != NULL && access(conf->acl_file, F_OK) != 0 && errno == ENOENT) {
		errors_warn(errors, conf->acl_file, 0, 0,
		            "there is no such file: everything is denied; write rules into it");
		return acl_load(NULL, conf->partial_subscriptions, errors);
	}
	if (conf->acl_file != NULL &&
	    conf_check_unwritable(conf->acl_file, "ACL file", errors) != 0)
		return NULL;
	return acl_load(conf->acl_file, conf->partial_subscriptions, errors);
}

static void load_tls(struct policy *p, struct tls_tickets *tickets, struct errors *errors)
{
	for (size_t i = 0; i < p->conf->listener_count; i++) {
		const struct conf_listener *l = &p->conf->listeners[i];

		if (!l->is_unix)
			p->tls[i] =
			    tls_context_new(&l->tls, p->conf->path, (unsigned)i, tickets, errors);
	}
}

static void run_tests(const struct policy *p, struct errors *errors)
{
	/* Without a password file the roles are those of the ACL file alone. */
	acl_run_tests(p->acl, p->conf->password_file == NULL ? NULL : roles_of_user, p->users,
	              errors);
}

struct policy *policy_load(const char *conf_path, struct tls_tickets *tickets, uint64_t generation,
                           struct errors *errors)
{
	struct policy *p = xnew(p);

	atomic_store(&p->refs, 1);
	p->generation = generation;
	p->conf = conf_load(conf_path, errors);
	if (p->conf == NULL)
		goto fail;
	p->tls = xcalloc(p->conf->listener_count, sizeof(*p->tls));
	p->users = users_load(p->conf->password_file, errors);
	p->acl = load_acl(p->conf, errors);
	load_tls(p, tickets, errors);
	if (p->users != NULL && p->acl != NULL) {
		warn_unknown_roles(p, errors);
		run_tests(p, errors);
	}
	if (errors->error_count == 0)
		return p;
fail:
	policy_unref(&p);
	return NULL;
}

struct policy *policy_of(struct conf *conf, struct users *users, struct acl *acl,
                         uint64_t generation)
{
	struct policy *p = xnew(p);

	atomic_store(&p->refs, 1);
	p->generation = generation;
	p->conf = conf;
	p->users = users;
	p->acl = acl;
	p->tls = xcalloc(conf->listener_count, sizeof(*p->tls));
	return p;
}

struct policy *policy_ref(struct policy *p)
{
	atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	return p;
}

void policy_unref(struct policy **ref)
{
	struct policy *p = *ref;

	*ref = NULL;
	if (p == NULL || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; p->tls != NULL && i < p->conf->listener_count; i++)
		tls_context_unref(&p->tls[i]);
	free(p->tls);
	acl_free(p->acl);
	users_unref(&p->users);
	conf_free(p->conf);
	free(p);
}

struct acl_subject *policy_subject(const struct policy *p, bool anonymous, struct slice user,
                                   struct slice client_id)
{
	const struct user *entry = anonymous ? NULL : users_find(p->users, user);
	struct acl_who who = {.anonymous = anonymous, .user = user, .client_id = client_id};

	if (entry != NULL && !entry->locked) {
		who.roles = entry->roles;
		who.role_count = entry->role_count;
	}
	return acl_subject_new(p->acl, &who);
}

static const char *reach_of(const struct conf_listener *l)
{
	if (strcmp(l->host, "::") == 0 || strcmp(l->host, "0.0.0.0") == 0)
		return "anywhere";
	if (strcmp(l->host, "::1") == 0 || strncmp(l->host, "127.", 4) == 0)
		return "this machine";
	return l->host;
}

static const char *means_of_login(const struct policy *p, const struct conf_listener *l)
{
	bool names = l->authentication.certificate_user != CERTIFICATE_USER_NONE;
	bool password = p->conf->password_file != NULL;

	if (l->tls.client_certificates == CLIENT_CERTIFICATES_REQUIRED)
		return names      ? "certificate"
		       : password ? "certificate and password"
		                  : "certificate";
	if (l->tls.client_certificates == CLIENT_CERTIFICATES_OPTIONAL && names)
		return password ? "password or certificate" : "certificate";
	return password ? "password" : "nobody can log in by name (no password_file)";
}

char *policy_exposure(const struct policy *p)
{
	struct buf out = {0};

	for (size_t i = 0; i < p->conf->listener_count; i++) {
		const struct conf_listener *l = &p->conf->listeners[i];

		if (l->is_unix)
			buf_printf(&out, "%s (mode %04o) from this machine: ", l->bind, l->mode);
		else
			buf_printf(&out, "%u/TLS from %s: ", l->port, reach_of(l));
		buf_printf(&out, "%s; anonymous: %s\n", means_of_login(p, l),
		           l->authentication.anonymous ? "yes" : "no");
	}
	buf_printf(&out, "%zu users, %zu roles, %zu rules", users_count(p->users),
	           acl_role_count(p->acl), acl_rule_count(p->acl));
	buf_put_u8(&out, '\0');
	return (char *)out.data;
}
