/* MQTT over WebSocket, the client's side (RFC 6455; MQTT 5.0 and 3.1.1, section 6): the request for
 * it and its answer, then frames around what is sent, and what is received without them.
 * Pure: bytes go in and come out.  Thread: the caller's, one at a time. */
#ifndef MQTT_MQTT_WEBSOCKET_H
#define MQTT_MQTT_WEBSOCKET_H

#include "base/bytes.h"
#include "websocket/websocket_frame.h"

/* Frames that a packet is cut into. */
#define MQTT_WEBSOCKET_CUTS_MAX 100u

enum mqtt_websocket_state {
	MQTT_WEBSOCKET_ASKED, /* the answer of the server has not come as a whole */
	MQTT_WEBSOCKET_OPEN,
	MQTT_WEBSOCKET_OVER,
};

/* Zero it; members are for reading. */
struct mqtt_websocket {
	struct buf head; /* the beginning of the answer */
	uint64_t left;   /* of the payload at hand */
	uint64_t masks;  /* where the next mask comes from */
	char key[25];
	uint8_t frame_head[10], frame_head_len;
	uint8_t control[WEBSOCKET_CONTROL_MAX], control_len;
	uint8_t opcode;
	bool in_message; /* its last frame has not come */
	enum mqtt_websocket_state state;
};

/* A new connection: append the request to `wire`. `authority` is what the Host field has. */
void mqtt_websocket_ask(struct mqtt_websocket *w, const char *authority, const char *path,
                        struct buf *wire);
void mqtt_websocket_fini(struct mqtt_websocket *w);
/* What the server sent, in place: the bytes of MQTT are moved to the beginning, *plain of them.
 * What must be answered is appended to `wire`. False: it is over, and `why` has the words. */
bool mqtt_websocket_input(struct mqtt_websocket *w, uint8_t *bytes, size_t len, size_t *plain,
                          struct buf *wire, struct buf *why);
/* Append whole packets to `wire` as frames: each packet cut into `cuts` of them (where it has so
 * many bytes); 0: one frame for all. */
void mqtt_websocket_put(struct mqtt_websocket *w, struct slice packets, unsigned cuts,
                        struct buf *wire);
/* Append the Close of a client that is done: nothing is put after it. */
void mqtt_websocket_put_close(struct mqtt_websocket *w, struct buf *wire);

#endif
