/* The rules are asked once more where the topic belongs to another user. */
#include "worker/publish_access.h"

#include "worker/shared.h"

struct acl_request publish_access_request(enum acl_action action, const struct msg *msg)
{
	return (struct acl_request){.action = action,
	                            .topic = msg_topic(msg),
	                            .retain = msg->retain,
	                            .qos = msg->qos,
	                            .payload = msg_payload(msg)};
}

struct acl_verdict publish_access_check(struct worker *w, const struct acl_subject *subject,
                                        struct slice user_key, const struct acl_request *request)
{
	struct acl_verdict verdict = acl_check(subject, request);
	struct acl_request foreign;
	struct buf owner = {0};

	if (!verdict.by_own)
		return verdict;
	foreign = *request;
	retain_owner(w->shared->retain, w->executor.index, request->topic, w->executor.now_ms,
	             &owner);
	if (owner.len > 0 && !slice_equal(buf_slice(&owner), user_key)) {
		foreign.owner = ACL_OWNER_OTHER;
		verdict = acl_check(subject, &foreign);
	}
	buf_fini(&owner);
	return verdict;
}
