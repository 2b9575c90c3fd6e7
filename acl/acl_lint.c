/* Each warning names both places. */
#include "acl/acl_lint.h"

#include "acl/rule_filter.h"

/* Of longer lists only the first filters are compared: the comparison is one of pairs. */
#define LINT_FILTERS_MAX 2000

struct lint {
	const struct acl *acl;
	struct errors *errors;
	const struct acl_rule *rules;
	size_t count;
};

static bool uses_names(const struct rule_filter *f)
{
	for (size_t i = 0; i < f->count; i++) {
		if (f->levels[i].kind == LEVEL_PATTERN)
			return true;
	}
	return false;
}

/* Whatever `later` matches, `earlier` matches before. The texts are compared as written: the same
 * name in the same place is the same. Two exceptions: an allow with %u is silent where a deny with
 * %u is not (no value), and where bridges announce themselves an allow must name the place. */
static bool hides_filter(const struct acl_rule *earlier, const struct rule_filter *outer,
                         const struct acl_rule *later, const struct rule_filter *inner)
{
	if (!rule_filter_covers(slice_of_str(outer->source), slice_of_str(inner->source)))
		return false;
	if (!earlier->deny && later->deny && uses_names(outer))
		return false;
	return earlier->deny || !inner->names_bridge || outer->names_bridge;
}

static const struct acl_rule *find_hider(const struct lint *l, size_t later,
                                         const struct rule_filter *inner)
{
	for (size_t i = 0; i < later; i++) {
		const struct acl_rule *rule = &l->rules[i];

		if (rule->conditions != 0 || (l->rules[later].actions & ~rule->actions) != 0)
			continue;
		for (size_t f = 0; f < rule->filter_count; f++) {
			if (hides_filter(rule, &rule->filters[f], &l->rules[later], inner))
				return rule;
		}
	}
	return NULL;
}

static void warn_hidden(const struct lint *l, size_t index)
{
	const struct acl_rule *rule = &l->rules[index];
	const struct acl_rule *hider = NULL;

	for (size_t f = 0; f < rule->filter_count; f++) {
		hider = find_hider(l, index, &rule->filters[f]);
		if (hider == NULL)
			return;
	}
	if (hider != NULL)
		errors_warn(l->errors, l->acl->name, rule->line, rule->column,
		            "'%s' never decides: line %u, '%s', comes first and covers it; move it "
		            "up or remove it",
		            rule->text, hider->line, hider->text);
}

static bool guarded_system(const struct acl *acl, const struct rule_filter *f)
{
	(void)acl;
	return f->source[0] == '$' && !f->names_bridge;
}

static bool guarded_desired(const struct acl *acl, const struct rule_filter *f)
{
	for (size_t i = 0; i < acl->guard.count; i++) {
		if (rule_filter_covers(slice_of_str(acl->guard.rules[i].filters[0].source),
		                       slice_of_str(f->source)))
			return true;
	}
	return false;
}

static bool of_user(const struct acl *acl, const struct rule_filter *f)
{
	(void)acl;
	for (size_t i = 0; i < f->count; i++) {
		const struct pattern *p = &f->levels[i].pattern;

		for (size_t k = 0; k < p->count; k++) {
			if (p->parts[k].kind == PART_USER)
				return true;
		}
	}
	return false;
}

static bool all_filters(const struct acl *acl, const struct acl_rule *rule,
                        bool (*is)(const struct acl *acl, const struct rule_filter *f))
{
	for (size_t f = 0; f < rule->filter_count; f++) {
		if (!is(acl, &rule->filters[f]))
			return false;
	}
	return true;
}

/* An allow that guards or missing names make void. */
static void warn_void(const struct lint *l, const struct acl_rule *rule, bool anonymous)
{
	bool writes = (rule->actions & ACTIONS_READ) == 0;
	const char *why = NULL;

	if (rule->deny)
		return;
	if (writes && all_filters(l->acl, rule, guarded_system))
		why = "nobody publishes to topics that begin with $";
	else if (anonymous && writes && all_filters(l->acl, rule, guarded_desired))
		why = "anonymous clients never publish to desired_topics";
	else if (anonymous && all_filters(l->acl, rule, of_user))
		why = "anonymous clients have no %u";
	if (why != NULL)
		errors_warn(l->errors, l->acl->name, rule->line, rule->column,
		            "'%s' never allows anything: %s", rule->text, why);
}

static void lint_list(const struct acl *acl, struct errors *errors, const struct rule_list *list,
                      bool anonymous)
{
	struct lint l = {.acl = acl, .errors = errors, .rules = list->rules, .count = list->count};
	size_t filters = 0;

	for (size_t i = 0; i < list->count; i++) {
		filters += list->rules[i].filter_count;
		if (filters <= LINT_FILTERS_MAX)
			warn_hidden(&l, i);
		warn_void(&l, &list->rules[i], anonymous);
	}
}

void acl_lint(const struct acl *acl, struct errors *errors)
{
	for (size_t i = 0; i < acl->role_count; i++)
		lint_list(acl, errors, &acl->roles[i], false);
	for (size_t i = 0; i < acl->user_count; i++)
		lint_list(acl, errors, &acl->users[i].rules, false);
	lint_list(acl, errors, &acl->anonymous.rules, true);
}
