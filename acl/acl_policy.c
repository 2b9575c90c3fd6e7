/* Finding what belongs to a name. Both arrays are in the order of their names. */
#include "acl/acl_policy.h"

static int name_order(struct slice name, const char *stored)
{
	return slice_compare(name, slice_of_str(stored));
}

const struct rule_list *acl_find_role(const struct acl *acl, struct slice name)
{
	size_t low = 0, high = acl->role_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = name_order(name, acl->roles[middle].name);

		if (order == 0)
			return &acl->roles[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

const struct principal *acl_find_user(const struct acl *acl, struct slice name)
{
	size_t low = 0, high = acl->user_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = name_order(name, acl->users[middle].name);

		if (order == 0)
			return &acl->users[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}
