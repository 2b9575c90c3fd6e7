/* The bytes of a client: what the broker's own codecs do not encode or decode, because they are
 * the other side. */
#ifndef SIM_PACKETS_H
#define SIM_PACKETS_H

#include "client.h"

void packets_put_connect(struct buf *out, const struct client *c, const struct connect_options *o);
void packets_put_disconnect(struct buf *out, enum mqtt_version version, enum reason reason,
                            const uint32_t *expiry_s);
void packets_put_subscribe(struct buf *out, enum mqtt_version version, uint16_t packet_id,
                           const struct subscribe_request *requests, size_t count);
void packets_put_unsubscribe(struct buf *out, enum mqtt_version version, uint16_t packet_id,
                             const char *const *filters, size_t count);

/* An invalid packet fails the test. */
void packets_take_connack(struct client *c, const struct frame *f);
void packets_take_publish(struct client *c, const struct frame *f, struct received *out);
/* SUBACK, UNSUBACK, PINGRESP, DISCONNECT. */
void packets_take_answer(struct client *c, const struct frame *f, struct answer *out);

#endif
