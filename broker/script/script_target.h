/* What the target of a script's request says: topic, filter, and the words of the query.  Pure:
 * a request in, values out, or what is wrong with it. */
#ifndef SCRIPT_SCRIPT_TARGET_H
#define SCRIPT_SCRIPT_TARGET_H

#include "http/http_request.h"

/* The topic name after `path`, percent-decoded once, appended. */
struct http_fault script_target_topic(const struct http_request *r, const char *path,
                                      struct buf *topic);
/* The topic filter of ?filter=, percent-decoded once, appended. */
struct http_fault script_target_filter(const struct http_request *r, struct buf *filter);
/* ?qos= and ?retain=; a word that is not there leaves its value as it is. Another word, and one
 * that is there twice, is a fault. */
struct http_fault script_target_options(const struct http_request *r, uint8_t *qos, bool *retain);

#endif
