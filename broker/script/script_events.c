/* A subscription whose messages go out as text.  A reader that is slow holds back the packets: then
 * the session drops QoS 0 and queues the rest, as for every client that does not read. */
#include "script/script_events.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/container.h"
#include "http/http_chunked.h"
#include "http/http_exchange.h"
#include "proto/packet_publish.h"
#include "proto/packet_suback.h"
#include "script/script_client.h"
#include "script/script_event.h"
#include "script/script_request.h"
#include "script/script_target.h"

/* Bytes that may wait for the reader before the packets are held back. */
#define BACKLOG_MAX 65536
/* A comment so often, so that proxies do not take it for dead. */
#define COMMENT_MS      15000
#define RECEIVE_MAXIMUM 20

struct events {
	struct http_exchange *x;
	struct script_client *client;
	struct timer timer; /* the deadline, then for comments */
	struct timer again;
	struct buf filter;
	bool begun;
};

static void on_connected(void *arg)
{
	struct events *e = arg;

	script_client_subscribe(e->client, buf_slice(&e->filter));
}

/* False: it is answered. */
static bool begin_stream(struct events *e)
{
	struct http_header headers[3];

	if (e->x->request.method == HTTP_METHOD_HEAD) {
		http_exchange_answer(e->x, &(struct http_answer){
					       .status = 200, .content_type = "text/event-stream"});
		return false;
	}
	e->begun = true;
	http_chunked_begin(
	    e->x, &(struct http_answer){.status = 200,
	                                .content_type = "text/event-stream",
	                                .headers = headers,
	                                .header_count = script_request_cors(e->x, headers)});
	http_chunked_write(e->x, SLICE(": subscribed\n\n"));
	executor_timer_arm(&e->x->worker->executor, &e->timer, COMMENT_MS);
	return true;
}

static bool on_suback(struct events *e, const struct frame *f)
{
	struct suback ack;

	if (!fault_is_none(packet_suback_decode(f, MQTT_5_0, &ack)) || ack.reasons.len != 1)
		return true;
	if (ack.reasons.data[0] < REASON_UNSPECIFIED)
		return begin_stream(e);
	script_request_answer(e->x, (enum reason)ack.reasons.data[0], ack.properties.reason_string);
	return false;
}

static bool on_message(struct events *e, const struct frame *f)
{
	struct publish message;
	struct buf line = {0};

	if (!fault_is_none(packet_publish_decode_of_server(f, MQTT_5_0, &message)))
		return true;
	buf_put_slice(&line, SLICE("data: "));
	script_event_put(&message, clock_wall_ms(), &line);
	buf_put_slice(&line, SLICE("\n"));
	http_chunked_write(e->x, buf_slice(&line));
	buf_fini(&line);
	script_client_acknowledge(e->client, f);
	/* mutant: slow_reader_holds_back */
	if (http_chunked_backlog(e->x) < BACKLOG_MAX)
		return true;
	/* It leaves at the end of this turn, or, where the reader is slow, on_drained comes. */
	if (stream_backlog(e->x->stream) <= STREAM_BACKLOG_LOW)
		executor_timer_arm(&e->x->worker->executor, &e->again, 1);
	return false;
}

static bool on_packet(void *arg, const struct frame *f)
{
	struct events *e = arg;

	switch ((unsigned)f->type) {
	case PACKET_SUBACK:
		return on_suback(e, f);
	case PACKET_PUBLISH:
		return !e->begun || on_message(e, f);
	case PACKET_PUBREL:
		script_client_acknowledge(e->client, f);
		return true;
	default:
		return true;
	}
}

/* Kicked, revoked, or the broker stops: the reader comes again, and is told then. */
static void on_ended(void *arg, enum reason reason, struct slice cause)
{
	struct events *e = arg;

	e->client = NULL;
	if (e->begun)
		http_chunked_end(e->x);
	else
		script_request_answer(
		    e->x, reason < REASON_UNSPECIFIED ? REASON_SERVER_UNAVAILABLE : reason, cause);
}

static const struct script_client_events client_events = {
    .on_connected = on_connected, .on_packet = on_packet, .on_ended = on_ended};

static void on_timer(struct timer *timer, void *executor_arg)
{
	struct events *e = container_of(timer, struct events, timer);

	(void)executor_arg;
	if (!e->begun) {
		http_exchange_refuse(e->x, 503,
		                     "the broker had no time within limits.connect_timeout");
		return;
	}
	if (http_chunked_backlog(e->x) == 0)
		http_chunked_write(e->x, SLICE(":\n\n"));
	executor_timer_arm(&e->x->worker->executor, timer, COMMENT_MS);
}

static void on_again(struct timer *timer, void *executor_arg)
{
	struct events *e = container_of(timer, struct events, again);

	(void)executor_arg;
	if (e->client != NULL)
		script_client_wake(e->client);
}

static void on_drained(struct http_exchange *x)
{
	struct events *e = x->state;

	if (e->client != NULL)
		script_client_wake(e->client);
}

static void on_end(struct http_exchange *x)
{
	struct events *e = x->state;

	executor_timer_disarm(&x->worker->executor, &e->timer);
	executor_timer_disarm(&x->worker->executor, &e->again);
	script_client_close(&e->client);
	buf_fini(&e->filter);
	free(e);
}

static const struct http_exchange_events events = {.on_drained = on_drained, .on_end = on_end};

static void handle(struct http_exchange *x)
{
	struct events *e = xnew(e);
	const struct conf_listener *l = http_exchange_listener(x);

	REQUIRE_EXECUTOR(&x->worker->executor);
	REQUIRE(x->identity != NULL && x->state == NULL);
	e->x = x;
	x->state = e;
	x->events = &events;
	e->timer.fire = on_timer;
	e->again.fire = on_again;
	if (l == NULL) {
		http_exchange_refuse(x, 503, "the listener was removed");
		return;
	}
	if (script_request_fails(x, script_target_filter(&x->request, &e->filter)))
		return;
	e->client = script_client_new(x, RECEIVE_MAXIMUM, &client_events, e);
	executor_timer_arm(&x->worker->executor, &e->timer, l->limits.connect_timeout_ms);
}

static const char *path(const struct conf_listener *l)
{
	return l->publish.events_path;
}

const struct http_route script_events_route = {
    .service = CONF_SERVICE_PUBLISH,
    .methods = HTTP_METHOD_GET,
    .path = path,
    .needs_login = true,
    .origins = script_request_origins,
    .handle = handle,
};
