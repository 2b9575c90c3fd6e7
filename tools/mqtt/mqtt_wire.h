/* What is between a client's packets and its socket: nothing, or MQTT over WebSocket
 * (mqtt_websocket.h).  Pure.  Thread: the caller's, one at a time. */
#ifndef MQTT_MQTT_WIRE_H
#define MQTT_MQTT_WIRE_H

#include "mqtt/mqtt_websocket.h"

struct mqtt_endpoint;

/* Why no WebSocket can be asked for at that path. NULL: one can. */
const char *mqtt_wire_path_refused(const char *path);

/* Zero it. */
struct mqtt_wire {
	bool has_websocket;
	struct mqtt_websocket websocket;
	struct buf frames; /* what waits for the socket */
};

/* A new connection: with a WebSocket, its request is the first to be sent. */
void mqtt_wire_open(struct mqtt_wire *w, const struct mqtt_endpoint *endpoint);
/* Forget the connection; what was to be sent is wiped. */
void mqtt_wire_close(struct mqtt_wire *w);
/* What is to be written now: `packets`, or frames that were made of them (which are whole packets,
 * and taken). Packets wait as long as the server has not accepted the WebSocket. */
struct buf *mqtt_wire_output(struct mqtt_wire *w, struct buf *packets);
/* `packets` were the last. A server may wait for the Close of a WebSocket before it closes. */
void mqtt_wire_finish(struct mqtt_wire *w, struct buf *packets);
/* What came, in place: *plain bytes of packets are at the beginning. False: the WebSocket is over,
 * and `why` has the words; *plain are good nevertheless. */
bool mqtt_wire_input(struct mqtt_wire *w, uint8_t *bytes, size_t len, size_t *plain,
                     struct buf *why);
/* The server has not answered the request for a WebSocket. */
static inline bool mqtt_wire_waits(const struct mqtt_wire *w)
{
	return w->has_websocket && w->websocket.state == MQTT_WEBSOCKET_ASKED;
}

#endif
