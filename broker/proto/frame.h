/* The fixed header and the packet it frames (MQTT 3.1.1 and 5.0, section 2).  Pure. */
#ifndef PROTO_FRAME_H
#define PROTO_FRAME_H

#include "base/bytes.h"

enum packet_type {
#define PACKET(id, type, flags) PACKET_##id = (type),
#include "proto/packets.def"
#undef PACKET
};

struct frame {
	enum packet_type type;
	uint8_t flags; /* the low four bits of the first byte */
	bool padded;   /* Remaining Length in more bytes than it needs: 5.0 forbids it, 3.1.1 does
	                  not.   For those who know the version. [MQTT5-1.5.5-1] */
	struct slice body; /* everything after the Remaining Length; borrowed */
	size_t size_bytes; /* of the whole packet, header included */
};

/* What a Remaining Length can say, and the largest packet there can be. */
#define FRAME_BODY_MAX 268435455u
#define FRAME_SIZE_MAX (FRAME_BODY_MAX + 5u)

enum frame_result {
	FRAME_COMPLETE,   /* *out is filled and *in stands after it */
	FRAME_INCOMPLETE, /* nothing consumed; *needed_bytes says how long the packet is, 0 while
	                     unknown */
	FRAME_MALFORMED,  /* Remaining Length of five bytes */
	FRAME_TOO_LARGE,  /* the whole packet is larger than max_bytes; known as soon as its length
	                     is. Nothing consumed; out->body is what has come of it */
};

/* Take the next packet off *in. *needed_bytes is also set with FRAME_TOO_LARGE. Flags and types are
 * checked by the decoders, not here. */
enum frame_result frame_next(struct slice *in, size_t max_bytes, struct frame *out,
                             size_t *needed_bytes);

const char *packet_type_name(enum packet_type type); /* "PUBLISH" */
/* The flags that a packet of this type must have; not for PUBLISH. */
static inline uint8_t frame_flags(enum packet_type type)
{
#define PACKET(id, its_type, flags) | (uint64_t)(flags) << (its_type)*4
	const uint64_t flags_of_types = UINT64_C(0)
#include "proto/packets.def"
	    ;
#undef PACKET

	return (uint8_t)(flags_of_types >> (unsigned)type * 4 & 0x0f);
}

/* Start a packet of known body length, at most FRAME_BODY_MAX: first byte and Remaining Length. */
void frame_put_header(struct buf *out, enum packet_type type, uint8_t flags, size_t body_bytes);

#endif
