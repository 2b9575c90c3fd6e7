/* Answers, and what the log says about them. */
#include "http/http_exchange.h"

#include "base/json.h"
#include "http/http_answer_head.h"
#include "http/http_link.h"

#define REQUEST_BYTES_IN_LOG 160

const struct conf_listener *http_exchange_listener(const struct http_exchange *x)
{
	return config_snapshot_listener(x->worker->snapshot, stream_listener(x->stream));
}

/* --- the log --- */

/* "GET /mqtt", without the query, which may have secrets. */
static struct buf request_text(const struct http_exchange *x)
{
	static const struct {
		enum http_request_method method;
		const char *name;
	} names[] = {{HTTP_METHOD_GET, "GET"},
	             {HTTP_METHOD_HEAD, "HEAD"},
	             {HTTP_METHOD_POST, "POST"},
	             {HTTP_METHOD_OPTIONS, "OPTIONS"}};
	struct slice path = x->request.path;
	struct buf text = {0};
	const char *name = "another method";

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].method == x->request.method)
			name = names[i].name;
	}
	if (path.len == 0)
		return text;
	buf_printf(&text, "%s ", name);
	buf_put(&text, path.data,
	        path.len < REQUEST_BYTES_IN_LOG ? path.len : REQUEST_BYTES_IN_LOG);
	return text;
}

static struct slice user_of(const struct http_exchange *x)
{
	return x->identity == NULL ? SLICE_EMPTY : x->identity->name;
}

void http_exchange_log(struct http_exchange *x, unsigned status)
{
	const struct conf_listener *l = http_exchange_listener(x);
	char peer[STREAM_PEER_TEXT];
	struct buf request;

	if (!log_wants(EVENT_HTTP_ANSWERED))
		return;
	request = request_text(x);
	stream_peer_text(x->stream, peer, sizeof(peer));
	LOG(HTTP_ANSWERED, .peer = peer, .listener = l == NULL ? "" : l->bind,
	    .request = buf_slice(&request), .user = user_of(x), .status = status);
	buf_fini(&request);
}

static void log_refusal(const struct http_exchange *x, unsigned status, const char *cause)
{
	struct worker *w = x->worker;
	const struct conf_listener *l = http_exchange_listener(x);
	char peer[STREAM_PEER_TEXT];
	struct buf request;
	uint32_t suppressed;

	if (!log_limit_pass(EVENT_HTTP_REFUSED, &w->http->refusals, w->executor.now_ms, 10000, 20,
	                    &suppressed))
		return;
	request = request_text(x);
	stream_peer_text(x->stream, peer, sizeof(peer));
	LOG(HTTP_REFUSED, .peer = peer, .listener = l == NULL ? "" : l->bind,
	    .request = buf_slice(&request), .user = user_of(x), .status = status, .cause = cause,
	    .suppressed = suppressed);
	buf_fini(&request);
}

/* --- answers --- */

static void put_json(struct buf *out, unsigned status, const char *cause)
{
	json_open(out);
	json_number(out, "status", status);
	json_str(out, "cause", cause);
	json_close(out);
}

void http_exchange_answer(struct http_exchange *x, const struct http_answer *given)
{
	struct http_conn *c = http_conn_of(x);
	struct http_answer answer = *given;
	struct http_answer_head head;
	struct buf bytes = {0}, json = {0};

	REQUIRE_EXECUTOR(&x->worker->executor);
	REQUIRE(c->state != HTTP_STATE_STREAMING);
	if (c->state == HTTP_STATE_CLOSING)
		return;
	if (answer.status >= 400) {
		if (answer.cause == NULL)
			answer.cause = http_status_text(answer.status);
		log_refusal(x, answer.status, answer.cause);
		if (answer.content_type == NULL) {
			put_json(&json, answer.status, answer.cause);
			answer.content_type = "application/json";
			answer.body = buf_slice(&json);
		}
	} else {
		http_exchange_log(x, answer.status);
	}
	head = http_link_answer_head(c, &answer);
	http_answer_head_put(&bytes, &head);
	if (x->request.method != HTTP_METHOD_HEAD)
		buf_put_slice(&bytes, answer.body);
	stream_write(x->stream, buf_slice(&bytes));
	buf_fini(&bytes);
	buf_fini(&json);
	c->ops->end_exchange(c);
}

void http_exchange_refuse(struct http_exchange *x, unsigned status, const char *cause)
{
	http_exchange_answer(x, &(struct http_answer){.status = status, .cause = cause});
}
