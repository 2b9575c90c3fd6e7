/* The policy, list by list. */
#include "acl/acl_listing.h"

#include "acl/acl_policy.h"
#include "base/require.h"

static void visit_list(const struct rule_list *list, struct acl_listed row, acl_listing_fn *fn,
                       void *arg)
{
	for (size_t i = 0; i < list->count; i++) {
		row.line = list->rules[i].line;
		row.rule = list->rules[i].text;
		fn(arg, &row);
	}
}

void acl_listing_visit(const struct acl *acl, acl_listing_fn *fn, void *arg)
{
	REQUIRE(acl != NULL && fn != NULL);
	for (size_t i = 0; i < acl->role_count; i++) {
		const struct rule_list *role = &acl->roles[i];
		struct acl_listed row = {.role = role->name, .line = role->line};

		if (role->count == 0)
			fn(arg, &row);
		visit_list(role, row, fn, arg);
	}
	for (size_t i = 0; i < acl->user_count; i++)
		visit_list(&acl->users[i].rules, (struct acl_listed){.user = acl->users[i].name},
		           fn, arg);
	visit_list(&acl->anonymous.rules, (struct acl_listed){.line = 0}, fn, arg);
}

void acl_listing_visit_roles(const struct acl *acl, struct slice user, acl_listing_role_fn *fn,
                             void *arg)
{
	const struct principal *p = acl_find_user(acl, user);

	REQUIRE(fn != NULL);
	for (size_t i = 0; p != NULL && i < p->role_count; i++)
		fn(arg, p->roles[i].name);
}
