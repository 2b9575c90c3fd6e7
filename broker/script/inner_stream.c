/* Two buffers, and a task that carries what is in them: nothing is called from inside a write. */
#include "script/inner_stream.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/container.h"
#include "base/executor.h"
#include "base/require.h"

struct inner_stream {
	struct stream stream;
	struct stream_facts facts;
	struct stream_tls tls;
	struct stream *outer; /* NULL: it has gone */
	const struct inner_stream_events *events;
	void *arg;
	struct buf to_owner, from_owner;
	uint64_t taken;
	struct task task;
	enum stream_end end;
	bool is_sent; /* the task */
	bool paused, ended;
	bool is_over; /* nothing is called any more */
};

static struct inner_stream *of(struct stream *s)
{
	return container_of(s, struct inner_stream, stream);
}

static const struct inner_stream *of_const(const struct stream *s)
{
	return container_of_const(s, struct inner_stream, stream);
}

static void schedule(struct inner_stream *i)
{
	if (i->is_sent || i->is_over || i->stream.executor == NULL)
		return;
	i->is_sent = true;
	executor_send(i->stream.executor, &i->task);
}

/* --- as the owner sees it --- */

static void op_write(struct stream *s, struct slice bytes)
{
	struct inner_stream *i = of(s);

	REQUIRE_EXECUTOR(s->executor);
	if (i->ended)
		return;
	buf_put_slice(&i->from_owner, bytes);
	schedule(i);
}

static size_t op_backlog(const struct stream *s)
{
	return of_const(s)->from_owner.len;
}

static uint64_t op_accepted(const struct stream *s)
{
	return of_const(s)->taken;
}

static void op_set_paused(struct stream *s, bool paused)
{
	of(s)->paused = paused;
	if (!paused)
		schedule(of(s));
}

static void end_it(struct inner_stream *i, enum stream_end end)
{
	if (i->ended)
		return;
	i->ended = true;
	i->end = end;
	schedule(i);
}

static void op_close(struct stream *s, uint64_t flush_ms)
{
	(void)flush_ms;
	end_it(of(s), STREAM_END_LOCAL);
}

static void op_abort(struct stream *s)
{
	end_it(of(s), STREAM_END_LOCAL);
}

static void op_attach(struct stream *s)
{
	schedule(of(s));
}

/* It stays on the worker of the request. */
static void op_detach(struct stream *s)
{
	REQUIRE(!of(s)->is_sent);
}

static void op_free(struct stream *s)
{
	struct inner_stream *i = of(s);

	REQUIRE(!i->is_sent);
	buf_fini_secret(&i->to_owner);
	buf_fini_secret(&i->from_owner);
	free(i);
}

static const struct stream_ops ops = {
    .write = op_write,
    .backlog = op_backlog,
    .accepted = op_accepted,
    .set_paused = op_set_paused,
    .close = op_close,
    .abort = op_abort,
    .attach = op_attach,
    .detach = op_detach,
    .free = op_free,
};

/* --- the facts of the connection outside --- */

static struct inner_stream *of_tls(const struct stream_tls *tls)
{
	return container_of((struct stream_tls *)(uintptr_t)tls, struct inner_stream, tls);
}

static size_t certificate_names(const struct stream_tls *tls, enum conf_certificate_user kind,
                                struct buf *out)
{
	struct stream *outer = of_tls(tls)->outer;

	return outer == NULL ? 0 : stream_certificate_names(outer, kind, out);
}

static void certificate_subject(const struct stream_tls *tls, struct buf *out)
{
	if (of_tls(tls)->outer != NULL)
		stream_certificate_subject(of_tls(tls)->outer, out);
}

static bool certificate_key(const struct stream_tls *tls, uint8_t out[KEY_PIN_BYTES])
{
	struct stream *outer = of_tls(tls)->outer;

	return outer != NULL && stream_certificate_key(outer, out);
}

static int64_t certificate_until(const struct stream_tls *tls)
{
	struct stream *outer = of_tls(tls)->outer;

	return outer == NULL ? 0 : stream_certificate_until(outer);
}

static void put_mismatch(const struct stream_tls *tls, struct buf *out)
{
	if (of_tls(tls)->outer != NULL)
		stream_put_mismatch(of_tls(tls)->outer, out);
}

static enum stream_fit fits(const struct stream_tls *tls, const struct tls_context *ctx,
                            bool connected, const char **why)
{
	struct stream *outer = of_tls(tls)->outer;

	return outer == NULL ? STREAM_FITS : stream_fits(outer, ctx, connected, why);
}

static const struct stream_tls_ops tls_ops = {
    .certificate_names = certificate_names,
    .certificate_subject = certificate_subject,
    .certificate_key = certificate_key,
    .certificate_until = certificate_until,
    .put_mismatch = put_mismatch,
    .fits = fits,
};

static void forget_outer(struct inner_stream *i)
{
	i->events = NULL;
	i->outer = NULL;
	i->facts.proxy = NULL;
}

/* --- the task --- */

static void give_output(struct inner_stream *i)
{
	struct slice bytes = buf_slice(&i->from_owner);
	size_t before = bytes.len;

	if (i->events == NULL || before == 0)
		return;
	i->events->on_output(i->arg, &bytes);
	REQUIRE(bytes.len <= before);
	i->taken += before - bytes.len;
	buf_consume(&i->from_owner, before - bytes.len);
}

static void give_input(struct inner_stream *i)
{
	struct buf bytes = i->to_owner;

	if (i->paused || i->ended || bytes.len == 0)
		return;
	i->to_owner = (struct buf){0};
	(void)stream_deliver(&i->stream, bytes.data, bytes.len);
	buf_fini_secret(&bytes);
}

static void on_task(struct task *task, void *executor_arg)
{
	struct inner_stream *i = container_of(task, struct inner_stream, task);
	size_t backlog = i->from_owner.len;

	REQUIRE(i->is_sent && !i->is_over);
	REQUIRE_EXECUTOR(i->stream.executor);
	(void)executor_arg;
	i->is_sent = false;
	give_output(i);
	if (!i->ended && backlog > 0 && i->from_owner.len == 0)
		(void)stream_call_drained(&i->stream);
	give_input(i);
	if (!i->ended || i->is_sent) /* there may be a last word */
		return;
	i->is_over = true;
	if (i->events != NULL)
		i->events->on_ended(i->arg);
	forget_outer(i);
	stream_call_closed(&i->stream, i->end);
}

/* --- as the other end sees it --- */

struct inner_stream *inner_stream_new(struct stream *outer,
                                      const struct inner_stream_events *events, void *arg)
{
	struct inner_stream *i = xnew(i);

	i->stream = (struct stream){.ops = &ops, .facts = &i->facts};
	i->outer = outer;
	i->events = events;
	i->arg = arg;
	i->task.run = on_task;
	i->tls = (struct stream_tls){.ops = &tls_ops,
	                             .version = stream_tls_version(outer),
	                             .has_certificate = stream_has_certificate(outer)};
	i->facts = (struct stream_facts){.peer = *stream_peer(outer),
	                                 .proxy = outer->facts->proxy, /* borrowed */
	                                 .listener = stream_listener(outer),
	                                 .established = true,
	                                 .tls = outer->facts->tls == NULL ? NULL : &i->tls};
	return i;
}

struct stream *inner_stream_end(struct inner_stream *i)
{
	return &i->stream;
}

void inner_stream_send(struct inner_stream *i, struct slice bytes)
{
	REQUIRE(!i->is_over);
	if (i->ended)
		return;
	buf_put_slice(&i->to_owner, bytes);
	schedule(i);
}

void inner_stream_wake(struct inner_stream *i)
{
	REQUIRE(!i->is_over);
	schedule(i);
}

void inner_stream_close(struct inner_stream *i)
{
	REQUIRE(!i->is_over);
	forget_outer(i);
	end_it(i, STREAM_END_PEER);
	schedule(i);
}
