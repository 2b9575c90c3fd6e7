/* What the packets of a server do to the state of a client (mqtt_types.h): events are called, and
 * acknowledgements are put. */
#ifndef MQTT_MQTT_PACKETS_H
#define MQTT_MQTT_PACKETS_H

#include "mqtt/mqtt_types.h"

/* One packet, while the state is MQTT_CONNECTING or MQTT_OPEN. A fault: the server broke the
 * protocol, or refused with CONNACK. */
struct fault mqtt_packets_take(struct mqtt_protocol *p, const struct frame *f);
/* Put PUBACK or PUBREC; nothing for QoS 0, and where the connection is not open any more. */
void mqtt_packets_acknowledge(struct mqtt_protocol *p, uint8_t qos, uint16_t packet_id,
                              enum reason reason);
/* How many messages of QoS 1 and 2 may be without their acknowledgement. */
uint32_t mqtt_packets_window(const struct mqtt_protocol *p);
/* Put again what is held of the connection before, as far as the window permits. */
void mqtt_packets_resend(struct mqtt_protocol *p);

#endif
