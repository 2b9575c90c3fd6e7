/* See names.h. Few and overlapping, so that they collide. */
#include "names.h"

#include <string.h>

const char *const topic_names[TOPIC_NAMES] = {
    "a/1", "a/2", "a/1/x", "b/1", "b/2", "b/1/x",        "r/1",
    "r/2", "r/3", "s/1",   "s/2", "a",   "desired/lamp", "desired/door",
};

const char *const filter_names[FILTER_NAMES] = {
    "#",   "a/#", "b/#",   "r/#",   "+/1", "+/+", "a/1", "a/+",       "b/1",          "b/+/x",
    "r/1", "r/+", "+/1/#", "a/1/x", "a",   "s/#", "r/2", "desired/#", "desired/lamp", "b/1/#",
};

const char *const share_names[SHARE_NAMES] = {
    "$share/g/s/#",
    "$share/h/s/1",
    "$share/g/b/+",
    "$share/k/#",
};

const struct slice illegal_packets[ILLEGAL_KINDS] = {
    SLICE_INIT("\x10\x0c\x00\x04MQTT\x04\x02\x00\x00\x00\x00"), /* a second CONNECT */
    SLICE_INIT("\x30\x05\x00\x03"
               "a/#"), /* a topic with a wildcard */
    SLICE_INIT("\x36\x05\x00\x01"
               "a\x00\x01"),                /* QoS 3 */
    SLICE_INIT("\x00\x00"),                 /* a reserved packet type */
    SLICE_INIT("\x30\xff\xff\xff\xff\x7f"), /* a Remaining Length of five bytes */
    SLICE_INIT("\x82\x02\x00\x01"),         /* SUBSCRIBE without a filter */
    SLICE_INIT("\x80\x02\x00\x01"),         /* SUBSCRIBE with wrong flags */
    SLICE_INIT("\x90\x03\x00\x01\x00"),     /* SUBACK */
    SLICE_INIT("\x32\x05\x00\x01"
               "a\x00\x00"),                /* packet identifier 0 */
    SLICE_INIT("\x30\x04\x00\x02\xc0\x80"), /* a topic that is not UTF-8 */
    SLICE_INIT("\xf0\x00"), /* AUTH: 3.1.1 has none, and only the broker may send success */
    SLICE_INIT("\x30\x07\x00\x01"
               "a\x03\x23\x00\x0b"),                /* a topic alias above the maximum */
    SLICE_INIT("\x30\x06\x00\x00\x03\x23\x00\x09"), /* an alias that was never set */
    SLICE_INIT("\x30\x07\x00\x01"
               "a\x03\x23\x00\x00"),                         /* alias 0 */
    SLICE_INIT("\xf0\x02\x19\x00"),                          /* AUTH without a method */
    SLICE_INIT("\xf0\x12\x18\x10\x15\x00\x0dSCRAM-SHA-256"), /* AUTH unasked */
};

const char *names_topic(const char *topic)
{
	for (unsigned i = 0; i < TOPIC_NAMES; i++) {
		if (strcmp(topic_names[i], topic) == 0)
			return topic_names[i];
	}
	return NULL;
}
