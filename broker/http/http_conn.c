/* Bytes become requests.  A head is checked as it comes, so that what is no HTTP ends with its
 * first byte; memory grows with what has come, not with what was announced. */
#include "http/http_conn.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/crypto.h"
#include "base/list.h"
#include "client/client_list.h"
#include "client/conn_accept.h"
#include "client/conn_memory.h"
#include "client/connection_limits.h"
#include "client/half_open_places.h"
#include "http/http_answer_head.h"
#include "http/http_exchange.h"
#include "http/http_link.h"
#include "http/http_login.h"
#include "http/http_origin.h"
#include "http/http_pace.h"
#include "http/websocket_upgrade.h"
#include "websocket/websocket_stream.h"
#include "worker/memory_quota.h"
#include "worker/shared.h"

#define FLUSH_MS 2000
/* Between two requests. */
#define IDLE_MS 60000
/* A body has limits.connect_timeout, and a second more for each so many bytes. */
#define BODY_BYTES_PER_S 16384
/* A reader who takes nothing for so long is gone. */
#define STALLED_MS 60000
/* What may come while a request is being answered. */
#define AHEAD_BYTES HTTP_HEAD_BYTES_MAX

/* The request cannot be served: the answer, and the end of the connection. */
static void refuse(struct http_conn *c, struct http_fault fault)
{
	c->close_after = true;
	http_exchange_refuse(&c->x, fault.status, fault.cause);
}

/* --- time --- */

static uint64_t timeout_ms(const struct http_conn *c)
{
	return worker_limits(c->x.worker, stream_listener(c->x.stream))->connect_timeout_ms;
}

static void arm(struct http_conn *c, uint64_t at_ms)
{
	timer_arm(&c->x.worker->executor.timers, &c->timer, at_ms);
}

/* A pause of ours counts as life. */
static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void check_reader(struct http_conn *c)
{
	struct executor *executor = &c->x.worker->executor;
	uint64_t accepted = stream_accepted(c->x.stream);

	if (accepted != c->accepted_bytes || stream_backlog(c->x.stream) == 0)
		c->taking_ms = executor->now_ms;
	c->accepted_bytes = accepted;
	if (executor->now_ms - later(c->taking_ms, executor->resumed_ms) >= STALLED_MS)
		stream_abort(c->x.stream);
	else
		arm(c, executor->now_ms + STALLED_MS / 4);
}

static void watch_reader(struct http_conn *c)
{
	c->taking_ms = c->x.worker->executor.now_ms;
	arm(c, c->taking_ms + STALLED_MS / 4);
}

static void on_timer(struct timer *timer, void *executor_arg)
{
	struct http_conn *c = container_of(timer, struct http_conn, timer);

	(void)executor_arg;
	if (c->state == HTTP_STATE_STREAMING || c->state == HTTP_STATE_PACED) {
		check_reader(c);
		return;
	}
	if (executor_postpones(&c->x.worker->executor, timer, c->request_ms))
		return;
	if (c->state == HTTP_STATE_HEAD && c->in.len == 0 && c->requests > 0)
		http_conn_close(c);
	else
		refuse(c, (struct http_fault){
			      408, "no whole request came within limits.connect_timeout"});
}

/* --- memory --- */

/* False: it was refused. */
static bool may_grow(struct http_conn *c, size_t bytes)
{
	struct worker *w = c->x.worker;
	const char *exceeds = quota_memory(w, c->charge.payer, bytes);
	char peer[STREAM_PEER_TEXT];
	struct quota_refusal refusal = {.peer = peer, .what = "an HTTP request", .cause = exceeds};

	if (exceeds == NULL)
		return true;
	stream_peer_text(c->x.stream, peer, sizeof(peer));
	quota_report_memory(w, &refusal);
	refuse(c, (struct http_fault){503, exceeds});
	return false;
}

/* --- the end of an exchange, and of the connection --- */

static void forget_request(struct http_conn *c)
{
	buf_fini_secret(&c->head); /* it may have a password */
	buf_fini_secret(&c->body);
	c->x.request = (struct http_request){0};
	c->x.route = NULL;
	c->x.state = NULL;
	c->x.events = NULL;
	c->scan = (struct http_scan){0};
}

/* The handler has nothing of it any more. */
static void end_handler(struct http_conn *c)
{
	struct worker *w = c->x.worker;

	http_login_forget(&c->x);
	if (c->x.events != NULL && c->x.events->on_end != NULL)
		c->x.events->on_end(&c->x);
	REQUIRE(!c->user_counted || c->x.identity != NULL);
	if (c->user_counted) {
		unsigned listener = stream_listener(c->x.stream);

		keyed_counter_give(&w->shared->user_connections, c->x.identity->key);
		atomic_fetch_sub(&w->shared->connections, 1);
		atomic_fetch_sub(&w->shared->listeners[listener].clients, 1);
	}
	identity_unref(&c->x.identity);
	forget_request(c);
	if (c->user_counted)
		http_link_pay(c);
	c->user_counted = false;
}

static void process(struct http_conn *c);

static void next_request(struct http_conn *c)
{
	struct worker *w = c->x.worker;

	REQUIRE_EXECUTOR(&w->executor);
	c->state = HTTP_STATE_HEAD;
	c->request_ms = w->executor.now_ms;
	arm(c, w->executor.now_ms + (c->in.len > 0 ? timeout_ms(c) : IDLE_MS));
	if (c->paused) {
		c->paused = false;
		stream_resume(c->x.stream);
	}
	http_link_count(c);
	process(c);
}

static void end_exchange(struct http_conn *c)
{
	struct worker *w = c->x.worker;

	REQUIRE_EXECUTOR(&w->executor);
	end_handler(c);
	c->requests++;
	if (c->close_after || w->stopping) {
		http_conn_close(c);
		return;
	}
	/* One that waits for its next request makes way first. */
	/* mutant: http_idle_makes_way */
	half_open_places_leave(w, &c->place);
	half_open_places_enter(w, &c->place, c->x.stream, HALF_OPEN_ACCEPTED);
	if (http_pace_holds(c))
		watch_reader(c);
	else
		next_request(c);
}

void http_conn_close(struct http_conn *c)
{
	struct worker *w = c->x.worker;

	REQUIRE_EXECUTOR(&w->executor);
	if (c->state == HTTP_STATE_CLOSING)
		return;
	c->state = HTTP_STATE_CLOSING;
	end_handler(c);
	http_pace_forget(c);
	executor_timer_disarm(&w->executor, &c->timer);
	half_open_places_leave(w, &c->place);
	stream_close(c->x.stream, FLUSH_MS);
}

static void free_conn(struct http_conn *c)
{
	struct worker *w = c->x.worker;

	if (w->http->next_to_check == c)
		w->http->next_to_check = c->next;
	DL_DELETE(w->http->conns, c);
	if (c->dirty)
		LL_DELETE2(w->http->dirty, c, next_dirty);
	http_pace_forget(c);
	half_open_places_leave(w, &c->place);
	executor_timer_disarm(&w->executor, &c->timer);
	http_link_count_payer(c, UINT64_MAX);
	charge_fini(w, &c->charge);
	buf_fini_secret(&c->in);
	buf_fini(&c->out);
	free(c);
	w->clients->others--;
	client_list_check_empty(w);
}

static void on_closed(void *arg, enum stream_end end)
{
	struct http_conn *c = arg;

	(void)end;
	if (c->state != HTTP_STATE_CLOSING)
		end_handler(c);
	c->state = HTTP_STATE_CLOSING;
	if (stream_has_address(c->x.stream))
		connection_limits_give_address(c->x.worker, c->x.stream);
	free_conn(c);
}

static void displace(struct half_open_place *place)
{
	http_conn_close(container_of(place, struct http_conn, place));
}

/* --- a request --- */

/* /publish/x is below /publish, and /x below /. */
static bool is_below(struct slice asked, struct slice path)
{
	return asked.len > path.len && slice_starts_with(asked, path) &&
	       (asked.data[path.len] == '/' || asked.data[path.len - 1] == '/');
}

static const struct http_route *find_route(const struct http_conn *c, const struct conf_listener *l)
{
	const struct http_server *s = c->x.worker->http;

	for (size_t i = 0; i < s->route_count; i++) {
		const struct http_route *route = s->routes[i];
		struct slice path = slice_of_str(route->path(l)), asked = c->x.request.path;

		/* mutant: http_served_only_if_listed */
		if ((l->serve & route->service) == 0)
			continue;
		if (slice_equal(asked, path) || (route->below && is_below(asked, path)))
			return route;
	}
	return NULL;
}

static void refuse_method(struct http_conn *c, unsigned methods)
{
	struct buf allow = {0};
	struct http_header header = {.name = SLICE("Allow")};

	if ((methods & HTTP_METHOD_GET) != 0)
		buf_put_slice(&allow, SLICE("GET, HEAD"));
	if ((methods & HTTP_METHOD_POST) != 0)
		buf_printf(&allow, "%sPOST", allow.len > 0 ? ", " : "");
	if ((methods & HTTP_METHOD_OPTIONS) != 0)
		buf_printf(&allow, "%sOPTIONS", allow.len > 0 ? ", " : "");
	header.value = buf_slice(&allow);
	c->close_after = true;
	http_exchange_answer(&c->x,
	                     &(struct http_answer){.status = 405,
	                                           .headers = &header,
	                                           .header_count = 1,
	                                           .cause = "the method is not allowed here"});
	buf_fini(&allow);
}

/* RFC 9110 15.5.22; RFC 6455 4.2.2 */
static void refuse_upgrade(struct http_conn *c, struct http_fault fault)
{
	static const struct http_header headers[] = {
	    {SLICE_INIT("Upgrade"), SLICE_INIT("websocket")},
	    {SLICE_INIT("Sec-WebSocket-Version"), SLICE_INIT("13")},
	    {SLICE_INIT("Connection"), SLICE_INIT("Upgrade, close")},
	};

	if (fault.status == 405) {
		refuse_method(c, HTTP_METHOD_GET);
		return;
	}
	c->close_after = true;
	http_exchange_answer(&c->x,
	                     &(struct http_answer){.status = fault.status,
	                                           .headers = headers,
	                                           .header_count = fault.status == 426 ? 3 : 0,
	                                           .cause = fault.cause});
}

/* The connection is MQTT from now on: another object has its stream, and this one is freed. */
static void become_websocket(struct http_conn *c)
{
	struct worker *w = c->x.worker;
	struct stream *stream = c->x.stream;
	uint64_t accepted_ms = c->place.accepted_ms;

	REQUIRE(c->requests == 0 && c->in.len == 0);
	half_open_places_leave(w, &c->place);
	end_handler(c);
	stream_detach(stream);
	conn_accept_upgraded(w, websocket_stream_new(stream), accepted_ms);
	free_conn(c);
}

/* False: the connection is not ours any more. */
static bool upgrade(struct http_conn *c, const struct conf_listener *l)
{
	struct buf accept = {0}, bytes = {0};
	struct http_fault fault = websocket_upgrade_check(&c->x.request, l, &accept);
	struct http_header headers[] = {
	    {SLICE("Upgrade"), SLICE("websocket")},
	    {SLICE("Connection"), SLICE("Upgrade")},
	    {SLICE("Sec-WebSocket-Protocol"), SLICE("mqtt")}, /* [MQTT5-6.0.0-4] [MQTT3-6.0.0-4] */
	    {SLICE("Sec-WebSocket-Accept"), buf_slice(&accept)},
	};
	struct http_answer answer = {.status = 101,
	                             .headers = headers,
	                             .header_count = sizeof(headers) / sizeof(headers[0])};
	struct http_answer_head head = {.answer = &answer, .hsts_s = l->hsts_s};

	/* RFC 6455 4.1: it has to wait for the answer. */
	if (fault.status == 0 && c->in.len > 0)
		fault = (struct http_fault){400, "the client sent more before the WebSocket was "
		                                 "agreed on"};
	if (fault.status == 0 && c->requests > 0)
		fault = (struct http_fault){400, "a WebSocket begins with the first request of a "
		                                 "connection"};
	if (fault.status == 0) {
		http_answer_head_put(&bytes, &head);
		stream_write(c->x.stream, buf_slice(&bytes));
		http_exchange_log(&c->x, 101);
		become_websocket(c);
	} else {
		refuse_upgrade(c, fault);
	}
	buf_fini(&accept);
	buf_fini(&bytes);
	return fault.status != 0;
}

static void on_logged_in(struct http_exchange *x)
{
	x->route->handle(x);
}

static void handle(struct http_conn *c)
{
	c->state = HTTP_STATE_HANDLED;
	executor_timer_disarm(&c->x.worker->executor, &c->timer);
	if (c->x.route->needs_login)
		http_login_start(&c->x, on_logged_in);
	else
		c->x.route->handle(&c->x);
}

static void send_continue(struct http_conn *c)
{
	if (c->x.request.wants_continue && c->in.len == 0)
		stream_write(c->x.stream, SLICE("HTTP/1.1 100 Continue\r\n\r\n"));
}

/* The head is whole and right: what is known before the body is said before it. */
static void begin_request(struct http_conn *c, const struct conf_listener *l)
{
	const struct http_request *r = &c->x.request;
	const struct http_route *route = find_route(c, l);
	unsigned methods;
	const char *refused = NULL;

	if (route == NULL) {
		refuse(c, (struct http_fault){404, "nothing is served under this path"});
		return;
	}
	c->x.route = route;
	methods = route->methods;
	if ((methods & HTTP_METHOD_GET) != 0)
		methods |= HTTP_METHOD_HEAD;
	if (((unsigned)r->method & methods) == 0) {
		refuse_method(c, route->methods);
		return;
	}
	if (route->origins != NULL)
		refused = http_origin_refused_fetch(r, route->origins(l));
	if (refused != NULL) {
		refuse(c, (struct http_fault){403, refused});
		return;
	}
	if (r->content_length > (route->body_max == NULL ? 0 : route->body_max(l))) {
		refuse(c, (struct http_fault){413, "the body is too large"});
		return;
	}
	if (r->content_length == 0) {
		handle(c);
		return;
	}
	c->state = HTTP_STATE_BODY;
	arm(c, c->request_ms + timeout_ms(c) + r->content_length * 1000 / BODY_BYTES_PER_S);
	send_continue(c);
}

/* False: the connection is not ours any more. */
static bool on_head(struct http_conn *c)
{
	const struct conf_listener *l = http_exchange_listener(&c->x);
	struct http_fault fault;

	REQUIRE(c->head.len == 0 && c->scan.head_len <= c->in.len);
	buf_put_secret(&c->head, slice_of(c->in.data, c->scan.head_len));
	crypto_wipe(c->in.data, c->scan.head_len);
	buf_consume(&c->in, c->scan.head_len);
	if (c->in.len == 0)
		buf_fini(&c->in);
	c->scan = (struct http_scan){0};
	half_open_progress(&c->place, HALF_OPEN_CONNECT);
	fault = http_request_parse(buf_slice(&c->head), &c->x.request);
	if (fault.status != 0) {
		refuse(c, fault);
		return true;
	}
	if (c->x.request.wants_close)
		c->close_after = true;
	if (l == NULL || !http_login_is_admitted(&c->x)) {
		http_conn_close(c);
		return true;
	}
	if (websocket_upgrade_is_meant(&c->x.request, l))
		return upgrade(c, l);
	begin_request(c, l);
	return true;
}

static void take_body(struct http_conn *c)
{
	size_t want = (size_t)c->x.request.content_length - c->body.len;
	size_t n = c->in.len < want ? c->in.len : want;
	size_t growth = buf_growth(&c->body, n);

	REQUIRE(c->body.len < c->x.request.content_length);
	if (growth > 0 && !may_grow(c, growth))
		return;
	buf_put_slice(&c->body, slice_of(c->in.data, n));
	buf_consume(&c->in, n);
	if (c->in.len == 0)
		buf_fini(&c->in);
	http_link_count(c);
	if (c->body.len < c->x.request.content_length)
		return;
	c->x.request.body = buf_slice(&c->body);
	handle(c);
}

/* False: the connection is not ours any more. */
static bool step(struct http_conn *c)
{
	struct http_fault fault;

	if (c->state == HTTP_STATE_BODY) {
		take_body(c);
		return true;
	}
	fault = http_scan(&c->scan, buf_slice(&c->in));
	if (fault.status != 0) {
		refuse(c, fault);
		return true;
	}
	if (c->scan.head_len > 0)
		return on_head(c);
	return true;
}

static void process(struct http_conn *c)
{
	if (c->processing)
		return;
	c->processing = true;
	while ((c->state == HTTP_STATE_HEAD || c->state == HTTP_STATE_BODY) && c->in.len > 0) {
		size_t before = c->in.len;
		enum http_state state = c->state;

		if (!step(c))
			return;
		if (c->in.len == before && c->state == state)
			break; /* more has to come */
	}
	c->processing = false;
	http_link_count(c);
}

/* --- the stream --- */

static void on_bytes(void *arg, struct slice bytes)
{
	struct http_conn *c = arg;
	struct worker *w = c->x.worker;
	bool waits = c->state != HTTP_STATE_HEAD && c->state != HTTP_STATE_BODY;

	REQUIRE_EXECUTOR(&w->executor);
	REQUIRE(bytes.len > 0);
	if (c->state == HTTP_STATE_CLOSING)
		return;
	if (waits && c->in.len + bytes.len > AHEAD_BYTES && !c->paused) {
		c->paused = true;
		stream_pause(c->x.stream);
	}
	if (c->state == HTTP_STATE_HEAD && c->in.len == 0 && c->requests > 0) {
		c->request_ms = w->executor.now_ms;
		/* mutant: request_has_a_deadline */
		arm(c, c->request_ms + timeout_ms(c));
	}
	buf_put_secret(&c->in, bytes);
	process(c);
}

static void on_stage(void *arg, enum stream_stage stage)
{
	struct http_conn *c = arg;

	half_open_progress(&c->place,
	                   stage == STREAM_STAGE_HELLO ? HALF_OPEN_HELLO : HALF_OPEN_HANDSHAKE);
}

static void on_drained(void *arg)
{
	struct http_conn *c = arg;

	http_pace_drained(c);
	if (c->state == HTTP_STATE_STREAMING && c->x.events != NULL &&
	    c->x.events->on_drained != NULL)
		c->x.events->on_drained(&c->x);
}

static const struct stream_events events = {
    .on_bytes = on_bytes,
    .on_stage = on_stage,
    .on_drained = on_drained,
    .on_closed = on_closed,
};

static const struct http_conn_ops ops = {.end_exchange = end_exchange,
                                         .next_request = next_request};

void http_conn_accept(struct worker *w, struct stream *stream)
{
	struct payers *payers = &w->shared->payers;
	char address[STREAM_PEER_TEXT];
	size_t len = stream_peer_key_text(stream, address, sizeof(address));
	struct http_conn *c;

	REQUIRE_EXECUTOR(&w->executor);
	if (!half_open_places_admit(w, stream)) {
		stream_discard(stream);
		return;
	}
	c = xnew(c);
	c->x.worker = w;
	c->x.stream = stream;
	c->ops = &ops;
	c->timer.fire = on_timer;
	c->place.displace = displace;
	c->place.accepted_ms = c->request_ms = half_open_places_since(w, stream);
	charge_init(&c->charge, payers_find(payers, PAYER_UNAUTHENTICATED, slice_of(address, len)));
	http_link_count_payer(c, 1);
	half_open_places_enter(w, &c->place, stream, half_open_places_stage(stream));
	count(&w->counters.connections_total);
	DL_APPEND(w->http->conns, c);
	w->clients->others++;
	arm(c, c->request_ms + timeout_ms(c));
	stream_attach(stream, w->loop, &events, c);
}
