/* What a connection does at the events of its protocol.  Thread: that of its loop. */
#ifndef MQTT_MQTT_HOOKS_H
#define MQTT_MQTT_HOOKS_H

#include "mqtt/mqtt_types.h"

/* Their argument is a struct mqtt_connection. `with_auth`: its events have on_auth. */
const struct mqtt_events *mqtt_hooks_of(bool with_auth);

/* Append "WHAT: NAME (0x87): words of the server" and the other server that it names. */
void mqtt_hooks_put_reason(struct buf *out, const char *what, const char *name, enum reason reason,
                           const struct properties *p);

#endif
