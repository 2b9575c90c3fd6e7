/* Four questions, each about all of one kind. */
#include "acl/acl_lint_users.h"

#include <stdlib.h>
#include <string.h>

#include "acl/acl_policy.h"
#include "base/alloc.h"
#include "base/nearest.h"

#define NAMED_MAX 5 /* of one kind of warning */

struct user_lint {
	const struct acl *acl;
	const struct acl_user_list *users;
	struct errors *errors;
};

/* The nearest name of the user list; NULL: none is near. */
static const char *nearest_user(const struct user_lint *l, const char *name)
{
	const char **names = xcalloc(l->users->count + 1, sizeof(*names));
	const char *nearest;

	for (size_t i = 0; i < l->users->count; i++) {
		struct acl_listed_user user;

		l->users->at(l->users->arg, i, &user);
		names[i] = user.name;
	}
	nearest = nearest_word(name, names, l->users->count);
	free(names);
	return nearest;
}

static const char *nearest_role(const struct user_lint *l, const char *name)
{
	const char **names = xcalloc(l->acl->role_count + 1, sizeof(*names));
	const char *nearest;

	for (size_t i = 0; i < l->acl->role_count; i++)
		names[i] = l->acl->roles[i].name;
	nearest = nearest_word(name, names, l->acl->role_count);
	free(names);
	return nearest;
}

/* --- users of the rules who do not exist --- */

static void name_missing_user(const struct user_lint *l, const struct principal *user)
{
	const char *near = nearest_user(l, user->name);
	char *why = l->users->why_missing(l->users->arg, user->name);

	if (near != NULL)
		errors_warn(l->errors, l->acl->name, user->line, user->column,
		            "user '%s' cannot log in: there is no such user in %s; did you mean "
		            "'%s'?",
		            user->name, l->users->path, near);
	else
		errors_warn(l->errors, l->acl->name, user->line, user->column,
		            "user '%s' cannot log in: %s; or remove it here", user->name, why);
	free(why);
}

static void warn_missing_users(const struct user_lint *l)
{
	size_t found = 0;

	for (size_t i = 0; i < l->acl->user_count; i++) {
		const struct principal *user = &l->acl->users[i];

		/* mutant: rules_of_a_missing_user */
		if (l->users->has(l->users->arg, user->name))
			continue;
		if (++found <= NAMED_MAX)
			name_missing_user(l, user);
	}
	if (found > NAMED_MAX)
		errors_warn(l->errors, l->acl->name, 0, 0,
		            "%zu more users here are not in %s and cannot log in",
		            found - NAMED_MAX, l->users->path);
}

/* --- roles that do not exist --- */

static void warn_missing_roles(const struct user_lint *l, const struct acl_listed_user *user,
                               size_t *found)
{
	for (size_t r = 0; r < user->role_count; r++) {
		const char *near;

		if (acl_find_role(l->acl, slice_of_str(user->roles[r])) != NULL ||
		    ++*found > NAMED_MAX)
			continue;
		near = nearest_role(l, user->roles[r]);
		errors_warn(l->errors, l->users->path, user->line, 0,
		            "user '%s' has the role '%s', which the ACL file does not define: it "
		            "grants nothing; %s%s%s",
		            user->name, user->roles[r], near == NULL ? "" : "did you mean '",
		            near == NULL ? "define it in the ACL file under roles:" : near,
		            near == NULL ? "" : "'?");
	}
}

/* --- users who may do nothing --- */

static bool has_nothing(const struct user_lint *l, const struct acl_listed_user *user)
{
	const struct principal *own = acl_find_user(l->acl, slice_of_str(user->name));

	return user->role_count == 0 &&
	       (own == NULL || (own->role_count == 0 && own->rules.count == 0));
}

static void warn_listed_users(const struct user_lint *l)
{
	size_t without_role = 0, without_anything = 0;

	for (size_t i = 0; i < l->users->count; i++) {
		struct acl_listed_user user;

		l->users->at(l->users->arg, i, &user);
		warn_missing_roles(l, &user, &without_role);
		/* mutant: user_without_role */
		if (!has_nothing(l, &user) || ++without_anything > NAMED_MAX)
			continue;
		errors_warn(l->errors, l->users->path, user.line, 0,
		            "user '%s' has no role and no rules: it can log in, and everything is "
		            "denied to it; in the ACL file write '%s: {roles: [ROLE]}' under "
		            "users:",
		            user.name, user.name);
	}
	if (without_role > NAMED_MAX)
		errors_warn(l->errors, l->users->path, 0, 0,
		            "%zu more roles of users are not defined in the ACL file",
		            without_role - NAMED_MAX);
	if (without_anything > NAMED_MAX)
		errors_warn(l->errors, l->users->path, 0, 0,
		            "%zu more users have no role and no rules",
		            without_anything - NAMED_MAX);
}

/* --- roles that nobody has --- */

static void mark_role(const struct user_lint *l, const char *name, bool *used)
{
	const struct rule_list *role = acl_find_role(l->acl, slice_of_str(name));

	if (role != NULL)
		used[role - l->acl->roles] = true;
}

static void mark_principal(const struct user_lint *l, const struct principal *p, bool *used)
{
	for (size_t i = 0; i < p->role_count; i++)
		mark_role(l, p->roles[i].name, used);
}

static void warn_unused_roles(const struct user_lint *l)
{
	bool *used = xcalloc(l->acl->role_count + 1, sizeof(*used));
	size_t found = 0;

	mark_principal(l, &l->acl->anonymous, used);
	for (size_t i = 0; i < l->acl->user_count; i++)
		mark_principal(l, &l->acl->users[i], used);
	for (size_t i = 0; i < l->users->count; i++) {
		struct acl_listed_user user;

		l->users->at(l->users->arg, i, &user);
		for (size_t r = 0; r < user.role_count; r++)
			mark_role(l, user.roles[r], used);
	}
	for (size_t i = 0; i < l->acl->role_count; i++) {
		if (used[i] || ++found > NAMED_MAX)
			continue;
		errors_warn(l->errors, l->acl->name, l->acl->roles[i].line, l->acl->roles[i].column,
		            "nobody has the role '%s'; give it to somebody ('roles: [%s]' at a "
		            "user), or remove it",
		            l->acl->roles[i].name, l->acl->roles[i].name);
	}
	if (found > NAMED_MAX)
		errors_warn(l->errors, l->acl->name, 0, 0, "nobody has %zu more roles",
		            found - NAMED_MAX);
	free(used);
}

void acl_lint_users(const struct acl *acl, const struct acl_user_list *users, struct errors *errors)
{
	struct user_lint l = {.acl = acl, .users = users, .errors = errors};

	if (acl->name[0] == '\0') /* no file: that is said by whoever knows why */
		return;
	warn_missing_users(&l);
	warn_listed_users(&l);
	warn_unused_roles(&l);
}
