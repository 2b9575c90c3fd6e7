/* The key that both sides of a WebSocket show each other (RFC 6455 section 4): that they speak it,
 * no secret.  Pure.  Thread: any. */
#ifndef WEBSOCKET_WEBSOCKET_KEY_H
#define WEBSOCKET_WEBSOCKET_KEY_H

#include "base/bytes.h"

/* Sec-WebSocket-Key: 16 bytes in base64. */
bool websocket_key_is_valid(struct slice key);
/* Append the Sec-WebSocket-Accept that belongs to it. */
void websocket_key_accept(struct slice key, struct buf *out);

#endif
