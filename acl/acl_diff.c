/* Rules are compared by their text. */
#include "acl/acl_diff.h"

#include "acl/acl_policy.h"

static bool list_has(const struct rule_list *list, const char *text)
{
	for (size_t i = 0; list != NULL && i < list->count; i++) {
		if (strcmp(list->rules[i].text, text) == 0)
			return true;
	}
	return false;
}

static void report_missing(const struct rule_list *in, const struct rule_list *from,
                           const char *what, const char *whose, struct acl_diff_sink *sink)
{
	for (size_t i = 0; in != NULL && i < in->count; i++) {
		if (!list_has(from, in->rules[i].text))
			sink->fn(sink->arg, what, whose, in->rules[i].text);
	}
}

static size_t index_of(const struct rule_list *list, const char *text)
{
	size_t i = 0;

	while (i < list->count && strcmp(list->rules[i].text, text) != 0)
		i++;
	return i;
}

/* The first rule that decides is the answer: a rule that only moves may change everything. */
static void report_moved(const struct rule_list *before, const struct rule_list *after,
                         const char *whose, struct acl_diff_sink *sink)
{
	size_t last = 0;

	for (size_t i = 0; before != NULL && after != NULL && i < after->count; i++) {
		size_t was = index_of(before, after->rules[i].text);

		if (was == before->count)
			continue;
		/* mutant: reload_tells_order */
		if (was < last)
			sink->fn(sink->arg, "rule moved down", whose, after->rules[i].text);
		last = was;
	}
}

static void diff_lists(const struct rule_list *before, const struct rule_list *after,
                       const char *whose, struct acl_diff_sink *sink)
{
	static const char *const words[] = {
	    [ACL_PARTIAL_UNSAID] = "not set",
	    [ACL_PARTIAL_REFUSE] = "refuse",
	    [ACL_PARTIAL_FILTER] = "filter",
	};
	enum acl_partial old = before == NULL ? ACL_PARTIAL_UNSAID : before->partial;
	enum acl_partial now = after == NULL ? ACL_PARTIAL_UNSAID : after->partial;

	if (old != now)
		sink->fn(sink->arg, "partial_subscriptions", whose, words[now]);
	report_missing(before, after, "rule removed", whose, sink);
	report_missing(after, before, "rule added", whose, sink);
	report_moved(before, after, whose, sink);
}

static bool holds_role(const struct principal *h, const char *name)
{
	for (size_t i = 0; h != NULL && i < h->role_count; i++) {
		if (strcmp(h->roles[i].name, name) == 0)
			return true;
	}
	return false;
}

static void diff_role_uses(const struct principal *in, const struct principal *from,
                           const char *what, const char *whose, struct acl_diff_sink *sink)
{
	for (size_t i = 0; in != NULL && i < in->role_count; i++) {
		if (!holds_role(from, in->roles[i].name))
			sink->fn(sink->arg, what, whose, in->roles[i].name);
	}
}

static void diff_principals(const struct principal *before, const struct principal *after,
                            const char *whose, struct acl_diff_sink *sink)
{
	diff_role_uses(before, after, "role taken", whose, sink);
	diff_role_uses(after, before, "role given", whose, sink);
	diff_lists(before == NULL ? NULL : &before->rules, after == NULL ? NULL : &after->rules,
	           whose, sink);
}

void acl_diff(const struct acl *before, const struct acl *after, struct acl_diff_sink *sink)
{
	diff_lists(&before->guard, &after->guard, "desired_topics", sink);
	for (size_t i = 0; i < before->role_count; i++) {
		const struct rule_list *old = &before->roles[i];

		if (acl_find_role(after, slice_of_str(old->name)) == NULL)
			sink->fn(sink->arg, "role removed", old->name, "");
	}
	for (size_t i = 0; i < after->role_count; i++) {
		const struct rule_list *now = &after->roles[i];
		const struct rule_list *old = acl_find_role(before, slice_of_str(now->name));

		if (old == NULL)
			sink->fn(sink->arg, "role added", now->name, "");
		diff_lists(old, now, now->name, sink);
	}
	for (size_t i = 0; i < before->user_count; i++) {
		const struct principal *old = &before->users[i];

		if (acl_find_user(after, slice_of_str(old->name)) == NULL)
			diff_principals(old, NULL, old->name, sink);
	}
	for (size_t i = 0; i < after->user_count; i++) {
		const struct principal *now = &after->users[i];

		diff_principals(acl_find_user(before, slice_of_str(now->name)), now, now->name,
		                sink);
	}
	diff_principals(&before->anonymous, &after->anonymous, "anonymous", sink);
}
