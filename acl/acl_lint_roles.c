/* Each deny of one role against the allows of another that somebody has, too. */
#include "acl/acl_lint_roles.h"

#include <stdlib.h>
#include <string.h>

#include "acl/acl_policy.h"
#include "base/alloc.h"
#include "base/require.h"

#define NAMED_MAX 5       /* the rest is counted */
#define ROLES_MAX 64      /* of a user: more are not compared */
#define WORK_MAX  1000000 /* comparisons of filters in all */

struct role_lint {
	const struct acl *acl;
	struct errors *errors;
	bool *warned;  /* by the number of the rule */
	bool *without; /* by pairs of roles: the first has no deny */
	size_t found, work;
};

/* The roles of one user, with the user's own rules, which come first. */
struct role_set {
	const char *name;
	const struct rule_list *own; /* NULL: none */
	const struct rule_list *roles[ROLES_MAX];
	size_t count;
};

static bool covers(struct role_lint *l, const struct acl_rule *rule, const struct acl_rule *other,
                   const struct rule_filter *inner)
{
	if (rule->conditions != 0 || (other->actions & ~rule->actions) != 0)
		return false;
	for (size_t f = 0; f < rule->filter_count; f++) {
		const struct rule_filter *outer = &rule->filters[f];

		l->work++;
		if (strchr(outer->source, '%') == NULL && outer->place == inner->place &&
		    rule_filter_covers(slice_of_str(outer->source), slice_of_str(inner->source)))
			return true;
	}
	return false;
}

/* The rule of the list that surely decides about all that this filter of `rule` matches; NULL: it
 * is not known. */
static const struct acl_rule *decider(struct role_lint *l, const struct rule_list *list,
                                      const struct acl_rule *rule, const struct rule_filter *f)
{
	for (size_t i = 0; i < list->count; i++) {
		if (covers(l, &list->rules[i], rule, f))
			return &list->rules[i];
		if (list->rules[i].deny) /* of a part of it, perhaps */
			return NULL;
	}
	return NULL;
}

/* The allow that makes this deny void; NULL: none. */
static const struct acl_rule *find_allow(struct role_lint *l, const struct role_set *set,
                                         const struct rule_list *other, const struct acl_rule *deny)
{
	const struct acl_rule *allow = NULL;

	for (size_t f = 0; f < deny->filter_count; f++) {
		allow = decider(l, other, deny, &deny->filters[f]);
		if (allow == NULL || allow->deny ||
		    (set->own != NULL && decider(l, set->own, deny, &deny->filters[f]) != NULL))
			return NULL;
	}
	return allow;
}

static void warn_void_deny(struct role_lint *l, const struct role_set *set,
                           const struct rule_list *role, const struct rule_list *other,
                           const struct acl_rule *deny, const struct acl_rule *allow)
{
	REQUIRE(deny->id <= l->acl->rule_count && deny->deny && !allow->deny);
	l->warned[deny->id] = true;
	if (++l->found > NAMED_MAX)
		return;
	errors_warn(l->errors, l->acl->name, deny->line, deny->column,
	            "'%s' of role '%s' denies nothing to '%s', who has role '%s', too: line %u, "
	            "'%s', allows it, and one role that allows is enough; what must hold belongs "
	            "into the user's own rules, which come first",
	            deny->text, role->name, set->name, other->name, allow->line, allow->text);
}

static void compare_roles(struct role_lint *l, const struct role_set *set,
                          const struct rule_list *role, const struct rule_list *other)
{
	size_t pair =
	    (size_t)(role - l->acl->roles) * l->acl->role_count + (size_t)(other - l->acl->roles);
	bool denies = false;

	REQUIRE(role != other && pair < l->acl->role_count * l->acl->role_count);
	if (l->without[pair])
		return;
	for (size_t i = 0; i < role->count && l->work < WORK_MAX; i++) {
		const struct acl_rule *deny = &role->rules[i], *allow;

		if (!deny->deny)
			continue;
		allow = find_allow(l, set, other, deny);
		/* mutant: lint_void_deny */
		if (allow != NULL && !l->warned[deny->id])
			warn_void_deny(l, set, role, other, deny, allow);
		denies = true;
	}
	l->without[pair] = !denies;
}

static void compare_set(struct role_lint *l, const struct role_set *set)
{
	for (size_t a = 0; a < set->count; a++) {
		for (size_t b = 0; b < set->count; b++) {
			if (a != b && l->work < WORK_MAX)
				compare_roles(l, set, set->roles[a], set->roles[b]);
		}
	}
}

static void add_role(const struct acl *acl, struct role_set *set, const char *name)
{
	const struct rule_list *role = acl_find_role(acl, slice_of_str(name));

	for (size_t i = 0; i < set->count; i++) {
		if (set->roles[i] == role)
			return;
	}
	if (role != NULL && set->count < ROLES_MAX)
		set->roles[set->count++] = role;
}

static void add_principal(const struct acl *acl, struct role_set *set, const struct principal *p)
{
	set->own = &p->rules;
	for (size_t i = 0; i < p->role_count; i++)
		add_role(acl, set, p->roles[i].name);
}

static void compare_user(struct role_lint *l, const struct acl_listed_user *user)
{
	const struct principal *own = acl_find_user(l->acl, slice_of_str(user->name));
	struct role_set set = {.name = user->name};

	if (own != NULL)
		add_principal(l->acl, &set, own);
	for (size_t r = 0; r < user->role_count; r++)
		add_role(l->acl, &set, user->roles[r]);
	compare_set(l, &set);
}

void acl_lint_roles(const struct acl *acl, const struct acl_user_list *users, struct errors *errors)
{
	struct role_lint l = {.acl = acl, .errors = errors};
	struct role_set anonymous = {.name = "anonymous"};

	l.warned = xcalloc(acl->rule_count + 1, sizeof(*l.warned));
	l.without = xcalloc(acl->role_count * acl->role_count + 1, sizeof(*l.without));
	add_principal(acl, &anonymous, &acl->anonymous);
	compare_set(&l, &anonymous);
	for (size_t i = 0; i < users->count && l.work < WORK_MAX; i++) {
		struct acl_listed_user user;

		users->at(users->arg, i, &user);
		compare_user(&l, &user);
	}
	if (l.found > NAMED_MAX)
		errors_warn(errors, acl->name, 0, 0,
		            "%zu more denies of roles deny nothing, because another role allows it",
		            l.found - NAMED_MAX);
	free(l.warned);
	free(l.without);
}
