/* The log while it is written, and one client followed through it.  Both run on: what came since
 * the last time is written every tenth of a second.  Thread: main's for the log; for a trace that
 * of the worker that owns the client id. */
#include <stdlib.h>

#include "admin/control/control_query.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/log_tap.h"
#include "session/client_link.h"
#include "session/disk_queue.h"
#include "session/session.h"

#define AGAIN_MS      100
#define FOR_DEFAULT_S 60
#define FOR_MAX_S     3600

struct following {
	struct log_tap *tap;
	uint64_t until_ms; /* 0: without end */
	/* Of a trace: what was said last of the queue. */
	uint64_t queued, in_flight, unsent;
	bool has_said;
};

static void following_free(void *state)
{
	struct following *f = state;

	log_tap_close(f->tap);
	log_update_debug();
	free(f);
}

static bool open_tap(struct control_query *q, const struct log_tap_wish *wish, uint64_t until_ms)
{
	struct log_tap *tap = log_tap_open(wish);
	struct following *f;

	if (tap == NULL) {
		q->error = "the log is followed by eight already: end one of them first";
		return false;
	}
	log_update_debug();
	f = xnew(f);
	f->tap = tap;
	f->until_ms = until_ms;
	q->state = f;
	q->free_state = following_free;
	q->state_stays = true;
	return true;
}

/* "60", "60s", "5m"; 0: neither, or too long. */
static uint64_t seconds_of(struct slice text)
{
	uint64_t seconds = 0;
	size_t i = 0;

	for (; i < text.len && text.data[i] >= '0' && text.data[i] <= '9' && seconds <= FOR_MAX_S;
	     i++)
		seconds = seconds * 10 + (uint64_t)(text.data[i] - '0');
	if (i + 1 == text.len && text.data[i] == 'm')
		seconds *= 60;
	else if (i != text.len && (i + 1 != text.len || text.data[i] != 's'))
		return 0;
	return i == 0 || seconds > FOR_MAX_S ? 0 : seconds;
}

/* When it ends; *seconds is 0 where there is no `for`. False: an error. */
static bool read_end(struct control_query *q, uint64_t now_ms, uint64_t preset_s,
                     uint64_t *until_ms)
{
	const struct json_member *text = json_find(&q->request, "for");
	uint64_t seconds = text == NULL ? preset_s : seconds_of(text->text);

	if (text != NULL && seconds == 0) {
		q->error = "for must be a time up to an hour, such as 60s or 5m";
		return false;
	}
	*until_ms = seconds == 0 ? 0 : now_ms + seconds * 1000;
	return true;
}

/* What came. True: more may. */
static bool go_on(struct control_query *q, uint64_t now_ms)
{
	struct following *f = q->state;
	uint64_t lost;

	log_tap_take(f->tap, &q->out, &lost);
	if (lost > 0) {
		json_open(&q->out);
		json_str(&q->out, "event", "lines-lost");
		json_str(&q->out, "msg", "more came than could be shown");
		json_number(&q->out, "lines", lost);
		json_close(&q->out);
	}
	q->again_ms = AGAIN_MS;
	/* mutant: trace_ends_by_itself */
	return f->until_ms == 0 || now_ms < f->until_ms;
}

/* --- log --- */

static bool read_level(struct control_query *q, int *out)
{
	static const char *const names[] = {"error", "warning", "info", "debug"};
	struct slice name = json_text_of(&q->request, "level");

	*out = LOG_LEVEL_INFO;
	for (unsigned i = 0; i < 4; i++) {
		if (slice_equal(name, slice_of_str(names[i]))) {
			*out = (int)i;
			return true;
		}
	}
	if (name.len == 0)
		return true;
	q->error = "the level must be error, warning, info or debug";
	return false;
}

bool control_log_report(struct control_query *q)
{
	struct log_tap_wish wish = {.match = json_text_of(&q->request, "match")};
	uint64_t now_ms = q->control->executor->now_ms, until_ms;

	REQUIRE_EXECUTOR(q->control->executor);
	if (q->state == NULL &&
	    (!read_level(q, &wish.level) || !read_end(q, now_ms, 0, &until_ms) ||
	     !open_tap(q, &wish, until_ms)))
		return false;
	return go_on(q, now_ms);
}

/* --- trace --- */

/* The first session of that client id, or of that user, at this worker. */
static const struct session *find_session(const struct control_query *q)
{
	struct slice id = json_text_of(&q->request, "id");
	const struct session *s;

	DL_FOREACH2(q->worker->sessions->all, s, list_next)
	{
		if (slice_equal(session_client_id(s), id))
			return s;
	}
	return NULL;
}

/* Where it has changed since it was said. */
static void put_queue(struct control_query *q)
{
	struct following *f = q->state;
	const struct session *s = find_session(q);
	uint64_t queued, unsent;
	char time[CLOCK_TEXT_MAX];

	if (s == NULL)
		return;
	queued = s->waiting.count + disk_queue_count(s);
	unsent = s->link == NULL ? 0 : stream_backlog(s->link->stream);
	if (f->has_said && queued == f->queued && s->sent.count == f->in_flight &&
	    unsent == f->unsent)
		return;
	f->has_said = true;
	f->queued = queued;
	f->in_flight = s->sent.count;
	f->unsent = unsent;
	json_open(&q->out);
	json_str(&q->out, "time", clock_text(clock_wall_ms(), time));
	json_str(&q->out, "event", "queue");
	json_bool(&q->out, "connected", s->link != NULL);
	json_number(&q->out, "queued", queued);
	json_number(&q->out, "in_flight", f->in_flight);
	json_number(&q->out, "unsent_bytes", unsent);
	json_close(&q->out);
}

static bool open_trace(struct control_query *q)
{
	struct log_tap_wish wish = {.level = LOG_LEVEL_DEBUG,
	                            .who = json_text_of(&q->request, "id"),
	                            .payloads = json_find(&q->request, "payload") != NULL};
	uint64_t until_ms;

	if (wish.payloads && !q->is_local) {
		q->error = "payloads are shown on the control socket only";
		return false;
	}
	if (wish.who.len == 0) {
		q->error = "a client id is needed";
		return false;
	}
	return read_end(q, q->worker->executor.now_ms, FOR_DEFAULT_S, &until_ms) &&
	       open_tap(q, &wish, until_ms);
}

bool control_trace_report(struct control_query *q)
{
	bool more;

	REQUIRE_EXECUTOR(&q->worker->executor);
	if (q->state == NULL && !open_trace(q))
		return false;
	more = go_on(q, q->worker->executor.now_ms);
	put_queue(q);
	return more;
}
