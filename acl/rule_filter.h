/* The topic filter of a rule, cut into levels once; names of the client are filled in during the
 * walk.  Does one filter cover another, do two overlap?  Pure; no allocation after parsing, no
 * recursion.  Thread: any. */
#ifndef ACL_RULE_FILTER_H
#define ACL_RULE_FILTER_H

#include "acl/acl_types.h"
#include "acl/pattern.h"
#include "base/bytes.h"

enum level_kind {
	LEVEL_TEXT,
	LEVEL_PLUS,
	LEVEL_HASH,
	LEVEL_PATTERN,
	LEVEL_END, /* no level: the walk is over */
};

struct filter_level {
	enum level_kind kind;
	struct slice raw;  /* as written, "%u" and "%%" in it */
	struct slice text; /* LEVEL_TEXT */
	struct pattern pattern;
};

/* Topics of the broker's own that clients may write: an allow counts there only if its filter
 * begins with the place. */
enum system_place {
	PLACE_NONE,
	PLACE_BRIDGE,  /* BRIDGE_PREFIX */
	PLACE_CONTROL, /* CONTROL_PREFIX */
};

struct rule_filter {
	char *source; /* as written, without its quotes */
	struct filter_level *levels;
	size_t count;
	enum system_place place; /* that it begins with */
	bool quoted;             /* written in single quotes: a blank in it is meant */
};

/* Where mosquitto's bridges announce themselves. */
#define BRIDGE_PREFIX "$SYS/broker/connection/"

/* Of a topic, or the filter of a rule. */
enum system_place system_place_of(struct slice text);

#define RULE_LEVELS_MAX 128

/* Cut a valid filter; false: a '%' at offset *bad that means nothing. Fini in both cases. */
bool rule_filter_parse(struct rule_filter *f, struct slice source, size_t *bad);
void rule_filter_fini(struct rule_filter *f);

/* Is some topic name matched by both? A name without a value overlaps nothing. */
bool rule_filter_overlaps(const struct rule_filter *a, struct slice b,
                          const struct pattern_names *names);
/* Of two filters without names: every topic name that `inner` can match is matched by `outer`. `$`
 * topics are not matched by leading wildcards. */
bool rule_filter_covers(struct slice outer, struct slice inner);

#endif
