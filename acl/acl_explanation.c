/* The gate is asked list by list.  Here is only what explains its answers: where roles come from,
 * and why a rule that looks right does not match. */
#include "acl/acl_explanation.h"

#include <stdlib.h>

#include "acl/acl_policy.h"
#include "acl/condition.h"
#include "acl/rule_names.h"
#include "base/alloc.h"
#include "base/require.h"

/* ---- who has which role, and from where ---- */

static struct acl_answer *find_answer(struct acl_explanation *a, const char *role)
{
	for (size_t i = 1; i < a->count; i++) {
		if (strcmp(a->answers[i].role, role) == 0)
			return &a->answers[i];
	}
	return NULL;
}

static struct acl_answer *add_role(struct acl_explanation *a, const struct acl *acl,
                                   const char *role)
{
	struct acl_answer *answer = find_answer(a, role);
	const struct rule_list *list;

	if (answer != NULL)
		return answer;
	list = acl_find_role(acl, slice_of_str(role));
	answer = &a->answers[a->count++];
	answer->role = role;
	answer->defined = list != NULL;
	answer->rule_count = list == NULL ? 0 : list->count;
	return answer;
}

/* ---- rules that nearly fit ---- */

/* NULL where the rule has nothing to do with the topic. */
static char *why_not(const struct acl_rule *rule, const struct rule_names *n,
                     const struct acl_request *request, bool parts)
{
	for (size_t f = 0; f < rule->filter_count; f++) {
		if (!rule_filter_overlaps(&rule->filters[f], request->topic, &n->in_filters))
			continue;
		if (request->action == ACL_SUBSCRIBE)
			return parts ? NULL : xstrdup("it covers only a part of the filter");
		return condition_why_not(rule, request, &n->in_conditions);
	}
	return NULL;
}

struct accounting {
	bool parts; /* a subscription may be granted in part */
	const struct acl_request *request;
	struct acl_explanation *explanation;
	struct rule_names names;
};

static void list_near_misses(const struct accounting *c, struct acl_answer *answer,
                             const struct rule_list *list)
{
	const struct acl_rule *end =
	    answer->rule == NULL ? list->rules + list->count : answer->rule;

	if (answer->rule != NULL && !answer->rule->deny)
		return;
	answer->near_misses = xcalloc(list->count + 1, sizeof(*answer->near_misses));
	for (const struct acl_rule *rule = list->rules; rule != end; rule++) {
		char *why;

		if (rule->deny || (rule->actions & ACTION_BIT(c->request->action)) == 0)
			continue;
		why = why_not(rule, &c->names, c->request, c->parts);
		if (why != NULL)
			answer->near_misses[answer->near_miss_count++] =
			    (struct acl_near_miss){rule, why};
	}
}

static bool list_uses_client(const struct rule_list *list, uint8_t action)
{
	for (size_t i = 0; i < list->count; i++) {
		if ((list->rules[i].actions & action) != 0 &&
		    strstr(list->rules[i].text, "%c") != NULL)
			return true;
	}
	return false;
}

static void on_answer(void *arg, const struct rule_list *list, const struct acl_rule *first)
{
	struct accounting *c = arg;
	struct acl_answer *answer = list->name == NULL ? &c->explanation->answers[0]
	                                               : find_answer(c->explanation, list->name);

	REQUIRE(answer != NULL);
	answer->rule = first;
	list_near_misses(c, answer, list);
	if (list_uses_client(list, ACTION_BIT(c->request->action)) &&
	    c->names.in_conditions.client.len == 0)
		c->explanation->lacks_client_id = true;
}

struct acl_explanation *acl_explanation_new(const struct acl *acl, const struct acl_who *who,
                                            const struct acl_request *request)
{
	const struct principal *principal =
	    who->anonymous ? &acl->anonymous : acl_find_user(acl, who->user);
	size_t given = who->anonymous ? 0 : who->role_count;
	size_t added = principal == NULL ? 0 : principal->role_count;
	struct acl_subject *subject = acl_subject_new(acl, who);
	struct acl_explanation *explanation = xnew(explanation);
	struct accounting c = {
	    .request = request, .explanation = explanation, .names = rule_names_of(who)};

	explanation->verdict = acl_check(subject, request);
	if (request->action == ACL_SUBSCRIBE) {
		bool whole = acl_check_subscribe(subject, request, false).allowed;

		c.parts = acl_grants_parts(subject, request, &explanation->partial_by);
		explanation->in_part = explanation->verdict.allowed && !whole;
		explanation->would_be_in_part =
		    !c.parts && !whole && acl_check_subscribe(subject, request, true).allowed;
	}
	/* Own rules first, then roles in the order in which the gate asks them. */
	explanation->answers = xcalloc(1 + given + added, sizeof(*explanation->answers));
	explanation->count = 1;
	explanation->answers[0].defined = true;
	explanation->answers[0].rule_count = principal == NULL ? 0 : principal->rules.count;
	for (size_t i = 0; i < given; i++)
		add_role(explanation, acl, who->roles[i])->from_source = true;
	for (size_t i = 0; i < added; i++)
		add_role(explanation, acl, principal->roles[i].name)->line =
		    principal->roles[i].line;
	acl_ask_each(subject, request, on_answer, &c);
	acl_subject_free(subject);
	return explanation;
}

void acl_explanation_free(struct acl_explanation *explanation)
{
	if (explanation == NULL)
		return;
	for (size_t i = 0; i < explanation->count; i++) {
		for (size_t m = 0; m < explanation->answers[i].near_miss_count; m++)
			free(explanation->answers[i].near_misses[m].why);
		free(explanation->answers[i].near_misses);
	}
	free(explanation->answers);
	free(explanation);
}
