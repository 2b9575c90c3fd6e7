/* Comparisons, written so that no sum overflows. */
#include "worker/quota_rule.h"

#include "base/require.h"
#include "conf/conf.h"

#define RESERVE_MAX ((uint64_t)4 << 20)

static bool fits(uint64_t limit, uint64_t used, uint64_t bytes)
{
	return used <= limit && bytes <= limit - used;
}

uint64_t quota_rule_threshold(uint64_t whole)
{
	return whole - whole / 4;
}

uint64_t quota_rule_reserve(uint64_t whole)
{
	return whole / 16 < RESERVE_MAX ? whole / 16 : RESERVE_MAX;
}

uint64_t quota_rule_share(uint64_t configured, uint64_t whole)
{
	return configured == CONF_SHARE_AUTO ? whole / 4 : configured;
}

enum quota_verdict quota_rule_check(const struct quota_rule *rule, uint64_t paid, uint64_t bytes,
                                    bool drains)
{
	bool within = rule->share == 0 || fits(rule->share, paid, bytes);
	uint64_t limit = rule->whole - rule->reserve;

	REQUIRE(rule->reserve <= rule->whole / 2);
	if (drains)
		limit = within ? rule->whole : rule->whole - 2 * rule->reserve;
	/* mutant: memory_plenty */
	if (rule->whole != 0 && fits(quota_rule_threshold(rule->whole), rule->used, bytes))
		return QUOTA_ALLOWED;
	if (rule->whole != 0 && !fits(limit, rule->used, bytes))
		return QUOTA_FULL;
	/* mutant: memory_share */
	return within || drains ? QUOTA_ALLOWED : QUOTA_OVER_SHARE;
}
