/* A received message as a JSON object.  Pure, but for the time zone. */
#ifndef PUBSUB_MESSAGE_JSON_H
#define PUBSUB_MESSAGE_JSON_H

#include "proto/packet_publish.h"

struct message_json {
	bool pretty;       /* a line for each member */
	bool bare_payload; /* the payload is JSON (json_text_valid) and stands there as it is */
	bool escapes;      /* of a bare payload, for a terminal */
};

/* Append the object, without a newline. */
void message_json_put(struct buf *out, const struct message_json *o, const struct publish *m,
                      int64_t now_ms);

#endif
