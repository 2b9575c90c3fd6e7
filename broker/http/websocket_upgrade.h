/* May this request become a WebSocket? RFC 6455 4.2, and what MQTT asks of it (5.0 and 3.1.1,
 * section 6).  Pure.  Thread: any. */
#ifndef HTTP_WEBSOCKET_UPGRADE_H
#define HTTP_WEBSOCKET_UPGRADE_H

#include "conf/conf.h"
#include "http/http_request.h"

/* Is it for a path of the listener where WebSocket is served? On / only with Upgrade. */
bool websocket_upgrade_is_meant(const struct http_request *r, const struct conf_listener *l);
/* Status 0: it may, and the value of Sec-WebSocket-Accept is appended. */
struct http_fault websocket_upgrade_check(const struct http_request *r,
                                          const struct conf_listener *l, struct buf *accept);

#endif
