/* Loading what broker-acl judges by, and who gets as far as the rules. */
#include "acl_context.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"

int report_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("broker-acl: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	return EXIT_USAGE;
}

/* A start takes a missing ACL file at its word: it denies everything. */
static struct acl *load_acl(const struct conf *conf, struct errors *errors)
{
	const char *path = conf->acl_file;

	if (path != NULL && access(path, F_OK) != 0 && errno == ENOENT) {
		errors_warn(errors, path, 0, 0,
		            "there is no such file: everything is denied; write rules into it");
		path = NULL;
	}
	return acl_load(path, conf->partial_subscriptions, errors);
}

static void print_errors(struct errors *errors)
{
	char *text = errors_text(errors);

	fputs(text, stderr);
	free(text);
	errors_fini(errors);
}

bool context_open(struct context *h, const char *conf_path)
{
	struct errors errors = {0};

	*h = (struct context){.conf = conf_load(conf_path, &errors)};
	if (h->conf != NULL) {
		h->users = users_load(h->conf->password_file, &errors);
		h->acl = load_acl(h->conf, &errors);
	}
	print_errors(&errors);
	if (h->conf == NULL || h->users == NULL || h->acl == NULL) {
		report_error("nothing is judged before what stands above is mended");
		return false;
	}
	return true;
}

void context_close(struct context *h)
{
	acl_free(h->acl);
	users_unref(&h->users);
	conf_free(h->conf);
}

bool context_roles_of(void *arg, struct slice user, char *const **roles, size_t *role_count)
{
	const struct context *h = arg;
	const struct user *entry = users_find(h->users, user);

	if (h->conf->password_file == NULL)
		return true; /* the roles are those of the ACL file alone */
	if (entry == NULL || entry->locked)
		return false;
	*roles = entry->roles;
	*role_count = entry->role_count;
	return true;
}

static bool lets_anonymous_in(const struct conf *conf)
{
	for (size_t i = 0; i < conf->listener_count; i++) {
		if (conf->listeners[i].authentication.anonymous)
			return true;
	}
	return false;
}

char *context_why_no_login(const struct context *h, bool anonymous, const char *user)
{
	const char *file = h->conf->password_file;
	const struct user *entry = anonymous ? NULL : users_find(h->users, slice_of_str(user));

	if (anonymous)
		return lets_anonymous_in(h->conf)
		           ? NULL
		           : xstrdup("no listener lets anonymous clients in; that would be "
		                     "authentication: { anonymous: true } in the configuration");
	if (file == NULL)
		return NULL;
	if (entry == NULL)
		return xasprintf("there is no user '%s' in %s; to make one: broker-passwd %s add "
		                 "%s",
		                 user, file, file, user);
	if (entry->locked)
		return xasprintf("user '%s' is locked in %s, line %u; to unlock: broker-passwd %s "
		                 "unlock %s",
		                 user, file, entry->line, file, user);
	return NULL;
}

const char *context_acl_name(const struct context *h)
{
	const char *path = h->conf->acl_file == NULL ? "acl.yaml" : h->conf->acl_file;
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}
