/* The versions of MQTT that the codecs know. */
#ifndef PROTO_MQTT_VERSION_H
#define PROTO_MQTT_VERSION_H

enum mqtt_version {
	MQTT_3_1_1 = 4,
	MQTT_5_0 = 5,
};

#endif
