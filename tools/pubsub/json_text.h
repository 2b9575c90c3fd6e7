/* Is a text JSON (RFC 8259)?  Pure. */
#ifndef PUBSUB_JSON_TEXT_H
#define PUBSUB_JSON_TEXT_H

#include "base/bytes.h"

/* Arrays and objects in one another; more are not valid here. */
#define JSON_TEXT_DEPTH_MAX 256u

/* One value of any kind, in UTF-8, and nothing else. */
bool json_text_valid(struct slice s);

#endif
