/* Reason codes: MQTT 5.0 section 2.4, used inside for both versions.  The table is reasons.def. */
#ifndef PROTO_REASON_H
#define PROTO_REASON_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/frame.h"

/* Numbers are those of the wire. 0x00 is success, normal disconnection and granted QoS 0. */
enum reason {
#define REASON(id, code, connack_v3, packets, name) REASON_##id = (code),
#include "proto/reasons.def"
#undef REASON
};

#define REASON_OK REASON_SUCCESS

const char *reason_name(
    enum reason reason); /* the standard's words: "Not authorized"; "unknown reason" otherwise */
/* The same in a DISCONNECT, where 0x00 is "Normal disconnection". */
const char *reason_name_of_close(enum reason reason);

/* 3.1.1 CONNACK return code 1..5 for a refused CONNECT; 0 where 3.1.1 has no code and just closes.
 * [MQTT3-3.2.2-4] */
uint8_t reason_connack_v3(enum reason reason);

/* May a client send this code in this packet: PUBACK, PUBREC, PUBREL, PUBCOMP, DISCONNECT or AUTH?
 */
bool reason_is_allowed(uint8_t code, enum packet_type type);

#endif
