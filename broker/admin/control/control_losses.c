/* What was lost lately, and why.  Thread: the worker's. */
#include "admin/control/control_recent.h"
#include "base/list.h"
#include "session/session.h"

static void put(struct control_query *q, struct control_window *w, const struct recent_entry *e)
{
	struct json_object object;
	struct buf line = {0};
	char key[RECENT_KEY_MAX];

	if (!json_parse(slice_of(e->text, e->len - 1), &object))
		return;
	if (control_window_matches_object(q, &object)) {
		control_recent_open(&line, e, recent_text(e));
		json_close(&line);
		control_window_add(w, control_recent_key(e, q->worker->executor.index % 64, key),
		                   buf_slice(&line));
	}
	buf_fini(&line);
	json_fini(&object);
}

bool control_losses_report(struct control_query *q)
{
	struct control_window *w = control_window_of(q);
	const struct recent_entry *e;

	REQUIRE_EXECUTOR(&q->worker->executor);
	if (w == NULL)
		return false;
	if (q->id_at == 0) {
		q->id_at = 1; /* collected */
		DL_FOREACH (q->worker->sessions->losses.entries, e)
			put(q, w, e);
		if (!control_window_is_last(q))
			return false;
	}
	return control_window_write(q);
}
