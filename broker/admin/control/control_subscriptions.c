/* Who would receive a topic; or who subscribes to what a filter matches.  Sessions of a worker,
 * some at a time.  Thread: the worker's. */
#include "acl/acl_verdict.h"
#include "admin/control/control_window.h"
#include "base/alloc.h"
#include "base/array.h"
#include "base/list.h"
#include "proto/topic.h"
#include "session/session.h"

#define SLICE_SESSIONS      64
#define SLICE_SUBSCRIPTIONS 4096

static struct slice whole_filter(const struct subscription *sub)
{
	return slice_of(sub->filter, sub->filter_len);
}

static bool is_asked_for(const struct subscription *sub, struct slice topic, bool is_name)
{
	struct slice filter = slice_skip(whole_filter(sub), sub->share_skip);

	/* mutant: who_would_receive */
	return is_name ? topic_matches(filter, topic) : topic_filters_overlap(filter, topic);
}

/* May it receive that message, by the rules in force? */
static void put_permission(struct buf *out, struct session *s, struct slice topic)
{
	struct acl_request request = {.action = ACL_RECEIVE, .topic = topic};
	struct acl_verdict verdict = acl_check(session_subject(s), &request);
	char rule[256];
	size_t len = acl_verdict_text(s->worker->snapshot->acl, &verdict, rule, sizeof(rule));

	json_bool(out, "may_receive", verdict.allowed);
	json_text(out, "rule", slice_of(rule, len));
}

static void put_subscription(struct buf *out, struct session *s, const struct subscription *sub)
{
	json_text(out, "client_id", session_client_id(s));
	if (s->origin->anonymous)
		json_str(out, "user", NULL);
	else
		json_text(out, "user", session_user(s));
	json_text(out, "filter", whole_filter(sub));
	json_number(out, "qos", sub->options.qos);
	json_bool(out, "connected", s->link != NULL);
	json_bool(out, "shared", sub->share_skip > 0);
}

static void add(struct control_query *q, struct session *s, const struct subscription *sub,
                struct slice topic, bool is_name)
{
	struct slice texts[] = {session_client_id(s), session_user(s), whole_filter(sub)};
	struct buf line = {0}, key = {0};

	if (!control_window_matches(q, texts, ARRAY_LEN(texts)))
		return;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		buf_put_slice(&key, texts[i]);
		buf_put_u8(&key, '\x1f');
	}
	if (control_window_has_place(q->state, buf_slice(&key))) {
		json_open(&line);
		put_subscription(&line, s, sub);
		if (is_name)
			put_permission(&line, s, topic);
		json_close(&line);
		control_window_add(q->state, buf_slice(&key), buf_slice(&line));
	}
	buf_fini(&key);
	buf_fini(&line);
}

/* How many were looked at. */
static size_t look_at(struct control_query *q, struct session *s, struct slice topic, bool is_name)
{
	struct table_walk walk = table_walk_of(&s->subscriptions);
	const struct subscription *sub;

	while ((sub = table_walk_next(&walk)) != NULL) {
		if (is_asked_for(sub, topic, is_name))
			add(q, s, sub, topic, is_name);
	}
	return s->subscriptions.count;
}

static void collect_sessions(struct control_query *q)
{
	const struct session *s;

	DL_FOREACH2(q->worker->sessions->all, s, list_next)
	{
		array_reserve(q->ids, q->id_cap, q->id_count + 1);
		q->ids[q->id_count++] = s->id;
	}
}

bool control_subscriptions_report(struct control_query *q)
{
	struct slice topic = json_text_of(&q->request, "filter");
	bool is_name = topic_name_valid(topic);
	size_t looked = 0;

	REQUIRE_EXECUTOR(&q->worker->executor);
	if (!topic_filter_valid(topic))
		q->error = "this is neither a topic nor a topic filter";
	if (q->error != NULL || control_window_of(q) == NULL)
		return false;
	if (q->id_count == 0)
		collect_sessions(q);
	for (size_t i = 0;
	     i < SLICE_SESSIONS && looked < SLICE_SUBSCRIPTIONS && q->id_at < q->id_count; i++) {
		struct session *s = session_find_by_id(q->worker, q->ids[q->id_at++]);

		if (s != NULL && !s->set_aside)
			looked += look_at(q, s, topic, is_name);
	}
	if (q->id_at < q->id_count)
		return true;
	return control_window_is_last(q) && control_window_write(q);
}
