/* What is set aside for former ids of users, and giving it up.  Thread: main's. */
#include <inttypes.h>
#include <stdio.h>

#include "admin/control/control_query.h"

#define SLICE_ROWS 128

static void put_id(struct buf *out, const char *name, uint64_t id)
{
	char text[17];

	(void)snprintf(text, sizeof(text), "%016" PRIx64, id);
	json_str(out, name, text);
}

/* 0: there is none. */
static uint64_t present_id(const struct user_ids *ids, struct slice name)
{
	for (size_t i = 0; i < user_ids_count(ids); i++) {
		const struct user_id *row = user_ids_at(ids, i);

		if (row->state == USER_ID_PRESENT && slice_equal(row->name, name))
			return row->id;
	}
	return 0;
}

static void put_row(struct control_query *q, const struct user_id *row)
{
	struct shared *shared = q->control->shared;
	uint64_t now = journal_time_ms(shared->journal, q->control->executor->now_ms);
	uint64_t end = row->since_ms + USER_IDS_SET_ASIDE_MS;
	struct identity *user = user_ids_identity(row);

	json_open(&q->out);
	json_text(&q->out, "user", row->name);
	put_id(&q->out, "id", row->id);
	put_id(&q->out, "new_id", present_id(shared->user_ids, row->name));
	if (row->has_limit)
		json_number(&q->out, "ends_in_s", end > now ? (end - now) / 1000 : 0);
	else
		json_str(&q->out, "ends_in_s", NULL);
	json_number(&q->out, "sessions", shared_session_count(shared, user->key));
	json_number(&q->out, "retained", retain_count_written(shared->retain, user->key));
	json_close(&q->out);
	identity_unref(&user);
}

/* A row that comes or goes between two slices may be missing, or be there twice. */
bool control_set_aside_report(struct control_query *q)
{
	const struct user_ids *ids = q->control->shared->user_ids;

	for (size_t n = 0; n < SLICE_ROWS && q->id_at < user_ids_count(ids); q->id_at++) {
		const struct user_id *row = user_ids_at(ids, q->id_at);

		if (row->state != USER_ID_SET_ASIDE)
			continue;
		put_row(q, row);
		n++;
	}
	return q->id_at < user_ids_count(ids);
}

bool control_set_aside_accept(struct control_query *q)
{
	const struct control_hooks *hooks = &q->control->hooks;

	if (hooks->accept_new_ids == NULL)
		q->error = "this is not available";
	else if (!hooks->accept_new_ids(hooks->arg))
		q->error = "nothing is set aside";
	return false;
}
