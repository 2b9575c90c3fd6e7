/* A message as one line of JSON.  Pure. */
#ifndef SCRIPT_SCRIPT_EVENT_H
#define SCRIPT_SCRIPT_EVENT_H

#include "proto/packet_publish.h"

/* {"topic":...,"qos":1,"retain":false,"time":"...","payload":"..."}, with the newline; with
 * "payload_base64" where the payload is not UTF-8. */
void script_event_put(const struct publish *message, int64_t now_ms, struct buf *out);

#endif
