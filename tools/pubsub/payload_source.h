/* Where the payload of a message comes from: -m, -f, -n or -s.  Thread: main. */
#ifndef PUBSUB_PAYLOAD_SOURCE_H
#define PUBSUB_PAYLOAD_SOURCE_H

#include "base/bytes.h"

struct payload_source {
	const char *text, *file; /* -m, -f */
	bool empty, from_input;  /* -n, -s */
};

/* How many were given: there should be one. */
int payload_source_count(const struct payload_source *s);
/* Read it all. 0 or the exit status after an error. */
int payload_source_read(const struct payload_source *s, struct buf *out);

#endif
