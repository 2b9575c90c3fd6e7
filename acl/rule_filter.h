/* The algebra of topic filters: does one cover, do two overlap?  Pure, no recursion without bound,
 * no allocation. */
#ifndef ACL_RULE_FILTER_H
#define ACL_RULE_FILTER_H

#include "base/bytes.h"

/* Every topic name that `inner` can match is matched by `outer`. `$` topics are not matched by
 * leading wildcards. */
bool filter_covers(struct slice outer, struct slice inner);
/* Some topic name is matched by both. */
bool filter_overlaps(struct slice a, struct slice b);

#endif
