/* The answer comes after the acknowledgement; QoS 0 has none, and is answered when the broker has
 * taken the message: it answers a PINGREQ behind it. */
#include "script/script_publish.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/container.h"
#include "http/http_exchange.h"
#include "proto/packet_ack.h"
#include "proto/packet_publish.h"
#include "script/script_client.h"
#include "script/script_request.h"
#include "script/script_target.h"
#include "worker/shared.h"

struct publication {
	struct http_exchange *x;
	struct script_client *client;
	struct timer timer;
	struct buf topic;
	struct buf denied; /* why, for QoS 0, where nothing comes back */
	uint8_t qos;
	bool retain;
	bool waits; /* for its turn by limits.message_rate */
};

static void send_answer(struct publication *p, enum reason reason, struct slice cause)
{
	struct buf text = {0};

	buf_put_slice(&text, cause); /* it may be the publication's own */
	script_request_answer(p->x, reason, buf_slice(&text));
	buf_fini(&text);
}

static struct publish_out message_of(const struct publication *p)
{
	return (struct publish_out){.version = MQTT_5_0,
	                            .retain = p->retain,
	                            .qos = p->qos,
	                            .packet_id = p->qos == 0 ? 0 : 1,
	                            .topic = buf_slice(&p->topic),
	                            .payload = p->x->request.body};
}

static void on_connected(void *arg)
{
	struct publication *p = arg;
	const struct publish_out message = message_of(p);
	struct buf packet = {0};

	(void)packet_publish_encode(&packet, &message);
	script_client_send(p->client, buf_slice(&packet));
	buf_fini(&packet);
	if (p->qos == 0)
		script_client_ping(p->client);
}

static void release(struct publication *p)
{
	struct buf packet = {0};

	packet_ack_encode(&packet, MQTT_5_0, PACKET_PUBREL, 1, REASON_SUCCESS, SLICE_EMPTY);
	script_client_send(p->client, buf_slice(&packet));
	buf_fini(&packet);
}

static bool on_packet(void *arg, const struct frame *f)
{
	struct publication *p = arg;
	struct ack ack = {.reason = REASON_SUCCESS};

	if (f->type == PACKET_PINGRESP) {
		/* mutant: denied_post_of_qos_0 */
		send_answer(p, p->denied.len > 0 ? REASON_NOT_AUTHORIZED : REASON_SUCCESS,
		            buf_slice(&p->denied));
		return false;
	}
	if ((f->type != PACKET_PUBACK && f->type != PACKET_PUBREC && f->type != PACKET_PUBCOMP) ||
	    !fault_is_none(packet_ack_decode(f, MQTT_5_0, &ack)))
		return true;
	if (f->type == PACKET_PUBREC && ack.reason < REASON_UNSPECIFIED) {
		release(p);
		return true;
	}
	send_answer(p, ack.reason, ack.properties.reason_string);
	return false;
}

static void on_ended(void *arg, enum reason reason, struct slice cause)
{
	struct publication *p = arg;

	p->client = NULL;
	send_answer(p, reason < REASON_UNSPECIFIED ? REASON_SERVER_UNAVAILABLE : reason, cause);
}

static const struct script_client_events client_events = {
    .on_connected = on_connected, .on_packet = on_packet, .on_ended = on_ended};

static void start(struct publication *p);

static void on_timer(struct timer *timer, void *executor_arg)
{
	struct publication *p = container_of(timer, struct publication, timer);

	(void)executor_arg;
	if (p->waits) {
		p->waits = false;
		start(p);
		return;
	}
	send_answer(p, REASON_SERVER_UNAVAILABLE,
	            SLICE("the broker has not acknowledged it within limits.connect_timeout, for "
	                  "example because its store is full; it may still be published"));
}

static void on_end(struct http_exchange *x)
{
	struct publication *p = x->state;

	executor_timer_disarm(&x->worker->executor, &p->timer);
	script_client_close(&p->client);
	buf_fini(&p->topic);
	buf_fini(&p->denied);
	free(p);
}

static const struct http_exchange_events events = {.on_end = on_end};

/* What the rules say is asked again, and logged, where the message is published; but a message of
 * QoS 0 that they deny has no answer there. */
static void check_rules(struct publication *p)
{
	const struct acl_request request = {.action = ACL_PUBLISH,
	                                    .topic = buf_slice(&p->topic),
	                                    .retain = p->retain,
	                                    .qos = p->qos,
	                                    .payload = p->x->request.body};

	(void)script_request_is_allowed(p->x, &request, &p->denied);
}

/* NULL: it fits the listener. */
static const char *exceeds(const struct publication *p, const struct conf_limits *limits)
{
	if (p->qos > limits->max_qos)
		return "qos is above limits.max_qos";
	if (p->retain && !limits->retain_available)
		return "limits.retain_available is false: nothing is retained";
	return NULL;
}

/* How long it has to wait: each request is a client of its own, so what its user, or the address
 * of an anonymous one, has sent is known elsewhere. */
static uint64_t wait_of(const struct http_exchange *x, const struct conf_limits *limits)
{
	const struct identity *id = x->identity;
	bool anonymous = id->kind == IDENTITY_ANONYMOUS;
	struct slice who = anonymous ? stream_peer_key(x->stream) : id->key;
	struct buf key = {0};
	uint64_t wait_ms;

	if (limits->message_rate == 0)
		return 0;
	buf_put_u8(&key, anonymous);
	buf_put_slice(&key, who);
	/* mutant: scripts_have_a_rate */
	wait_ms = message_rates_spend(&x->worker->shared->script_rates, buf_slice(&key),
	                              limits->message_rate, x->worker->executor.now_ms,
	                              limits->connect_timeout_ms);
	buf_fini(&key);
	return wait_ms;
}

static void start(struct publication *p)
{
	struct http_exchange *x = p->x;
	const struct conf_listener *l = http_exchange_listener(x);

	REQUIRE(p->client == NULL && !p->waits);
	if (l == NULL) {
		http_exchange_refuse(x, 503, "the listener was removed");
		return;
	}
	check_rules(p);
	p->client = script_client_new(x, 1, &client_events, p);
	/* mutant: post_has_a_deadline */
	executor_timer_arm(&x->worker->executor, &p->timer, l->limits.connect_timeout_ms);
}

static void handle(struct http_exchange *x)
{
	struct publication *p = xnew(p);
	const struct conf_listener *l = http_exchange_listener(x);
	const char *wrong;
	struct publish_out message;
	uint64_t wait_ms;

	REQUIRE_EXECUTOR(&x->worker->executor);
	REQUIRE(x->identity != NULL && x->state == NULL);
	p->x = x;
	x->state = p;
	x->events = &events;
	p->timer.fire = on_timer;
	if (l == NULL) {
		http_exchange_refuse(x, 503, "the listener was removed");
		return;
	}
	if (script_request_fails(x, script_target_topic(&x->request, l->publish.path, &p->topic)) ||
	    script_request_fails(x, script_target_options(&x->request, &p->qos, &p->retain)))
		return;
	wrong = exceeds(p, &l->limits);
	if (wrong != NULL) {
		http_exchange_refuse(x, 400, wrong);
		return;
	}
	message = message_of(p);
	if (packet_publish_size(&message) > l->limits.max_packet_size) {
		script_request_answer(x, REASON_PACKET_TOO_LARGE,
		                      SLICE("the message is larger than limits.max_packet_size"));
		return;
	}
	wait_ms = wait_of(x, &l->limits);
	if (wait_ms > l->limits.connect_timeout_ms) {
		script_request_too_early(x, wait_ms);
	} else if (wait_ms > 0) {
		p->waits = true;
		executor_timer_arm(&x->worker->executor, &p->timer, wait_ms);
	} else {
		start(p);
	}
}

static const char *path(const struct conf_listener *l)
{
	return l->publish.path;
}

static size_t body_max(const struct conf_listener *l)
{
	return l->limits.max_packet_size;
}

const struct http_route script_publish_route = {
    .service = CONF_SERVICE_PUBLISH,
    .methods = HTTP_METHOD_POST,
    .path = path,
    .below = true,
    .needs_login = true,
    .origins = script_request_origins,
    .body_max = body_max,
    .handle = handle,
};
