/* The account of a verdict. The gate is asked list by list; here is only what people want to know
 * around it: where roles come from, and why a rule that looks right does not fit.  Any thread. */
#include "acl/explanation.h"

#include <stdlib.h>

#include "acl/acl_policy.h"
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

/* Own rules first, then roles in the order in which the gate asks them. */
static void list_answers(struct acl_explanation *a, const struct acl *acl,
                         const struct acl_who *who, const struct principal *principal)
{
	size_t given = who->anonymous ? 0 : who->role_count;
	size_t added = principal == NULL ? 0 : principal->role_count;

	a->answers = xcalloc(1 + given + added, sizeof(*a->answers));
	a->count = 1;
	a->answers[0].defined = true;
	a->answers[0].rule_count = principal == NULL ? 0 : principal->rules.count;
	for (size_t i = 0; i < given; i++)
		add_role(a, acl, who->roles[i])->from_source = true;
	for (size_t i = 0; i < added; i++)
		add_role(a, acl, principal->roles[i].name)->line = principal->roles[i].line;
}

/* ---- rules that nearly fit ---- */

struct names_of {
	struct names in_filters;
	struct names in_payloads;
};

static struct names_of names_of(const struct acl_who *who)
{
	struct names_of n = {.in_payloads.client = who->client_id};

	if (n.in_payloads.client.data == NULL)
		n.in_payloads.client = SLICE("");
	if (!who->anonymous)
		n.in_payloads.user = who->user;
	if (acl_name_is_clean(who->client_id))
		n.in_filters.client = who->client_id;
	if (!who->anonymous && acl_name_is_clean(who->user))
		n.in_filters.user = who->user;
	return n;
}

static char *why_not_retain(const struct acl_rule *rule, const struct acl_request *request)
{
	if (rule->retain == RETAIN_NO)
		return request->retain ? xstrdup("the message is retained") : NULL;
	if (rule->retain == RETAIN_ANY)
		return NULL;
	if (!request->retain)
		return xstrdup("the message is not retained");
	if (rule->retain == RETAIN_DELETE && request->payload.len > 0)
		return xstrdup("the payload is not empty");
	return NULL;
}

/* The first condition that does not hold. */
static char *why_not_holds(const struct acl_rule *rule, const struct acl_request *request)
{
	char *why = why_not_retain(rule, request);

	if (why != NULL)
		return why;
	if (request->qos > rule->max_qos)
		return xasprintf("the QoS is %u", request->qos);
	if (request->payload.len > rule->max_payload)
		return xasprintf("the payload has %zu bytes", request->payload.len);
	if (rule->own && request->owner == ACL_OWNER_OTHER)
		return xstrdup("somebody else owns the topic");
	return xstrdup("the payload is another");
}

/* NULL where the rule has nothing to do with the topic. */
static char *why_not(const struct acl *acl, const struct acl_rule *rule, const struct names_of *n,
                     const struct acl_request *request)
{
	for (size_t f = 0; f < rule->filter_count; f++) {
		if (!rule_filter_overlaps(&rule->filters[f], request->topic, &n->in_filters))
			continue;
		if (request->action == ACL_SUBSCRIBE)
			return acl->partial ? NULL : xstrdup("it covers a part of the filter only");
		if (!rule_holds(rule, request, &n->in_payloads))
			return why_not_holds(rule, request);
	}
	return NULL;
}

struct accounting {
	const struct acl *acl;
	const struct acl_request *request;
	struct acl_explanation *explanation;
	struct names_of names;
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
		why = why_not(c->acl, rule, &c->names, c->request);
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
	    c->names.in_payloads.client.len == 0)
		c->explanation->lacks_client_id = true;
}

struct acl_explanation *acl_explanation_new(const struct acl *acl, const struct acl_who *who,
                                            const struct acl_request *request)
{
	const struct principal *principal =
	    who->anonymous ? &acl->anonymous : acl_find_user(acl, who->user);
	struct acl_subject *subject = acl_subject_new(acl, who);
	struct acl_explanation *explanation = xnew(explanation);
	struct accounting c = {
	    .acl = acl, .request = request, .explanation = explanation, .names = names_of(who)};

	explanation->verdict = acl_check(subject, request);
	list_answers(explanation, acl, who, principal);
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

/* ---- rules as text ---- */

bool acl_rule_denies(const struct acl_rule *rule)
{
	return rule->deny;
}

unsigned acl_rule_line(const struct acl_rule *rule)
{
	return rule->line;
}

char *acl_rule_text(const struct acl *acl, const struct acl_rule *rule)
{
	const char *slash = strrchr(acl->name, '/');

	return xasprintf("%s:%u: %s", slash == NULL ? acl->name : slash + 1, rule->line,
	                 rule->text);
}

/* One sign behind a '%'. False: a name that stands for nothing. */
static bool fill_sign(struct buf *out, char sign, const struct names *names, bool deny)
{
	struct slice value = sign == 'u' ? names->user : names->client;

	if (sign == '%')
		value = SLICE("%");
	else if (value.data == NULL && deny)
		value = SLICE("+");
	buf_put_slice(out, value);
	return value.data != NULL;
}

/* Names in `payload=` are compared as they are, those in filters only when they are clean. */
char *acl_rule_filled(const struct acl_rule *rule, const struct acl_who *who)
{
	struct names_of n = names_of(who);
	const char *payload = strstr(rule->text, " payload=");
	bool has_names = false, has_values = true;
	struct buf out = {0};

	for (const char *p = rule->text; *p != '\0'; p++) {
		bool behind = payload != NULL && p > payload;

		if (*p != '%') {
			buf_put(&out, p, 1);
			continue;
		}
		p++;
		has_names |= *p != '%';
		has_values &=
		    fill_sign(&out, *p, behind ? &n.in_payloads : &n.in_filters, rule->deny);
	}
	buf_put_u8(&out, '\0');
	if (has_names && has_values)
		return (char *)out.data;
	buf_fini(&out);
	return NULL;
}
