/* Extensions are never agreed on: compression of what is encrypted tells lengths, and costs
 * memory. */
#include "http/websocket_upgrade.h"

#include "http/http_origin.h"
#include "websocket/websocket_key.h"

bool websocket_upgrade_is_meant(const struct http_request *r, const struct conf_listener *l)
{
	if ((l->serve & CONF_SERVICE_WEBSOCKET) == 0)
		return false;
	if (slice_equal(r->path, SLICE("/")) && !r->has_upgrade)
		return false;
	for (size_t i = 0; i < l->websocket.paths.count; i++) {
		if (slice_equal(r->path, slice_of_str(l->websocket.paths.items[i])))
			return true;
	}
	return false;
}

static struct http_fault refuse(unsigned status, const char *cause)
{
	return (struct http_fault){.status = status, .cause = cause};
}

static bool has_version(const struct http_request *r)
{
	const struct http_field *version = http_request_field(r, "sec-websocket-version");

	return http_request_field_count(r, "sec-websocket-version") == 1 &&
	       slice_equal(version->value, SLICE("13"));
}

/* [MQTT5-6.0.0-3] [MQTT5-6.0.0-4] [MQTT3-6.0.0-3] [MQTT3-6.0.0-4] */
static struct http_fault check_subprotocol(const struct http_request *r)
{
	if (http_request_has_token(r, "sec-websocket-protocol", "mqtt"))
		return HTTP_FINE;
	if (http_request_has_token(r, "sec-websocket-protocol", "mqttv3.1"))
		return refuse(400, "the client offers the WebSocket subprotocol mqttv3.1 alone: "
		                   "MQTT 3.1 is not supported, it must offer mqtt");
	return refuse(400, "the client offers no WebSocket subprotocol mqtt: it has to say that it "
	                   "speaks MQTT");
}

struct http_fault websocket_upgrade_check(const struct http_request *r,
                                          const struct conf_listener *l, struct buf *accept)
{
	const struct http_field *key = http_request_field(r, "sec-websocket-key");
	const char *origin;
	struct http_fault fault;

	if (r->method != HTTP_METHOD_GET)
		return refuse(405, "a WebSocket begins with GET");
	if (!r->has_upgrade || !http_request_has_token(r, "upgrade", "websocket"))
		return refuse(426, "this is MQTT over WebSocket: the client has to ask for it "
		                   "(wss://)");
	if (!has_version(r))
		return refuse(426, "the client does not speak version 13 of WebSocket");
	/* mutant: websocket_key */
	if (http_request_field_count(r, "sec-websocket-key") != 1 ||
	    !websocket_key_is_valid(key->value))
		return refuse(400, "Sec-WebSocket-Key is missing or not valid");
	origin = http_origin_refused(r, &l->websocket.origins);
	if (origin != NULL)
		return refuse(403, origin);
	fault = check_subprotocol(r);
	if (fault.status == 0)
		websocket_key_accept(key->value, accept);
	return fault;
}
