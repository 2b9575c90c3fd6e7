/* Reason codes by name, and what 3.1.1 makes of them.  Pure. */
#include "proto/reason.h"

#include <stddef.h>

#include "base/require.h"

#define NONE         0u
#define PUBLISH_ACKS (1u << PACKET_PUBACK | 1u << PACKET_PUBREC)
#define RELEASE_ACKS (1u << PACKET_PUBREL | 1u << PACKET_PUBCOMP)
#define DISCONNECT   (1u << PACKET_DISCONNECT)
#define AUTH         (1u << PACKET_AUTH)

static const struct reason_row {
	const char *name;
	uint16_t packets; /* bits of packet types */
	uint8_t connack_v3;
} rows[256] = {
#define REASON(id, code, its_connack_v3, its_packets, its_name)                                    \
	[code] = {.name = (its_name), .packets = (its_packets), .connack_v3 = (its_connack_v3)},
#include "proto/reasons.def"
#undef REASON
};

const char *reason_name(enum reason reason)
{
	unsigned code = (unsigned)reason;

	return code < 256 && rows[code].name != NULL ? rows[code].name : "unknown reason";
}

const char *reason_name_of_close(enum reason reason)
{
	return reason == REASON_SUCCESS ? "Normal disconnection" : reason_name(reason);
}

/* Table 3.1 of 3.1.1. What has no return code has no CONNACK: the server closes. [MQTT3-3.2.2-6]
 * [MQTT3-3.1.2-2] [MQTT3-3.1.3-9] */
uint8_t reason_connack_v3(enum reason reason)
{
	unsigned code = (unsigned)reason;

	return code < 256 ? rows[code].connack_v3 : 0;
}

/* [MQTT5-3.4.2-1] [MQTT5-3.5.2-1] [MQTT5-3.6.2-1] [MQTT5-3.7.2-1] [MQTT5-3.14.2-1]
 * [MQTT5-3.15.2-1] */
bool reason_is_allowed(uint8_t code, enum packet_type type)
{
	REQUIRE((unsigned)type < 16);
	return (rows[code].packets >> type & 1) != 0;
}
