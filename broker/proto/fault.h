/* What is wrong with a packet: the reason code of MQTT, and in words the field or the setting that
 * decided.  The place that decides makes it, and it travels by value to the one place that logs it
 * and sends it to the peer. */
#ifndef PROTO_FAULT_H
#define PROTO_FAULT_H

#include <stdbool.h>

#include "proto/reason.h"

struct fault {
	enum reason reason; /* REASON_OK: nothing is wrong */
	const char *cause;  /* a literal: "the topic name contains a wildcard" */
};

#define FAULT_NONE ((struct fault){.reason = REASON_OK})

static inline struct fault fault_of(enum reason reason, const char *cause)
{
	return (struct fault){.reason = reason, .cause = cause};
}

static inline bool fault_is_none(struct fault fault)
{
	return fault.reason == REASON_OK;
}

#endif
