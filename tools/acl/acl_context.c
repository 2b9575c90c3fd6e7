/* Loading the files, and who can log in at all. */
#include "acl_context.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "conf/conf_load.h"
#include "program/command_line.h"

/* As the broker does at its start: a missing ACL file denies everything. */
static struct acl *load_acl(const struct conf *conf, struct errors *errors)
{
	const char *path = conf->acl_file;

	if (path != NULL && access(path, F_OK) != 0 && errno == ENOENT) {
		errors_warn(errors, path, 0, 0,
		            "the file does not exist: everything is denied; write rules into it");
		path = NULL;
	}
	return acl_load(path, conf->authorization.partial_subscriptions, errors);
}

bool context_open(struct context *h, const char *conf_path)
{
	struct errors errors = {0};
	char *text;

	*h = (struct context){.conf = conf_load(conf_path, &errors)};
	if (h->conf != NULL) {
		h->identities = identity_source_load(h->conf, &errors);
		h->acl = load_acl(h->conf, &errors);
	}
	text = errors_text(&errors);
	fputs(text, stderr);
	free(text);
	errors_fini(&errors);
	if (h->conf == NULL || h->identities == NULL || h->acl == NULL) {
		report_error(EXIT_USAGE, "fix the errors above first");
		return false;
	}
	return true;
}

void context_close(struct context *h)
{
	acl_free(h->acl);
	identity_source_unref(&h->identities);
	conf_free(h->conf);
}

bool context_roles_of(void *arg, struct acl_who *who)
{
	const struct context *h = arg;

	who->assumed = identity_source_is_assumed(h->identities, who->user);
	return identity_source_roles(h->identities, who->user, &who->roles, &who->role_count);
}

static bool lets_anonymous_in(const struct conf *conf)
{
	for (size_t i = 0; i < conf->listener_count; i++) {
		if (conf->listeners[i].authentication.anonymous)
			return true;
	}
	return false;
}

static bool is_assumed_anywhere(const struct conf *conf, const char *user)
{
	for (size_t i = 0; i < conf->listener_count; i++) {
		const char *assumed = conf->listeners[i].assume_user;

		if (assumed != NULL && user != NULL && strcmp(assumed, user) == 0)
			return true;
	}
	return false;
}

char *context_why_no_login(const struct context *h, bool anonymous, const char *user)
{
	if (anonymous)
		return lets_anonymous_in(h->conf)
		           ? NULL
		           : xstrdup("no listener admits anonymous clients; to admit them: "
		                     "authentication: { anonymous: true } in the configuration");
	if (identity_source_is_assumed(h->identities, slice_of_str(user)) &&
	    !is_assumed_anywhere(h->conf, user))
		return xasprintf("user '%s' is only for assume_user, and no listener has "
		                 "assume_user: %s",
		                 user, user);
	return identity_source_why_refused(h->identities, user);
}

const char *context_acl_name(const struct context *h)
{
	return h->conf->acl_file == NULL ? "acl.yaml" : h->conf->acl_file;
}

char *context_acl_directory(const struct context *h)
{
	const char *path = context_acl_name(h), *slash = strrchr(path, '/');

	return xstrndup(path, slash == NULL ? 0 : (size_t)(slash - path) + 1);
}
