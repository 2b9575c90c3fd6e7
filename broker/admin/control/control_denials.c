/* What the rules denied lately, and the rule that would allow it.  Thread: the worker's. */
#include "admin/control/control_denials.h"

#include <stdlib.h>

#include "acl/acl_suggest.h"
#include "acl/acl_verdict.h"
#include "admin/control/control_recent.h"
#include "base/array.h"
#include "base/list.h"
#include "session/denials.h"

static bool action_of(struct slice name, enum acl_action *out)
{
	static const enum acl_action actions[] = {ACL_PUBLISH, ACL_WILL, ACL_SUBSCRIBE,
	                                          ACL_RECEIVE};

	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		if (slice_equal(name, slice_of_str(acl_action_name(actions[i])))) {
			*out = actions[i];
			return true;
		}
	}
	return false;
}

/* What would allow it. No rule can where a guard decides: its words begin so. */
static void put_remedy(struct buf *out, const struct json_object *denial)
{
	struct acl_who who = {.user = json_text_of(denial, "user"),
	                      .client_id = json_text_of(denial, "client_id")};
	struct acl_request request = {.topic = json_text_of(denial, "topic")};
	char *rule;

	who.anonymous = who.user.len == 0;
	if (slice_starts_with(json_text_of(denial, "rule"), SLICE("guard:")) ||
	    json_find(denial, "cut") != NULL ||
	    !action_of(json_text_of(denial, "action"), &request.action)) {
		json_str(out, "would_allow", NULL);
		return;
	}
	rule = acl_suggest_rule(&request, &who);
	json_str(out, "would_allow", rule);
	free(rule);
}

bool control_denials_put(struct control_query *q, struct buf *line,
                         const struct recent_entry *entry)
{
	struct json_object object;
	bool matches;

	if (!json_parse(slice_of(entry->text, entry->len - 1), &object))
		return false;
	matches = control_window_matches_object(q, &object);
	if (matches) {
		control_recent_open(line, entry, recent_text(entry));
		put_remedy(line, &object);
		json_close(line);
	}
	json_fini(&object);
	return matches;
}

static void collect(struct control_query *q, struct control_window *w)
{
	const struct recent_entry *e;
	char key[RECENT_KEY_MAX];

	DL_FOREACH (q->worker->sessions->denials.entries, e) {
		struct buf line = {0};

		if (control_denials_put(q, &line, e))
			control_window_add(
			    w, control_recent_key(e, q->worker->executor.index % 64, key),
			    buf_slice(&line));
		buf_fini(&line);
	}
}

bool control_denials_report(struct control_query *q)
{
	struct control_window *w = control_window_of(q);

	REQUIRE_EXECUTOR(&q->worker->executor);
	if (w == NULL)
		return false;
	if (q->id_at == 0) {
		q->id_at = 1; /* collected */
		collect(q, w);
		if (!control_window_is_last(q))
			return false;
	}
	return control_window_write(q);
}
