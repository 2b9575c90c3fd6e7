/* A PUBLISH packet for one client.  Thread: the session's worker. */
#ifndef SESSION_PUBLISH_ENCODE_H
#define SESSION_PUBLISH_ENCODE_H

#include "proto/packet_publish.h"
#include "session/delivery_context.h"
#include "session/inflight.h"

void publish_encode_fill(const struct session *s, const struct msg *msg, const struct delivery *d,
                         uint8_t qos, struct publish_out *out);
/* Is it within the client's Maximum Packet Size? */
bool publish_encode_fits(const struct session *s, const struct publish_out *p);
/* It leaves at the end of the turn. */
void publish_encode_write(struct session *s, const struct delivery_context *ctx,
                          struct publish_out *p);

#endif
