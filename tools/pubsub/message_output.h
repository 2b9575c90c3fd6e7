/* A received message on standard output: as text, JSON, CSV, raw bytes or by a format.
 * Thread: main. */
#ifndef PUBSUB_MESSAGE_OUTPUT_H
#define PUBSUB_MESSAGE_OUTPUT_H

#include "base/bytes.h"
#include "proto/packet_publish.h"

enum output_kind {
	OUTPUT_TEXT, /* the payload and a newline; with `topics` the topic before it */
	OUTPUT_JSON, /* an object in a line */
	OUTPUT_CSV,  /* time, topic, qos, retain, payload (RFC 4180) */
	OUTPUT_RAW,  /* the payload alone */
};

struct message_output {
	enum output_kind kind;
	const char *format; /* message_format.h; NULL: by kind */
	bool topics, no_newline, pretty;
	/* A terminal: control characters of a payload could do anything to it. */
	bool escapes;
};

/* False after words: there is no such output. */
bool message_output_parse(const char *name, enum output_kind *kind);
/* Append the message as it is written. */
void message_output_put(struct buf *out, const struct message_output *o,
                        const struct publish *message, int64_t now_ms);

#endif
