/* What a connection does at the events of its protocol.  Thread: that of its loop. */
#ifndef MQTT_MQTT_HOOKS_H
#define MQTT_MQTT_HOOKS_H

#include "mqtt/mqtt_types.h"

/* Their argument is a struct mqtt_connection. `with_auth`: its events have on_auth. */
const struct mqtt_events *mqtt_hooks_of(bool with_auth);

#endif
