/* The one rule for refusing shared resources (memory, the store, retained bytes).  Below three
 * quarters of the whole nobody is refused.  Above it, payers that would exceed their share are
 * refused.  At the whole all payers are refused; a reserve is left for requests that free memory:
 * acknowledgements, and the CONNECT of a client that resumes a session.  These may exceed their
 * share, as long as they leave as much again to the others.  Existing use is never taken away; it
 * only cannot grow. Pure; any thread. */
#ifndef WORKER_QUOTA_RULE_H
#define WORKER_QUOTA_RULE_H

#include <stdbool.h>
#include <stdint.h>

enum quota_verdict {
	QUOTA_ALLOWED,
	QUOTA_OVER_SHARE, /* this payer would have more than its share, and space is short */
	QUOTA_FULL,       /* for everybody */
};

struct quota_rule {
	uint64_t whole;   /* 0: unlimited */
	uint64_t used;    /* of the whole, by all payers together */
	uint64_t share;   /* what one payer may have of it; 0: any part */
	uint64_t reserve; /* of the whole, left for those who drain */
};

/* What a worker may still take without asking the others: nobody is refused below the threshold. */
struct quota_space {
	uint64_t whole; /* limits.memory, of whose threshold it is a part */
	uint64_t bytes;
};

/* May this payer, who has `paid` of rule->used, take `bytes` more? `drains`: see above.
 * Where the whole is unlimited a share counts at all times. */
enum quota_verdict quota_rule_check(const struct quota_rule *rule, uint64_t paid, uint64_t bytes,
                                    bool drains);
/* How much of the whole may be used before anybody is refused; the whole is limited. */
uint64_t quota_rule_threshold(uint64_t whole);
/* The reserve of such a whole: a sixteenth, at most 4M. */
uint64_t quota_rule_reserve(uint64_t whole);
/* A share as it is configured: CONF_SHARE_AUTO is a quarter of the whole (unlimited where that is);
 * 0 stays 0, unlimited. */
uint64_t quota_rule_share(uint64_t configured, uint64_t whole);

#endif
