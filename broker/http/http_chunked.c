/* Chunks (RFC 9112 7.1): what a handler writes during a turn is sent with one call. */
#include "http/http_chunked.h"

#include "base/list.h"
#include "http/http_answer_head.h"
#include "http/http_exchange.h"
#include "http/http_link.h"

static void mark_dirty(struct http_conn *c)
{
	if (c->dirty)
		return;
	c->dirty = true;
	LL_PREPEND2(c->x.worker->http->dirty, c, next_dirty);
}

void http_chunked_begin(struct http_exchange *x, const struct http_answer *answer)
{
	struct http_conn *c = http_conn_of(x);
	struct http_answer_head head;
	struct executor *executor = &x->worker->executor;

	REQUIRE_EXECUTOR(executor);
	REQUIRE(c->state == HTTP_STATE_HANDLED);
	head = http_link_answer_head(c, answer);
	head.is_chunked = true;
	http_answer_head_put(&c->out, &head);
	http_exchange_log(x, answer->status);
	c->state = HTTP_STATE_STREAMING;
	c->taking_ms = executor->now_ms;
	timer_arm(&executor->timers, &c->timer, executor->now_ms + 1000);
	mark_dirty(c);
}

void http_chunked_write(struct http_exchange *x, struct slice bytes)
{
	struct http_conn *c = http_conn_of(x);

	REQUIRE_EXECUTOR(&x->worker->executor);
	if (c->state != HTTP_STATE_STREAMING || bytes.len == 0 ||
	    x->request.method == HTTP_METHOD_HEAD)
		return;
	buf_printf(&c->out, "%zx\r\n", bytes.len);
	buf_put_slice(&c->out, bytes);
	buf_put_slice(&c->out, SLICE("\r\n"));
	http_link_count(c);
	mark_dirty(c);
}

size_t http_chunked_backlog(const struct http_exchange *x)
{
	const struct http_conn *c = container_of_const(x, struct http_conn, x);

	return stream_backlog(x->stream) + c->out.len;
}

void http_chunked_flush(struct http_exchange *x)
{
	struct http_conn *c = http_conn_of(x);

	REQUIRE_EXECUTOR(&x->worker->executor);
	if (c->out.len > 0 && c->state != HTTP_STATE_CLOSING)
		stream_write(c->x.stream, buf_slice(&c->out));
	buf_fini(&c->out);
	http_link_count(c);
}

void http_chunked_end(struct http_exchange *x)
{
	struct http_conn *c = http_conn_of(x);

	REQUIRE_EXECUTOR(&x->worker->executor);
	if (c->state != HTTP_STATE_STREAMING)
		return;
	if (x->request.method != HTTP_METHOD_HEAD)
		buf_put_slice(&c->out, SLICE("0\r\n\r\n"));
	http_chunked_flush(x);
	c->ops->end_exchange(c);
}
