/* How connections ended lately, and which failed before MQTT began.  Thread: the worker's. */
#include "admin/control/control_recent.h"
#include "base/list.h"
#include "client/client_list.h"
#include "client/last_ends.h"
#include "net/failed_handshakes.h"

/* Of the keys: those of all workers are below. */
#define SOURCE_HANDSHAKES 63

struct adding {
	struct control_query *q;
	struct control_window *window;
	unsigned source;
};

static void add(struct adding *a, const struct recent_entry *entry, struct slice text)
{
	struct json_object object;
	struct buf line = {0};
	char key[RECENT_KEY_MAX];

	control_recent_open(&line, entry, text);
	json_close(&line);
	if (json_parse(slice_of(line.data, line.len - 1), &object)) {
		if (control_window_matches_object(a->q, &object))
			control_window_add(a->window, control_recent_key(entry, a->source, key),
			                   buf_slice(&line));
		json_fini(&object);
	}
	buf_fini(&line);
}

static void add_end(struct adding *a, const struct recent_entry *entry)
{
	struct buf text = {0};

	last_ends_put(&text, entry);
	add(a, entry, buf_slice(&text));
	buf_fini(&text);
}

static void add_handshake(void *arg, const struct recent_entry *entry)
{
	add(arg, entry, recent_text(entry));
}

bool control_ends_report(struct control_query *q)
{
	const struct recent_entry *e;
	struct adding adding = {
	    .q = q, .window = control_window_of(q), .source = q->worker->executor.index % 63};

	REQUIRE_EXECUTOR(&q->worker->executor);
	if (adding.window == NULL)
		return false;
	if (q->id_at == 0) {
		q->id_at = 1; /* collected */
		DL_FOREACH (q->worker->clients->ends.entries, e)
			add_end(&adding, e);
		if (!control_window_is_last(q))
			return false;
		adding.source = SOURCE_HANDSHAKES;
		failed_handshakes_visit(add_handshake, &adding);
	}
	return control_window_write(q);
}
