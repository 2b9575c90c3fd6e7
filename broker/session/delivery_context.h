/* One message on its way to sessions of a worker.  Thread: the worker's. */
#ifndef SESSION_DELIVERY_CONTEXT_H
#define SESSION_DELIVERY_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "acl/acl.h"
#include "base/bytes.h"
#include "proto/mqtt_version.h"

/* What the receivers of one message share, where it goes to several. */
struct fan_out {
	/* The bytes encoded last: equal for every subscriber with the same options. */
	bool is_encoded;
	bool retain;
	uint8_t qos;
	enum mqtt_version version;
	uint32_t expiry_s;
	size_t packet_id_at;
	struct buf bytes;
	/* The last answer about receiving it: the next subscriber's is often the same. NULL: none;
	 * borrowed. */
	const struct acl_subject *subject;
	struct acl_verdict verdict;
};

struct delivery_context {
	struct msg *msg;         /* borrowed */
	struct fan_out *fan_out; /* NULL: it goes to one session */
};

/* For another message; the buffer is used again. */
static inline void fan_out_begin(struct fan_out *f)
{
	f->is_encoded = false;
	f->subject = NULL;
}

#endif
