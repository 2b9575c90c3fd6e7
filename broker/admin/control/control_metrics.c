/* The metrics as /metrics gives them, a line for each of theirs: for who has no HTTPS listener. */
#include "admin/control/control_query.h"
#include "admin/metrics.h"

bool control_metrics_report(struct control_query *q)
{
	const struct control *c = q->control;
	const struct config_snapshot *snapshot = c->hooks.snapshot(c->hooks.arg);
	struct buf text = {0};
	struct slice rest;

	REQUIRE_EXECUTOR(c->executor);
	metrics_write(c->shared, snapshot, false, &text);
	rest = buf_slice(&text);
	while (rest.len > 0) {
		const uint8_t *end = memchr(rest.data, '\n', rest.len);

		REQUIRE(end != NULL);
		json_open(&q->out);
		json_text(&q->out, "line", slice_of(rest.data, (size_t)(end - rest.data)));
		json_close(&q->out);
		rest = slice_skip(rest, (size_t)(end - rest.data) + 1);
	}
	buf_fini(&text);
	return false;
}
