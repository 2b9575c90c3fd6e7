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
 * %u is not (no value), and an allow for topics of the broker's own must name the place. */
static bool hides_filter(const struct acl_rule *earlier, const struct rule_filter *outer,
                         const struct acl_rule *later, const struct rule_filter *inner)
{
	if (!rule_filter_covers(slice_of_str(outer->source), slice_of_str(inner->source)))
		return false;
	if (!earlier->deny && later->deny && uses_names(outer))
		return false;
	return earlier->deny || inner->place == PLACE_NONE || outer->place == inner->place;
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
	return f->source[0] == '$' && f->place == PLACE_NONE;
}

static bool of_control(const struct acl *acl, const struct rule_filter *f)
{
	(void)acl;
	return f->place == PLACE_CONTROL;
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

/* A filter that looks as if it let somebody control the broker. */
static void warn_no_control(const struct lint *l, const struct acl_rule *rule)
{
	if (rule->deny || (rule->actions & ACTION_BIT(ACL_PUBLISH)) == 0)
		return;
	for (size_t f = 0; f < rule->filter_count; f++) {
		const struct rule_filter *filter = &rule->filters[f];

		/* mutant: control_lint */
		if (filter->place != PLACE_CONTROL &&
		    slice_equal(filter->levels[0].raw, SLICE("$CONTROL")))
			errors_warn(l->errors, l->acl->name, rule->line, rule->column,
			            "'%s' does not let anybody control the broker: only filters "
			            "that begin with " CONTROL_PREFIX
			            " do, as in 'allow all " CONTROL_PREFIX "v1/#'",
			            filter->source);
	}
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
	else if (anonymous && writes && all_filters(l->acl, rule, of_control))
		why = "clients without a login never control the broker";
	else if (anonymous && writes && all_filters(l->acl, rule, guarded_desired))
		why = "anonymous clients never publish to desired_topics";
	else if (anonymous && all_filters(l->acl, rule, of_user))
		why = "anonymous clients have no %u";
	if (why != NULL)
		errors_warn(l->errors, l->acl->name, rule->line, rule->column,
		            "'%s' never allows anything: %s", rule->text, why);
}

/* --- one topic filter with a blank in it, which is read as two --- */

static struct slice first_level(const struct rule_filter *f)
{
	return f->levels[0].raw;
}

static bool ends_open(const struct rule_filter *f)
{
	return f->levels[f->count - 1].kind != LEVEL_TEXT;
}

/* May this filter be the rest of the one before it in the same rule? */
static bool may_continue(const struct acl_rule *rule, size_t filter)
{
	const struct rule_filter *f = &rule->filters[filter];
	const struct rule_filter *before = filter == 0 ? NULL : f - 1;

	return before != NULL && !f->quoted && !before->quoted && before->count > 1 &&
	       !ends_open(before) && f->levels[0].kind == LEVEL_TEXT && f->source[0] != '$' &&
	       !slice_equal(first_level(f), first_level(before));
}

static bool list_begins_with(const struct rule_list *list, struct slice level)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct acl_rule *rule = &list->rules[i];

		for (size_t f = 0; f < rule->filter_count; f++) {
			if (slice_equal(first_level(&rule->filters[f]), level) &&
			    !may_continue(rule, f))
				return true;
		}
	}
	return false;
}

/* Is there a topic anywhere in the file that surely begins with this level? */
static bool begins_a_topic(const struct acl *acl, struct slice level)
{
	bool found =
	    list_begins_with(&acl->anonymous.rules, level) || list_begins_with(&acl->guard, level);

	for (size_t i = 0; !found && i < acl->role_count; i++)
		found = list_begins_with(&acl->roles[i], level);
	for (size_t i = 0; !found && i < acl->user_count; i++)
		found = list_begins_with(&acl->users[i].rules, level);
	for (size_t i = 0; !found && i < acl->test_count; i++) {
		struct slice topic = slice_of_str(acl->tests[i].topic);

		found = slice_starts_with(topic, level) &&
		        (topic.len == level.len || topic.data[level.len] == '/');
	}
	return found;
}

static void warn_split(const struct lint *l, const struct acl_rule *rule)
{
	for (size_t f = 1; f < rule->filter_count; f++) {
		const char *left = rule->filters[f - 1].source, *right = rule->filters[f].source;

		/* mutant: rule_with_a_blank */
		if (!may_continue(rule, f) ||
		    begins_a_topic(l->acl, first_level(&rule->filters[f])))
			continue;
		errors_warn(l->errors, l->acl->name, rule->line, rule->column,
		            "'%s' has two topic filters here, '%s' and '%s'; a filter with a blank "
		            "in it must be in single quotes: '%s %s'; where two are meant, write "
		            "two rules",
		            rule->text, left, right, left, right);
		return;
	}
}

/* --- roles --- */

/* Everything is denied that no rule allows, and the denies of a role do not reach into other lists.
 */
static void warn_deny_only(const struct acl *acl, struct errors *errors,
                           const struct rule_list *role)
{
	for (size_t i = 0; i < role->count; i++) {
		if (!role->rules[i].deny)
			return;
	}
	if (role->count > 0)
		errors_warn(errors, acl->name, role->rules[0].line, role->rules[0].column,
		            "role '%s' only denies and so changes nothing: what no rule allows is "
		            "denied anyway, and its denies do not take away what another role "
		            "allows; put them into the rules of the users, which come first",
		            role->name);
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
		warn_no_control(&l, &list->rules[i]);
		warn_split(&l, &list->rules[i]);
	}
}

void acl_lint(const struct acl *acl, struct errors *errors)
{
	for (size_t i = 0; i < acl->role_count; i++) {
		lint_list(acl, errors, &acl->roles[i], false);
		warn_deny_only(acl, errors, &acl->roles[i]);
	}
	for (size_t i = 0; i < acl->user_count; i++)
		lint_list(acl, errors, &acl->users[i].rules, false);
	lint_list(acl, errors, &acl->anonymous.rules, true);
}
