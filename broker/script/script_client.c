/* Packets to and from a connection that the broker serves like any other. */
#include "script/script_client.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "client/conn_accept.h"
#include "proto/packet_ack.h"
#include "proto/packet_connack.h"
#include "proto/packet_connect.h"
#include "proto/packet_disconnect.h"
#include "proto/packet_publish.h"
#include "script/inner_stream.h"
#include "session/session.h"

struct script_client {
	const struct script_client_events *events;
	void *arg;
	struct inner_stream *stream;
	const struct conn *conn; /* until on_ended */
	enum reason reason;      /* of its end, with the cause */
	struct buf cause;
	bool is_closed; /* by the caller, from inside an event */
	bool is_inside; /* an event */
	bool is_held;   /* until script_client_wake */
};

static void client_free(struct script_client *c)
{
	buf_fini(&c->cause);
	free(c);
}

static void end_with(struct script_client *c, enum reason reason, struct slice cause)
{
	c->reason = reason;
	buf_clear(&c->cause);
	buf_put_slice(&c->cause, cause);
}

static void on_connack(struct script_client *c, const struct frame *f)
{
	struct connack ack;
	struct properties properties;

	if (!fault_is_none(packet_connack_decode(f, MQTT_5_0, &ack, &properties)))
		return;
	if (ack.reason == REASON_SUCCESS)
		c->events->on_connected(c->arg);
	else
		end_with(c, ack.reason, ack.reason_string);
}

static void on_disconnect(struct script_client *c, const struct frame *f)
{
	struct disconnect disconnect;

	if (fault_is_none(packet_disconnect_decode_of_server(f, &disconnect)))
		end_with(c, disconnect.reason, disconnect.properties.reason_string);
}

/* False: no more for now. */
static bool take_packet(struct script_client *c, const struct frame *f)
{
	switch ((unsigned)f->type) {
	case PACKET_CONNACK:
		on_connack(c, f);
		return true;
	case PACKET_DISCONNECT:
		on_disconnect(c, f);
		return true;
	default:
		return c->events->on_packet(c->arg, f);
	}
}

static void on_output(void *arg, struct slice *bytes)
{
	struct script_client *c = arg;
	struct frame f;
	size_t needed;

	c->is_inside = true;
	while (!c->is_held && !c->is_closed &&
	       frame_next(bytes, FRAME_SIZE_MAX, &f, &needed) == FRAME_COMPLETE)
		c->is_held = !take_packet(c, &f);
	c->is_inside = false;
	if (c->is_closed)
		client_free(c);
}

static void on_ended(void *arg)
{
	struct script_client *c = arg;

	c->stream = NULL;
	c->conn = NULL;
	c->is_inside = true;
	c->events->on_ended(c->arg, c->reason, buf_slice(&c->cause));
	client_free(c);
}

static const struct inner_stream_events events = {.on_output = on_output, .on_ended = on_ended};

struct script_client *script_client_new(struct http_exchange *x, uint16_t receive_maximum,
                                        const struct script_client_events *its_events, void *arg)
{
	const uint8_t properties[] = {PROPERTY_RECEIVE_MAXIMUM, (uint8_t)(receive_maximum >> 8),
	                              (uint8_t)receive_maximum};
	const struct connect connect = {.version = MQTT_5_0,
	                                .clean_start = true,
	                                .properties.raw = slice_of(properties, sizeof(properties))};
	struct script_client *c = xnew(c);
	struct buf packet = {0};

	REQUIRE_EXECUTOR(&x->worker->executor);
	REQUIRE(x->identity != NULL && receive_maximum > 0);
	c->events = its_events;
	c->arg = arg;
	c->reason = REASON_SERVER_UNAVAILABLE;
	c->stream = inner_stream_new(x->stream, &events, c);
	packet_connect_encode(&packet, &connect);
	inner_stream_send(c->stream, buf_slice(&packet));
	buf_fini(&packet);
	c->conn = conn_accept_inside(x->worker, inner_stream_end(c->stream), x->identity);
	return c;
}

void script_client_send(struct script_client *c, struct slice packet)
{
	REQUIRE(c->stream != NULL && !c->is_closed);
	inner_stream_send(c->stream, packet);
}

void script_client_subscribe(struct script_client *c, struct slice filter)
{
	const struct subscribe_entry entry = {.filter = filter,
	                                      .options = {.qos = 2, .retain_as_published = true}};
	struct buf packet = {0};

	REQUIRE(filter.len > 0);
	packet_subscribe_encode(&packet, MQTT_5_0, 1, SLICE_EMPTY, &entry, 1);
	script_client_send(c, buf_slice(&packet));
	buf_fini(&packet);
}

void script_client_ping(struct script_client *c)
{
	struct buf packet = {0};

	frame_put_header(&packet, PACKET_PINGREQ, 0, 0);
	script_client_send(c, buf_slice(&packet));
	buf_fini(&packet);
}

void script_client_acknowledge(struct script_client *c, const struct frame *f)
{
	struct publish publish;
	struct ack ack;
	struct buf packet = {0};

	REQUIRE(f->type == PACKET_PUBREL || f->type == PACKET_PUBLISH);
	if (f->type == PACKET_PUBREL) {
		if (!fault_is_none(packet_ack_decode(f, MQTT_5_0, &ack)))
			return;
		packet_ack_encode(&packet, MQTT_5_0, PACKET_PUBCOMP, ack.packet_id, REASON_SUCCESS,
		                  SLICE_EMPTY);
	} else {
		if (!fault_is_none(packet_publish_decode_of_server(f, MQTT_5_0, &publish)) ||
		    publish.qos == 0)
			return;
		packet_ack_encode(&packet, MQTT_5_0,
		                  publish.qos == 1 ? PACKET_PUBACK : PACKET_PUBREC,
		                  publish.packet_id, REASON_SUCCESS, SLICE_EMPTY);
	}
	script_client_send(c, buf_slice(&packet));
	buf_fini(&packet);
}

void script_client_wake(struct script_client *c)
{
	REQUIRE(c->stream != NULL && !c->is_closed);
	c->is_held = false;
	inner_stream_wake(c->stream);
}

bool script_client_replays(const struct script_client *c)
{
	const struct session *s = c->conn == NULL ? NULL : c->conn->link.session;

	return s != NULL && s->replays != NULL;
}

void script_client_close(struct script_client **ref)
{
	struct script_client *c = *ref;

	*ref = NULL;
	if (c == NULL || c->is_closed)
		return;
	if (c->stream != NULL)
		inner_stream_close(c->stream);
	c->stream = NULL;
	c->conn = NULL;
	c->is_closed = true;
	if (!c->is_inside)
		client_free(c);
}
