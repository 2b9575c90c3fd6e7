/* CONNACK both ways.  Pure. */
#include "proto/packet_connack.h"

#include "base/array.h"
#include "base/require.h"
#include "proto/wire.h"

/* [MQTT5-3.2.2-20] */
static void put_connack_properties(struct buf *out, const struct connack *c)
{
	size_t start = out->len;

	if (c->has_session_expiry)
		property_put_number(out, PROPERTY_SESSION_EXPIRY, c->session_expiry_s);
	if (c->receive_maximum != 0 && c->receive_maximum != UINT16_MAX)
		property_put_number(out, PROPERTY_RECEIVE_MAXIMUM, c->receive_maximum);
	if (c->max_qos < 2) /* [MQTT5-3.2.2-9] */
		property_put_number(out, PROPERTY_MAXIMUM_QOS, c->max_qos);
	if (c->retain_unavailable)
		property_put_number(out, PROPERTY_RETAIN_AVAILABLE, 0);
	if (c->max_packet_bytes != 0)
		property_put_number(out, PROPERTY_MAXIMUM_PACKET_SIZE, c->max_packet_bytes);
	if (c->topic_alias_maximum != 0)
		property_put_number(out, PROPERTY_TOPIC_ALIAS_MAXIMUM, c->topic_alias_maximum);
	if (c->has_server_keep_alive)
		property_put_number(out, PROPERTY_SERVER_KEEP_ALIVE, c->server_keep_alive_s);
	property_put_string_if_any(out, PROPERTY_ASSIGNED_CLIENT_ID, c->assigned_client_id);
	property_put_string_if_any(out, PROPERTY_REASON_STRING, c->reason_string);
	property_put_string_if_any(out, PROPERTY_RESPONSE_INFORMATION, c->response_information);
	property_put_string_if_any(out, PROPERTY_SERVER_REFERENCE, c->server_reference);
	if (c->auth_method.len > 0) {
		property_put_string(out, PROPERTY_AUTH_METHOD, c->auth_method);
		property_put_string_if_any(out, PROPERTY_AUTH_DATA, c->auth_data);
	}
	wire_close_properties(out, start);
}

void packet_connack_encode(struct buf *out, const struct connack *c)
{
	size_t start = out->len;
	bool accepted = c->reason == REASON_SUCCESS;
	uint8_t code = (uint8_t)c->reason;

	if (c->version == MQTT_3_1_1) {
		code = reason_connack_v3(c->reason);
		if (code == 0 && !accepted)
			return; /* [MQTT3-3.2.2-6] */
	}
	REQUIRE(c->reason == REASON_SUCCESS || c->version == MQTT_3_1_1 ||
	        c->reason >= REASON_UNSPECIFIED);
	/* [MQTT3-3.2.2-4] [MQTT5-3.2.2-1, -6] */
	buf_put_u8(out, accepted && c->session_present ? 1 : 0);
	buf_put_u8(out, code);
	if (c->version == MQTT_5_0)
		put_connack_properties(out, c);
	wire_close_packet(out, start, PACKET_CONNACK);
}

/* The reason that a return code of 3.1.1 stands for: the plain one of those that share it. */
static enum reason reason_of_v3(uint8_t code)
{
	static const enum reason reasons[] = {
	    REASON_SUCCESS,
	    REASON_UNSUPPORTED_VERSION,
	    REASON_CLIENT_ID_NOT_VALID,
	    REASON_SERVER_UNAVAILABLE,
	    REASON_BAD_USER_NAME_OR_PASSWORD,
	    REASON_NOT_AUTHORIZED,
	};

	return code < ARRAY_LEN(reasons) ? reasons[code] : REASON_UNSPECIFIED;
}

static void take_connack_properties(const struct properties *p, struct connack *out)
{
	out->has_session_expiry = properties_have(p, PROPERTY_SESSION_EXPIRY);
	out->session_expiry_s = p->session_expiry_s;
	out->has_server_keep_alive = properties_have(p, PROPERTY_SERVER_KEEP_ALIVE);
	out->server_keep_alive_s = p->server_keep_alive_s;
	out->retain_unavailable =
	    properties_have(p, PROPERTY_RETAIN_AVAILABLE) && p->retain_available == 0;
	if (properties_have(p, PROPERTY_MAXIMUM_QOS))
		out->max_qos = p->maximum_qos;
	if (properties_have(p, PROPERTY_RECEIVE_MAXIMUM))
		out->receive_maximum = p->receive_maximum;
	out->topic_alias_maximum = p->topic_alias_maximum;
	out->max_packet_bytes = p->max_packet_bytes;
	out->assigned_client_id = p->assigned_client_id;
	out->reason_string = p->reason_string;
	out->response_information = p->response_information;
	out->auth_method = p->auth_method;
	out->auth_data = p->auth_data;
	out->server_reference = p->server_reference;
}

struct fault packet_connack_decode(const struct frame *frame, enum mqtt_version version,
                                   struct connack *out, struct properties *properties)
{
	struct reader r = reader_of(frame->body);
	struct fault fault = wire_check_flags(frame);
	uint8_t flags = read_u8(&r), code = read_u8(&r);

	*properties = (struct properties){0};
	*out = (struct connack){.version = version, .max_qos = 2, .receive_maximum = UINT16_MAX};
	if (!fault_is_none(fault))
		return fault;
	if (r.bad || (flags & 0xfe) != 0)
		return fault_of(REASON_MALFORMED,
		                "the flags or the reason code of CONNACK are not valid");
	out->session_present = flags != 0;
	out->reason = version == MQTT_5_0 ? (enum reason)code : reason_of_v3(code);
	/* A server that does not speak 5.0 refuses it in the form that it knows. */
	if (version == MQTT_5_0 && reader_left(&r) == 0 && code != 0) {
		out->reason = code < REASON_UNSPECIFIED ? reason_of_v3(code) : (enum reason)code;
	} else if (version == MQTT_5_0) {
		if (!fault_is_none(fault = properties_read(&r, PACKET_CONNACK, properties)))
			return fault;
		take_connack_properties(properties, out);
	}
	if (!fault_is_none(fault = wire_check_end(&r)))
		return fault;
	if (out->reason != REASON_SUCCESS &&
	    (out->session_present || out->reason < REASON_UNSPECIFIED))
		return fault_of(REASON_PROTOCOL_ERROR,
		                "CONNACK refuses with a code or flags that do not refuse");
	return FAULT_NONE;
}
