/* Formats of -F: the sequences that people know from mosquitto_sub, where they mean the same.
 * %t, %-10.10t and so on are of the message, @H and so on of the time (strftime), \n and so on are
 * characters.  Pure, but for the time zone and words on standard error. */
#ifndef PUBSUB_MESSAGE_FORMAT_H
#define PUBSUB_MESSAGE_FORMAT_H

#include "proto/packet_publish.h"

/* The largest width of a field. */
#define MESSAGE_FORMAT_WIDTH_MAX 9999u

struct message_format {
	bool escapes, pretty; /* of struct message_output */
};

/* False after words: it is not a format. */
bool message_format_check(const char *format);
/* Append the message by a format that was checked. A payload that %J cannot show as JSON is
 * reported, and left out. */
void message_format_put(struct buf *out, const char *format, const struct message_format *o,
                        const struct publish *message, int64_t now_ms);

#endif
