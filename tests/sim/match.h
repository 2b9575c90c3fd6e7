/* Which subscriptions a publication matches, and what a delivery by them looks like. Thread: the
 * model's. */
#ifndef SIM_MATCH_H
#define SIM_MATCH_H

#include "model.h"

struct matches {
	const struct sub *certain[64];
	const struct sub *possible[64]; /* besides those */
	unsigned certain_count, possible_count;
};

/* Was it in force while the publication was in flight? */
enum certainty match_in_force(const struct sub *sub, const struct pub *pub);
/* Of the subscriptions that are not shared. r NULL: whatever it looks like. */
void match_find(const struct actor *p, const struct pub *pub, const struct received *r,
                struct matches *out);
bool match_is_own(const struct actor *p, const struct pub *pub);
/* Does the delivery correspond to some choice of them, with all certain ones? */
bool match_looks_live(const struct actor *p, const struct pub *pub, const struct received *r);
/* By how many $share subscriptions may it have arrived? r NULL: whatever it looks like. */
unsigned match_shares(const struct actor *p, const struct pub *pub, const struct received *r);
/* Does a new version of it ask for retained messages? */
enum certainty match_asks_replay(const struct sub *sub);
/* How many subscriptions may give this retained message? r NULL: whatever it looks like. `anew`:
 * by a replay that a crash has restarted, with the subscription as it is now. */
unsigned match_replays(const struct actor *p, const struct pub *pub, const struct received *r,
                       bool anew);

#endif
