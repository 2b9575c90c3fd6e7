/* Frames of WebSocket (RFC 6455 section 5), the server's side: what clients send is decoded in
 * place, what we send is a header before the bytes.  MQTT is a stream of bytes in binary frames,
 * however it is cut. [MQTT5-6.0.0-1] [MQTT5-6.0.0-2] [MQTT3-6.0.0-1] [MQTT3-6.0.0-2]
 * Pure: no I/O, no clock.  Thread: the stream's. */
#ifndef WEBSOCKET_WEBSOCKET_FRAME_H
#define WEBSOCKET_WEBSOCKET_FRAME_H

#include "base/bytes.h"

/* RFC 6455 7.4.1 */
enum websocket_code {
	WEBSOCKET_NORMAL = 1000,
	WEBSOCKET_GOING_AWAY = 1001,
	WEBSOCKET_PROTOCOL_ERROR = 1002,
	WEBSOCKET_UNSUPPORTED = 1003, /* text */
	WEBSOCKET_NO_CODE = 1005,     /* never on the wire: a Close without a code */
	WEBSOCKET_BAD_DATA = 1007,
	WEBSOCKET_REFUSED = 1008,
	WEBSOCKET_TOO_BIG = 1009,
	WEBSOCKET_FAILED = 1011,
};

#define WEBSOCKET_CONTROL_MAX 125
#define WEBSOCKET_HEAD_MAX    14 /* with its mask; ours have none, and 10 bytes */

struct websocket_control;

/* Zero-initialised. */
struct websocket_decoder {
	/* Bytes of the payload at hand that have not come yet. */
	uint64_t left;
	/* A control frame that came in part: the only thing that is allocated. */
	struct websocket_control *control;
	/* Rotated: the first byte is for the next byte of the payload. */
	uint8_t mask[4];
	/* Bytes of headers and control frames since the last byte of data. */
	uint32_t unproductive;
	/* A header that came in part. */
	uint8_t head[WEBSOCKET_HEAD_MAX];
	uint8_t head_len;
	/* Of the frame at hand. */
	unsigned opcode : 4;
	/* A message has begun, and its last frame has not come. */
	bool in_message : 1;
};

enum websocket_event_kind {
	WEBSOCKET_NOTHING,
	WEBSOCKET_PING,  /* payload: to be sent back */
	WEBSOCKET_CLOSE, /* code, what the client said; nothing follows it */
	WEBSOCKET_FAULT, /* code, cause: the connection has to be closed */
};

struct websocket_event {
	enum websocket_event_kind kind;
	/* Until the next call, or change of the bytes. */
	struct slice payload;
	enum websocket_code code;
	const char *cause;
};

/* Decode `in` from `at` up to its end or the next event, and return how far it got. Data is moved
 * to bytes[*plain], which grows; *plain is never above `at`. */
size_t websocket_decode(struct websocket_decoder *d, uint8_t *bytes, size_t len, size_t at,
                        size_t *plain, struct websocket_event *event);
void websocket_decoder_fini(struct websocket_decoder *d);

enum websocket_opcode {
	WEBSOCKET_OP_CONTINUATION = 0x0,
	WEBSOCKET_OP_TEXT = 0x1,
	WEBSOCKET_OP_BINARY = 0x2,
	WEBSOCKET_OP_CLOSE = 0x8,
	WEBSOCKET_OP_PING = 0x9,
	WEBSOCKET_OP_PONG = 0xa,
};

/* The header of a whole frame with so many bytes; returns its length, 10 at most. */
size_t websocket_put_head(uint8_t out[WEBSOCKET_HEAD_MAX], enum websocket_opcode opcode,
                          uint64_t len);

#endif
