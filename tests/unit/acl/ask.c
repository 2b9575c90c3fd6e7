/* See ask.h.  Strings of tests are short: fixed buffers do. */
#include "ask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "acl/acl_explanation.h"
#include "acl/acl_rule.h"
#include "acl/acl_verdict.h"
#include "base/alloc.h"

static char *yaml_of_rules(const char *rules, bool for_anonymous)
{
	struct buf out = {0};

	buf_printf(&out, for_anonymous ? "anonymous: {rules: [" : "users: {anna: {rules: [");
	while (*rules != '\0') {
		size_t len = strcspn(rules, "\n");

		buf_printf(&out, "\"%.*s\",\n", (int)len, rules);
		rules += len + (rules[len] == '\n' ? 1 : 0);
	}
	buf_printf(&out, for_anonymous ? "]}" : "]}}");
	buf_put_u8(&out, '\0');
	return (char *)out.data;
}

static struct acl *policy_read(const char *text, bool for_anonymous,
                               enum conf_partial_subscriptions partial)
{
	bool is_rules = strncmp(text, "allow", 5) == 0 || strncmp(text, "deny", 4) == 0;
	char *yaml = is_rules ? yaml_of_rules(text, for_anonymous) : xstrdup(text);
	struct errors errors = {0};
	struct acl *acl = acl_parse("acl.yaml", slice_of_str(yaml), partial, &errors);

	if (acl == NULL) {
		char *said = errors_text(&errors);

		print_message("%s\n%s", yaml, said);
		free(said);
	}
	free(yaml);
	errors_fini(&errors);
	assert_non_null(acl);
	return acl;
}

struct acl *policy_of(const char *text, bool for_anonymous)
{
	return policy_read(text, for_anonymous, PARTIAL_SUBSCRIPTIONS_REFUSE);
}

struct acl *policy_of_partial(const char *text, bool for_anonymous)
{
	return policy_read(text, for_anonymous, PARTIAL_SUBSCRIPTIONS_FILTER);
}

#define ROLES_MAX 4

struct asker {
	char text[256];
	char *roles[ROLES_MAX];
	struct acl_who who;
};

static void asker_init(struct asker *a, const char *who)
{
	char *rest = a->text;
	char *word;

	*a = (struct asker){0};
	assert_true(strlen(who) < sizeof(a->text));
	strcpy(a->text, who); /* NOLINT(clang-analyzer-security.insecureAPI.strcpy) */
	word = strsep(&rest, " ");
	a->who.anonymous = strcmp(word, "-") == 0;
	a->who.assumed = *word == '~'; /* "~anna": without login */
	word += a->who.assumed;
	if (!a->who.anonymous)
		a->who.user = slice_of_str(word);
	while ((word = strsep(&rest, " ")) != NULL) {
		if (strcmp(word, "as") == 0) {
			a->who.client_id = slice_of_str(strsep(&rest, " "));
			continue;
		}
		assert_string_equal(word, "with");
		for (word = strsep(&rest, " "); word != NULL;)
			a->roles[a->who.role_count++] = strsep(&word, ",");
	}
	a->who.roles = a->roles;
}

static void question_word(struct acl_request *request, const char *word)
{
	if (strcmp(word, "retain") == 0)
		request->retain = true;
	else if (strcmp(word, "owned") == 0)
		request->owner = ACL_OWNER_OTHER;
	else if (strcmp(word, "refuse") == 0)
		request->partial = ACL_PARTIAL_REFUSE;
	else if (strcmp(word, "filter") == 0)
		request->partial = ACL_PARTIAL_FILTER;
	else if (strncmp(word, "qos=", 4) == 0)
		request->qos = (uint8_t)(word[4] - '0');
	else if (strncmp(word, "payload=", 8) == 0)
		request->payload = slice_of_str(word + 8);
	else
		fail_msg("unknown word '%s'", word);
}

static enum acl_action action_of(const char *word)
{
	static const char *const words[] = {
	    [ACL_PUBLISH] = "publish",
	    [ACL_WILL] = "will",
	    [ACL_SUBSCRIBE] = "subscribe",
	    [ACL_RECEIVE] = "receive",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(word, words[i]) == 0)
			return (enum acl_action)i;
	}
	fail_msg("unknown action '%s'", word);
	return ACL_PUBLISH;
}

static const char *answer_of(const struct acl *acl, const struct acl_verdict *verdict)
{
	static char answer[64];
	char text[256];

	if (verdict->cause == ACL_CAUSE_RULE) {
		acl_verdict_text(acl, verdict, text, sizeof(text));
		snprintf(answer, sizeof(answer), "%s %lu%s", verdict->allowed ? "allow" : "deny",
		         strtoul(text + strlen("acl.yaml:"), NULL, 10),
		         verdict->by_own ? " own" : "");
		return answer;
	}
	assert_false(verdict->allowed);
	assert_null(verdict->rule);
	return verdict->cause == ACL_CAUSE_NO_RULE         ? "deny none"
	       : verdict->cause == ACL_CAUSE_GUARD_DESIRED ? "deny desired"
	       : verdict->cause == ACL_CAUSE_GUARD_BRIDGE  ? "deny bridge"
	       : verdict->cause == ACL_CAUSE_GUARD_CONTROL ? "deny control"
	       : verdict->cause == ACL_CAUSE_GUARD_LOGIN   ? "deny login"
	                                                   : "deny system";
}

/* The order, over what each list answers by itself. */
static const struct acl_rule *decider_of(const struct acl_explanation *a)
{
	const struct acl_rule *denied = NULL;

	if (a->answers[0].rule != NULL)
		return a->answers[0].rule;
	for (size_t i = 1; i < a->count; i++) {
		const struct acl_rule *rule = a->answers[i].rule;

		if (rule != NULL && !acl_rule_denies(rule))
			return rule;
		if (denied == NULL)
			denied = rule;
	}
	return denied;
}

/* Whatever is asked, the account of it says the same as the gate. */
static void account_agrees(const struct acl *acl, const struct acl_who *who,
                           const struct acl_request *request, const struct acl_verdict *verdict)
{
	struct acl_explanation *a = acl_explanation_new(acl, who, request);

	assert_int_equal(a->verdict.allowed, verdict->allowed);
	assert_ptr_equal(a->verdict.rule, verdict->rule);
	if (verdict->cause == ACL_CAUSE_RULE || verdict->cause == ACL_CAUSE_NO_RULE)
		assert_ptr_equal(decider_of(a), verdict->rule);
	for (size_t i = 0; i < a->count; i++) {
		for (size_t m = 0; m < a->answers[i].near_miss_count; m++) {
			assert_false(acl_rule_denies(a->answers[i].near_misses[m].rule));
			assert_ptr_not_equal(a->answers[i].near_misses[m].rule, a->answers[i].rule);
		}
	}
	acl_explanation_free(a);
}

const char *policy_ask(const struct acl *acl, const char *who, const char *what)
{
	char text[256];
	char *rest = text;
	struct asker asker;
	struct acl_request request = {0};
	struct acl_subject *subject;
	struct acl_verdict verdict;
	const char *word;

	asker_init(&asker, who);
	assert_true(strlen(what) < sizeof(text));
	strcpy(text, what); /* NOLINT(clang-analyzer-security.insecureAPI.strcpy) */
	request.action = action_of(strsep(&rest, " "));
	request.topic = slice_of_str(strsep(&rest, " "));
	while ((word = strsep(&rest, " ")) != NULL)
		question_word(&request, word);
	subject = acl_subject_new(acl, &asker.who);
	verdict = acl_check(subject, &request);
	acl_subject_free(subject);
	account_agrees(acl, &asker.who, &request, &verdict);
	return answer_of(acl, &verdict);
}
