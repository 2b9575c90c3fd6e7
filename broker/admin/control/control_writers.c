/* Who may publish to a topic: every user who may log in, and anonymous clients, is asked for. The
 * answers are those of the gate, by the rules in force.  Thread: main's. */
#include "acl/acl_explanation.h"
#include "acl/acl_verdict.h"
#include "admin/control/control_window.h"
#include "auth/identity_source.h"
#include "proto/topic.h"

#define ANONYMOUS SLICE("(anonymous)")

static const struct config_snapshot *snapshot_of(const struct control_query *q)
{
	return q->control->hooks.snapshot(q->control->hooks.arg);
}

/* What a rule with %c is tried with, where the user alone may not. */
#define LEVELS_TRIED 16

static void put_writer(struct buf *line, const struct acl_who *who, struct slice rule)
{
	json_open(line);
	if (who->anonymous)
		json_str(line, "user", NULL);
	else
		json_text(line, "user", who->user);
	json_text(line, "rule", rule);
	if (who->client_id.len > 0)
		json_text(line, "client_id", who->client_id);
	else
		json_str(line, "client_id", NULL);
	json_close(line);
}

/* True: they may, and that is a row. */
static bool may_write(struct control_query *q, struct control_window *w, const struct acl_who *who,
                      bool *lacks_client_id)
{
	const struct acl *acl = snapshot_of(q)->acl;
	const struct acl_request request = {.action = ACL_PUBLISH,
	                                    .topic = json_text_of(&q->request, "topic")};
	struct acl_explanation *explanation = acl_explanation_new(acl, who, &request);
	const struct acl_verdict *v = &explanation->verdict;
	bool allowed = v->allowed;
	struct slice texts[2] = {who->anonymous ? ANONYMOUS : who->user};
	struct buf line = {0};
	char rule[1024];

	*lacks_client_id = explanation->lacks_client_id;
	if (allowed) {
		texts[1] = slice_of(rule, acl_verdict_text(acl, v, rule, sizeof(rule)));
		if (control_window_matches(q, texts, 2)) {
			put_writer(&line, who, texts[1]);
			control_window_add(w, texts[0], buf_slice(&line));
		}
	}
	buf_fini(&line);
	acl_explanation_free(explanation);
	return allowed;
}

/* A rule with %c lets a client write whose id is a level of the topic. */
static void ask(struct control_query *q, struct control_window *w, struct acl_who who)
{
	struct slice rest = json_text_of(&q->request, "topic");
	bool lacks_client_id, ignored;

	if (may_write(q, w, &who, &lacks_client_id) || !lacks_client_id)
		return;
	for (unsigned level = 0; level < LEVELS_TRIED && rest.len > 0; level++) {
		const uint8_t *end = memchr(rest.data, '/', rest.len);
		size_t len = end == NULL ? rest.len : (size_t)(end - rest.data);

		who.client_id = slice_of(rest.data, len);
		if (len > 0 && may_write(q, w, &who, &ignored))
			return;
		rest = slice_skip(rest, end == NULL ? len : len + 1);
	}
}

static void collect(struct control_query *q, struct control_window *w)
{
	const struct config_snapshot *snapshot = snapshot_of(q);
	struct acl_who who = {.anonymous = true};

	if (snapshot->conf->authentication.anonymous)
		ask(q, w, who);
	for (size_t i = 0; i < identity_source_count(snapshot->identities); i++) {
		struct identity_entry user;

		identity_source_at(snapshot->identities, i, &user);
		if (user.locked)
			continue;
		who = (struct acl_who){.user = slice_of_str(user.name),
		                       .roles = user.roles,
		                       .role_count = user.role_count,
		                       .assumed = user.assumed};
		ask(q, w, who);
	}
}

bool control_writers_report(struct control_query *q)
{
	struct control_window *w;

	if (!topic_name_valid(json_text_of(&q->request, "topic"))) {
		q->error = "this is not a topic name: it must not be empty or contain + or #";
		return false;
	}
	w = control_window_of(q);
	if (w == NULL)
		return false;
	if (q->id_at == 0) {
		q->id_at = 1; /* collected */
		collect(q, w);
	}
	return control_window_write(q);
}
