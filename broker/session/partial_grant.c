/* A subscription remembers how much of it could be read when it was made.  A restored one is asked
 * at the first message that it leaves out, by the rules of that moment. */
#include "session/partial_grant.h"

#include "proto/topic.h"
#include "session/client_link.h"

/* Of a session with more subscriptions, one that was granted in part speaks for all. */
#define WALK_MAX 64

static struct acl_request request_of(const struct session *s, struct slice filter)
{
	static const enum acl_partial words[] = {
	    [PARTIAL_SUBSCRIPTIONS_REFUSE] = ACL_PARTIAL_REFUSE,
	    [PARTIAL_SUBSCRIPTIONS_FILTER] = ACL_PARTIAL_FILTER,
	};
	const struct conf_listener *l =
	    s->link == NULL
		? NULL
		: config_snapshot_listener(s->worker->snapshot, stream_listener(s->link->stream));

	return (struct acl_request){
	    .action = ACL_SUBSCRIBE,
	    .topic = filter,
	    .partial =
		l == NULL ? ACL_PARTIAL_UNSAID : words[l->authorization.partial_subscriptions],
	};
}

static enum subscription_permit permit_of(struct session *s, const struct acl_request *request)
{
	const struct acl_subject *subject = session_subject(s);

	return !acl_grants_parts(subject, request, NULL) ||
	               acl_check_subscribe(subject, request, false).allowed
	           ? PERMIT_WHOLE
	           : PERMIT_PART;
}

struct acl_verdict partial_grant_check(struct session *s, struct slice filter,
                                       enum subscription_permit *permit)
{
	struct acl_request request = request_of(s, filter);

	REQUIRE_OWNER(s);
	*permit = permit_of(s, &request);
	return acl_check(session_subject(s), &request);
}

/* An offline client may come by a listener that says filter: its answer is not remembered. */
static bool is_in_part(struct session *s, struct subscription *sub)
{
	enum subscription_permit permit = sub->permit;

	if (permit == PERMIT_UNKNOWN) {
		struct acl_request request = request_of(s, subscription_filter(sub));

		permit = permit_of(s, &request);
		if (s->link != NULL)
			sub->permit = (uint8_t)permit;
	}
	return permit == PERMIT_PART;
}

bool partial_grant_leaves_out(struct session *s, struct slice topic)
{
	struct table_walk walk = table_walk_of(&s->subscriptions);
	struct subscription *sub;
	bool found = false;

	REQUIRE_OWNER(s);
	if (!s->grants_in_part || s->subscriptions.count > WALK_MAX)
		return s->grants_in_part;
	while ((sub = table_walk_next(&walk)) != NULL) {
		if (!topic_matches(subscription_filter(sub), topic))
			continue;
		/* mutant: whole_grant_is_filtered */
		if (!is_in_part(s, sub))
			return false;
		found = true;
	}
	return found;
}
