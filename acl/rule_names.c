/* A name that has wildcards or separators in it has no value in a filter. */
#include "acl/rule_names.h"

struct rule_names rule_names_of(const struct acl_who *who)
{
	struct rule_names n = {.in_conditions.client = who->client_id};

	if (n.in_conditions.client.data == NULL)
		n.in_conditions.client = SLICE("");
	if (!who->anonymous)
		n.in_conditions.user = who->user;
	if (pattern_name_is_clean(who->client_id))
		n.in_filters.client = who->client_id;
	if (!who->anonymous && pattern_name_is_clean(who->user))
		n.in_filters.user = who->user;
	return n;
}
