/* CONNACK to the wire.  Pure. */
#include "proto/packet_connack.h"

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
