/* A subscription to this one topic, for as long as its retained message takes. */
#include "script/script_retained.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/container.h"
#include "base/utf8.h"
#include "http/http_exchange.h"
#include "proto/packet_publish.h"
#include "proto/packet_suback.h"
#include "script/script_client.h"
#include "script/script_request.h"
#include "script/script_target.h"

#define LOOK_AGAIN_MS 5

struct retrieval {
	struct http_exchange *x;
	struct script_client *client;
	struct timer timer, deadline;
	struct buf topic;
};

static void on_connected(void *arg)
{
	struct retrieval *r = arg;

	script_client_subscribe(r->client, buf_slice(&r->topic));
}

/* What is still to come of the message is before the answer to a PINGREQ that is sent now. */
static void on_timer(struct timer *timer, void *executor_arg)
{
	struct retrieval *r = container_of(timer, struct retrieval, timer);

	(void)executor_arg;
	if (script_client_replays(r->client))
		executor_timer_arm(&r->x->worker->executor, timer, LOOK_AGAIN_MS);
	else
		script_client_ping(r->client);
}

static void on_suback(struct retrieval *r, const struct frame *f)
{
	struct suback ack;

	if (!fault_is_none(packet_suback_decode(f, MQTT_5_0, &ack)) || ack.reasons.len != 1)
		return;
	if (ack.reasons.data[0] >= REASON_UNSPECIFIED)
		script_request_answer(r->x, (enum reason)ack.reasons.data[0],
		                      ack.properties.reason_string);
	else
		on_timer(&r->timer, NULL);
}

/* False: it was answered. */
static bool on_message(struct retrieval *r, const struct frame *f)
{
	struct publish message;
	struct http_header headers[3];
	struct http_answer answer = {.status = 200};

	if (!fault_is_none(packet_publish_decode_of_server(f, MQTT_5_0, &message)))
		return true;
	/* It was published just now. */
	if (!message.retain) {
		script_client_acknowledge(r->client, f);
		return true;
	}
	answer.content_type =
	    utf8_valid(message.payload) ? "text/plain; charset=utf-8" : "application/octet-stream";
	answer.body = message.payload;
	answer.headers = headers;
	answer.header_count = script_request_cors(r->x, headers);
	http_exchange_answer(r->x, &answer);
	return false;
}

static bool on_packet(void *arg, const struct frame *f)
{
	struct retrieval *r = arg;

	switch ((unsigned)f->type) {
	case PACKET_SUBACK:
		on_suback(r, f);
		return true;
	case PACKET_PUBLISH:
		return on_message(r, f);
	case PACKET_PUBREL:
		script_client_acknowledge(r->client, f);
		return true;
	case PACKET_PINGRESP:
		http_exchange_refuse(r->x, 404,
		                     "nothing is retained for this topic, or nothing "
		                     "that this user may receive");
		return false;
	default:
		return true;
	}
}

static void on_ended(void *arg, enum reason reason, struct slice cause)
{
	struct retrieval *r = arg;

	r->client = NULL;
	script_request_answer(
	    r->x, reason < REASON_UNSPECIFIED ? REASON_SERVER_UNAVAILABLE : reason, cause);
}

static const struct script_client_events client_events = {
    .on_connected = on_connected, .on_packet = on_packet, .on_ended = on_ended};

static void on_deadline(struct timer *timer, void *executor_arg)
{
	struct retrieval *r = container_of(timer, struct retrieval, deadline);

	(void)executor_arg;
	http_exchange_refuse(r->x, 503, "the broker had no time within limits.connect_timeout");
}

static void on_end(struct http_exchange *x)
{
	struct retrieval *r = x->state;

	executor_timer_disarm(&x->worker->executor, &r->timer);
	executor_timer_disarm(&x->worker->executor, &r->deadline);
	script_client_close(&r->client);
	buf_fini(&r->topic);
	free(r);
}

static const struct http_exchange_events events = {.on_end = on_end};

static void handle(struct http_exchange *x)
{
	struct retrieval *r = xnew(r);
	const struct conf_listener *l = http_exchange_listener(x);

	REQUIRE_EXECUTOR(&x->worker->executor);
	REQUIRE(x->identity != NULL && x->state == NULL);
	r->x = x;
	x->state = r;
	x->events = &events;
	r->timer.fire = on_timer;
	r->deadline.fire = on_deadline;
	if (l == NULL) {
		http_exchange_refuse(x, 503, "the listener was removed");
		return;
	}
	if (script_request_fails(
		x, script_target_topic(&x->request, l->publish.retained_path, &r->topic)))
		return;
	r->client = script_client_new(x, 10, &client_events, r);
	executor_timer_arm(&x->worker->executor, &r->deadline, l->limits.connect_timeout_ms);
}

static const char *path(const struct conf_listener *l)
{
	return l->publish.retained_path;
}

const struct http_route script_retained_route = {
    .service = CONF_SERVICE_PUBLISH,
    .methods = HTTP_METHOD_GET,
    .path = path,
    .below = true,
    .needs_login = true,
    .origins = script_request_origins,
    .handle = handle,
};
