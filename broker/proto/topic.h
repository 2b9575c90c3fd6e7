/* Topic names and topic filters (section 4.7 of both standards, 4.8 of 5.0).  Pure, no recursion,
 * linear. */
#ifndef PROTO_TOPIC_H
#define PROTO_TOPIC_H

#include "base/bytes.h"

#define TOPIC_SHARE_PREFIX "$share/"

/* Only ASCII without control characters and wildcards: most names are, and it is known in a few
 * instructions. */
bool topic_is_plain(struct slice s);
/* At least one character, UTF-8 without U+0000, no wildcard. [MQTT-3.3.2-2] [MQTT5-4.7.3-1] */
bool topic_name_valid(struct slice name);
/* At least one character, UTF-8, wildcards stand alone in their level, `#` only last. `$share/...`
 * is checked by topic_filter_share. [MQTT5-4.7.1-1, -2] */
bool topic_filter_valid(struct slice filter);
size_t topic_levels(struct slice s); /* number of '/' plus one */
/* Has it more levels than that? Those of a short one need not be counted. */
static inline bool topic_exceeds_levels(struct slice s, size_t max)
{
	return s.len >= max && topic_levels(s) > max;
}
bool topic_has_wildcard(struct slice s);

enum share_result {
	SHARE_NONE,    /* an ordinary filter */
	SHARE_OK,      /* *group and *filter are set */
	SHARE_INVALID, /* begins with $share/ but is not $share/NAME/FILTER [MQTT5-4.8.2-1, -2] */
};
enum share_result topic_filter_share(struct slice whole, struct slice *group, struct slice *filter);

/* Does the (valid) filter match the (valid) name? Wildcards at the start do not match names that
 * begin with '$'. [MQTT-4.7.2-1] The plain definition, for tests and single checks; the trees have
 * their own. */
bool topic_matches(struct slice filter, struct slice name);

/* Is there a topic name that both (valid) filters match? */
bool topic_filters_overlap(struct slice a, struct slice b);

/* Walk the levels: topic_walk_of, then topic_walk_next until it says false. */
struct topic_walk {
	struct slice rest; /* after the '/' of the level given last */
	bool done;         /* the level given last was the last */
};
struct topic_walk topic_walk_of(struct slice s);
bool topic_walk_next(struct topic_walk *w, struct slice *level);

#endif
