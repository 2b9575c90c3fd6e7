/* WebSocket as a stream over another one: the owner sees the bytes of MQTT.  The upgrade is over
 * (http/websocket_upgrade.h).  Thread: see net/stream.h. */
#ifndef WEBSOCKET_WEBSOCKET_STREAM_H
#define WEBSOCKET_WEBSOCKET_STREAM_H

#include "net/stream.h"

/* Above this within a minute the connection is closed: bytes of frame headers and of control frames
 * without a byte of MQTT between them. */
#define WEBSOCKET_UNPRODUCTIVE_MAX 65536

/* The server's side. `inner`, whose handshake is done, belongs to the new stream: detached.
 * Detached. */
struct stream *websocket_stream_new(struct stream *inner);

#endif
