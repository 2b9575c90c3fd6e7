/* What the codecs of this layer share; nobody else includes it.  Pure.
 *
 * Encoders of packets that are not hot append their body and put the fixed header before it when
 * its length is known: a move of a few bytes instead of a second pass that counts. */
#ifndef PROTO_WIRE_H
#define PROTO_WIRE_H

#include "base/bytes.h"
#include "base/utf8.h"
#include "proto/fault.h"
#include "proto/frame.h"

/* A UTF-8 Encoded String: what is not UTF-8 makes the reader bad. [MQTT5-1.5.4-1, -2]
 * [MQTT3-1.5.3-1, -2] U+FEFF is a character like any other. [MQTT5-1.5.4-3] [MQTT3-1.5.3-3] */
static inline struct slice read_utf8(struct reader *r)
{
	struct slice s = read_string(r);

	if (!utf8_valid(s))
		r->bad = true;
	return s;
}

/* A Packet Identifier is never zero. [MQTT3-2.3.1-1] [MQTT5-2.2.1-3] */
static inline uint16_t read_packet_id(struct reader *r)
{
	uint16_t id = read_u16(r);

	if (id == 0)
		r->bad = true;
	return id;
}

/* Overrun, or surplus bytes: both mean that the body does not have its packet's shape. */
static inline bool wire_is_whole(const struct reader *r)
{
	return !r->bad && reader_left(r) == 0;
}

/* The flags of the fixed header are those of the packet type. Not for PUBLISH. [MQTT3-2.2.2-1, -2]
 * [MQTT5-2.1.3-1] [MQTT-3.6.1-1] */
static inline struct fault wire_check_flags(const struct frame *frame)
{
	return frame->flags == frame_flags(frame->type)
	           ? FAULT_NONE
	           : fault_of(REASON_MALFORMED,
	                      "the flags of the fixed header are not those of this packet type");
}

/* What is wrong with the end of a body, if it is not whole. */
struct fault wire_check_end(const struct reader *r);
/* Why the packet identifier at this place of the body is not valid. */
struct fault wire_packet_id_fault(const struct frame *frame, size_t at);

/* Properties were appended since `start`: put their Property Length before them. */
void wire_close_properties(struct buf *out, size_t start);
/* A body was appended since `start`: put the fixed header before it. */
void wire_close_packet(struct buf *out, size_t start, enum packet_type type);

#endif
