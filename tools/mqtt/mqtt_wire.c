/* The request for a WebSocket, and frames. */
#include "mqtt/mqtt_wire.h"

#include <string.h>

#include "base/require.h"
#include "mqtt/mqtt_connection.h"

#define PATH_BYTES_MAX 1000

const char *mqtt_wire_path_refused(const char *path)
{
	if (path[0] != '/')
		return "it does not begin with /";
	for (const char *c = path; *c != '\0'; c++) {
		if (*c <= ' ' || *c == 0x7f || *c == '#')
			return "blanks, control characters, # and letters beyond ASCII are written "
			       "with %, as in an address of the Web";
	}
	return strlen(path) > PATH_BYTES_MAX ? "it is longer than 1000 bytes" : NULL;
}

/* The Host field: what the endpoint names, an IPv6 address in brackets. */
static void put_authority(struct buf *out, const struct mqtt_endpoint *e)
{
	if (e->host == NULL)
		buf_printf(out, "localhost");
	else if (strchr(e->host, ':') != NULL)
		buf_printf(out, "[%s]:%u", e->host, (unsigned)e->port);
	else
		buf_printf(out, "%s:%u", e->host, (unsigned)e->port);
	buf_put_u8(out, '\0');
}

void mqtt_wire_open(struct mqtt_wire *w, const struct mqtt_endpoint *endpoint)
{
	struct buf authority = {0};

	mqtt_wire_close(w);
	if (endpoint->websocket_path == NULL)
		return;
	put_authority(&authority, endpoint);
	w->has_websocket = true;
	mqtt_websocket_ask(&w->websocket, (const char *)authority.data, endpoint->websocket_path,
	                   &w->frames);
	buf_fini(&authority);
}

void mqtt_wire_close(struct mqtt_wire *w)
{
	mqtt_websocket_fini(&w->websocket);
	buf_fini_secret(&w->frames); /* CONNECT has the password */
	*w = (struct mqtt_wire){.has_websocket = false};
}

struct buf *mqtt_wire_output(struct mqtt_wire *w, struct buf *packets)
{
	if (!w->has_websocket)
		return packets;
	if (w->websocket.state == MQTT_WEBSOCKET_OPEN && packets->len > 0) {
		mqtt_websocket_put(&w->websocket, buf_slice(packets), 0, &w->frames);
		buf_fini_secret(packets);
	}
	return &w->frames;
}

void mqtt_wire_finish(struct mqtt_wire *w, struct buf *packets)
{
	if (!w->has_websocket || w->websocket.state != MQTT_WEBSOCKET_OPEN)
		return;
	(void)mqtt_wire_output(w, packets);
	mqtt_websocket_put_close(&w->websocket, &w->frames);
}

bool mqtt_wire_input(struct mqtt_wire *w, uint8_t *bytes, size_t len, size_t *plain,
                     struct buf *why)
{
	*plain = len;
	return !w->has_websocket ||
	       mqtt_websocket_input(&w->websocket, bytes, len, plain, &w->frames, why);
}
