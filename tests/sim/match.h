/* Which subscriptions a publication meets, and what a delivery by them looks like.  Thread: the
 * model's. */
#ifndef SIM_MATCH_H
#define SIM_MATCH_H

#include "model.h"

struct matches {
	const struct sub *certain[64];
	const struct sub *possible[64]; /* besides those */
	unsigned certain_count, possible_count;
};

/* Was it in force while the publication was on its way? */
enum certainty match_in_force(const struct sub *sub, const struct pub *pub);
/* Of the subscriptions that are not shared. */
void match_find(const struct actor *p, const struct pub *pub, struct matches *out);
bool match_is_own(const struct actor *p, const struct pub *pub);
/* Does it look as some choice of them would have it, with all that are sure? */
bool match_looks_live(const struct actor *p, const struct pub *pub, const struct received *r);
/* By how many $share subscriptions may it have come? r NULL: whatever it looks like. */
unsigned match_shares(const struct actor *p, const struct pub *pub, const struct received *r);
/* Does a new version of it ask for retained values? */
enum certainty match_asks_replay(const struct sub *sub);
/* How many subscriptions may give this retained value? r NULL: whatever it looks like. `anew`: of a
 * replay that a crash has begun anew, by the subscription as it is now. */
unsigned match_replays(const struct actor *p, const struct pub *pub, const struct received *r,
                       bool anew);

#endif
