/* The question of the rules: may this client do that, which rule says so, and what would allow it.
 * The answer is that of the gate itself, by the rules in force.  Thread: main's. */
#include <stdlib.h>

#include "acl/acl_explanation.h"
#include "acl/acl_rule.h"
#include "acl/acl_suggest.h"
#include "acl/acl_verdict.h"
#include "admin/control/control_query.h"
#include "auth/identity_source.h"
#include "base/array.h"
#include "proto/topic.h"

struct rules_question {
	const struct config_snapshot *snapshot;
	struct acl_who who;
	struct acl_request request;
	const struct acl_explanation *explanation;
};

static bool read_action(struct control_query *q, struct acl_request *request)
{
	static const enum acl_action actions[] = {ACL_PUBLISH, ACL_SUBSCRIBE, ACL_RECEIVE,
	                                          ACL_WILL};
	struct slice name = json_text_of(&q->request, "action");

	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		if (slice_equal(name, slice_of_str(acl_action_name(actions[i])))) {
			request->action = actions[i];
			return true;
		}
	}
	q->error = "the action must be publish, subscribe, receive or will (--action)";
	return false;
}

static bool read_topic(struct control_query *q, struct acl_request *request)
{
	struct slice group, topic = json_text_of(&q->request, "topic");

	request->topic = topic;
	if (request->action != ACL_SUBSCRIBE) {
		if (topic_name_valid(topic))
			return true;
		q->error = "this is not a topic name: it must not be empty or contain + or #";
		return false;
	}
	if (topic_filter_share(topic, &group, &request->topic) != SHARE_INVALID &&
	    topic_filter_valid(request->topic))
		return true;
	q->error = "this is not a topic filter";
	return false;
}

static bool read_question(struct control_query *q, struct rules_question *out)
{
	const struct json_member *id = json_find(&q->request, "id");
	struct slice qos = json_text_of(&q->request, "qos");

	out->who.user = json_text_of(&q->request, "user");
	out->who.anonymous = out->who.user.len == 0;
	if (id != NULL)
		out->who.client_id = id->text;
	out->request.retain = json_find(&q->request, "retain") != NULL;
	if (qos.len > 0) {
		if (qos.len != 1 || qos.data[0] < '0' || qos.data[0] > '2') {
			q->error = "the QoS must be 0, 1 or 2";
			return false;
		}
		out->request.qos = (uint8_t)(qos.data[0] - '0');
	}
	return read_action(q, &out->request) && read_topic(q, &out->request);
}

/* Append why this user gets no further than its login. */
static void put_login(struct buf *out, const struct rules_question *question)
{
	char *user = slice_dup(question->who.user);
	char *why = question->who.anonymous || question->who.assumed
	                ? NULL
	                : identity_source_why_refused(question->snapshot->identities, user);

	json_str(out, "login_refused", why);
	free(why);
	free(user);
}

static void put_verdict(struct buf *out, const struct rules_question *question)
{
	const struct acl_verdict *v = &question->explanation->verdict;
	char *remedy = NULL, rule[1024];
	size_t len = acl_verdict_text(question->snapshot->acl, v, rule, sizeof(rule));

	if (!v->allowed && (v->cause == ACL_CAUSE_RULE || v->cause == ACL_CAUSE_NO_RULE))
		remedy = acl_suggest_rule(&question->request, &question->who);
	json_open(out);
	json_str(out, "about", "verdict");
	json_bool(out, "allowed", v->allowed);
	if (question->who.anonymous)
		json_str(out, "user", NULL);
	else
		json_text(out, "user", question->who.user);
	json_str(out, "action", acl_action_name(question->request.action));
	json_text(out, "topic", question->request.topic);
	json_text(out, "rule", slice_of(rule, len));
	json_str(out, "would_allow", remedy);
	json_bool(out, "in_part", question->explanation->in_part);
	json_bool(out, "would_be_in_part", question->explanation->would_be_in_part);
	json_bool(out, "lacks_client_id", question->explanation->lacks_client_id);
	put_login(out, question);
	json_close(out);
	free(remedy);
}

static void put_answer(struct buf *out, const struct rules_question *question,
                       const struct acl_answer *a)
{
	char *rule = a->rule == NULL ? NULL : acl_rule_text(question->snapshot->acl, a->rule);

	json_open(out);
	json_str(out, "about", a->role == NULL ? "own rules" : "role");
	json_str(out, "role", a->role);
	json_bool(out, "defined", a->defined);
	json_number(out, "rules", a->rule_count);
	json_str(out, "decides",
	         a->rule == NULL            ? NULL
	         : acl_rule_denies(a->rule) ? "deny"
	                                    : "allow");
	json_str(out, "rule", rule);
	json_close(out);
	free(rule);
	for (size_t i = 0; i < a->near_miss_count; i++) {
		rule = acl_rule_text(question->snapshot->acl, a->near_misses[i].rule);
		json_open(out);
		json_str(out, "about", "near miss");
		json_str(out, "rule", rule);
		json_str(out, "why_not", a->near_misses[i].why);
		json_close(out);
		free(rule);
	}
}

bool control_explain_report(struct control_query *q)
{
	struct rules_question question = {.snapshot =
	                                      q->control->hooks.snapshot(q->control->hooks.arg)};
	struct identity_entry user;
	struct acl_explanation *explanation;

	if (!read_question(q, &question))
		return false;
	if (!question.who.anonymous &&
	    identity_source_find(question.snapshot->identities, question.who.user, &user)) {
		question.who.roles = user.roles;
		question.who.role_count = user.role_count;
		question.who.assumed = user.assumed;
	}
	explanation = acl_explanation_new(question.snapshot->acl, &question.who, &question.request);
	question.explanation = explanation;
	put_verdict(&q->out, &question);
	for (size_t i = 0; i < explanation->count; i++)
		put_answer(&q->out, &question, &explanation->answers[i]);
	acl_explanation_free(explanation);
	return false;
}
