/* A list: they are few, as each connection has few. */
#include "admin/control/control_remote.h"

#include <stdlib.h>

#include "admin/control/control_message.h"
#include "admin/control/control_query.h"
#include "base/alloc.h"
#include "base/container.h"
#include "base/list.h"
#include "worker/worker.h"

struct control_remote {
	struct control_sink sink;
	struct control *control;
	struct worker *worker;
	uint64_t request;
	task_fn *on_page;
	struct control_remote *prev, *next;
	struct buf lines; /* of the page under way */
	bool full;        /* a page was sent, and is not written yet */
};

static struct control_remote *remote_of(struct control_sink *sink)
{
	return container_of(sink, struct control_remote, sink);
}

static struct control_message *message_of(struct task *task)
{
	return container_of(task, struct control_message, task);
}

static struct control_remote *find_remote(const struct control_message *m)
{
	struct control_remote *r;

	REQUIRE_EXECUTOR(m->control->executor);
	DL_FOREACH (m->control->remotes, r) {
		if (r->worker == m->worker && r->request == m->request)
			return r;
	}
	return NULL;
}

static void free_remote(struct control_remote *r)
{
	REQUIRE(r->sink.query == NULL);
	DL_DELETE(r->control->remotes, r);
	buf_fini(&r->lines);
	free(r);
}

static void send_page(struct control_remote *r, bool ended)
{
	struct control_message *m = control_message_new(r->control, r->worker, r->request);

	m->bytes = r->lines;
	m->ended = ended;
	r->lines = (struct buf){0};
	r->full = true;
	control_message_to_worker(m, r->on_page);
}

/* --- the sink --- */

static void write_lines(struct control_sink *sink, struct slice lines)
{
	buf_put_slice(&remote_of(sink)->lines, lines);
}

/* A page goes when it is full, or when the answer pauses. */
static bool is_full(struct control_sink *sink)
{
	struct control_remote *r = remote_of(sink);

	if (!r->full && r->lines.len > 0 &&
	    (r->lines.len >= QUERY_SLICE_BYTES || sink->query->again_ms > 0))
		send_page(r, false);
	return r->full;
}

static void finish(struct control_sink *sink, const char *error)
{
	struct control_remote *r = remote_of(sink);

	control_query_put_end(&r->lines, error);
	send_page(r, true);
	free_remote(r);
}

static const struct control_sink_ops ops = {
    .write = write_lines,
    .is_full = is_full,
    .finish = finish,
};

/* --- messages --- */

static void start(struct control_remote *r, const struct control_message *m)
{
	struct control_asker asker = {
	    .peer = m->peer, .user = buf_slice(&m->user), .client_id = buf_slice(&m->client_id)};
	struct json_object request;
	const char *wrong = "the payload of a request must be empty or a JSON object";

	if (json_parse(m->bytes.len == 0 ? SLICE("{}") : buf_slice(&m->bytes), &request))
		wrong = control_query_start(r->control, &r->sink, &asker, buf_slice(&m->command),
		                            &request);
	if (wrong != NULL)
		finish(&r->sink, wrong);
}

void control_remote_on_request(struct task *task, void *executor_arg)
{
	struct control_message *m = message_of(task);
	struct control *c = m->control;

	(void)executor_arg;
	REQUIRE(find_remote(m) == NULL);
	if (!c->stopped) {
		struct control_remote *r = xnew(r);

		r->sink.ops = &ops;
		r->control = c;
		r->worker = m->worker;
		r->request = m->request;
		r->on_page = m->on_page;
		DL_APPEND(c->remotes, r);
		start(r, m);
	}
	control_message_free(m);
}

void control_remote_on_taken(struct task *task, void *executor_arg)
{
	struct control_message *m = message_of(task);
	struct control_remote *r = find_remote(m);

	(void)executor_arg;
	if (r != NULL) {
		r->full = false;
		control_query_go_on(&r->sink);
	}
	control_message_free(m);
}

static void leave_remote(struct control_remote *r)
{
	control_query_leave(&r->sink);
	free_remote(r);
}

void control_remote_on_leave(struct task *task, void *executor_arg)
{
	struct control_message *m = message_of(task);
	struct control_remote *r = find_remote(m);

	(void)executor_arg;
	if (r != NULL)
		leave_remote(r);
	control_message_free(m);
}

void control_remote_stop(struct control *c)
{
	struct control_remote *r, *next;

	c->stopped = true;
	DL_FOREACH_SAFE (c->remotes, r, next) {
		leave_remote(r);
	}
}
