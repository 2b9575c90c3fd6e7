/* Checked like a delivery, and written like one; but no message is made of it that anybody else
 * could get. */
#include "admin/control/control_answer.h"

#include "acl/acl_check.h"
#include "admin/control/control_query.h"
#include "proto/packet_publish.h"
#include "proto/topic.h"
#include "session/link_output.h"
#include "session/publish_encode.h"
#include "session/session_report.h"
#include "tree/subscription_ids.h"

/* A packet has about so much, unless a line is longer. */
#define PAGE_MAX ((size_t)65536)

/* --- may it have it --- */

/* A shared subscription is for messages that any member may get. */
static bool covers(const struct subscription *sub, struct slice topic)
{
	return !subscription_is_shared(sub) && topic_matches(subscription_filter(sub), topic);
}

static bool is_subscribed(const struct session *s, struct slice topic)
{
	struct table_walk walk = table_walk_of(&s->subscriptions);
	const struct subscription *sub;

	while ((sub = table_walk_next(&walk)) != NULL) {
		s->worker->work++;
		if (covers(sub, topic))
			return true;
	}
	return false;
}

static bool permits(struct session *s, const struct acl_request *request, enum denial_kind kind)
{
	struct acl_verdict verdict = acl_check(session_subject(s), request);

	if (!verdict.allowed)
		session_report_denial(s, kind, request->topic, &verdict);
	return verdict.allowed;
}

enum control_permission control_answer_permission(struct client_link *link,
                                                  const struct control_answer *answer)
{
	struct acl_request receive = {.action = ACL_RECEIVE, .topic = answer->response_topic};
	struct session *s = link->session;

	REQUIRE_OWNER(link);
	/* mutant: answer_without_subscription */
	if (!is_subscribed(s, answer->response_topic))
		return CONTROL_NOT_SUBSCRIBED;
	/* mutant: answer_is_authorized_again */
	if (!client_link_is_admitted(link) || !permits(s, &answer->request, DENIAL_PUBLISH))
		return CONTROL_DENIED;
	/* mutant: answer_without_receive */
	return permits(s, &receive, DENIAL_RECEIVE) ? CONTROL_PERMITTED : CONTROL_DENIED;
}

/* --- packets --- */

bool control_answer_has_space(struct client_link *link)
{
	REQUIRE_OWNER(link);
	/* mutant: answer_is_bounded_by_its_reader */
	return link->holding == 0 && link_output_pending(link) < LINK_OUTPUT_READER;
}

/* Those of all subscriptions that it comes by. [MQTT5-3.3.4-3] */
static struct subscription_ids ids_of(const struct session *s, struct slice topic)
{
	struct table_walk walk = table_walk_of(&s->subscriptions);
	struct subscription_ids ids = {0};
	const struct subscription *sub;

	while ((sub = table_walk_next(&walk)) != NULL) {
		if (sub->id != 0 && covers(sub, topic))
			subscription_ids_add(&ids, sub->id);
	}
	return ids;
}

/* As many whole lines as fit; 0: not even the first one. */
static size_t fitting(struct slice lines, size_t max)
{
	size_t fit = 0;

	for (const uint8_t *end; fit < lines.len; fit = (size_t)(end + 1 - lines.data)) {
		size_t with_next;

		end = memchr(lines.data + fit, '\n', lines.len - fit);
		REQUIRE(end != NULL);
		with_next = (size_t)(end + 1 - lines.data);
		if (with_next > max || (fit > 0 && with_next > PAGE_MAX))
			break;
	}
	return fit;
}

bool control_answer_write(struct client_link *link, const struct control_answer *answer,
                          struct slice lines)
{
	const struct session *s = link->session;
	struct subscription_ids ids = ids_of(s, answer->response_topic);
	struct publish_out p = {.version = MQTT_5_0,
	                        .topic = answer->response_topic,
	                        .forwarded = answer->properties,
	                        .subscription_ids = subscription_ids_all(&ids),
	                        .subscription_id_count = subscription_ids_count(&ids)};
	/* Its length may take three bytes more than that of an empty one. */
	size_t rest = packet_publish_size(&p) + 3, most = publish_encode_max(s);
	size_t max = most > rest ? most - rest : 0, fit = 0;

	REQUIRE_OWNER(link);
	REQUIRE(link->version == MQTT_5_0);
	/* mutant: answer_larger_than_maximum */
	for (; lines.len > 0 && (fit = fitting(lines, max)) > 0; lines = slice_skip(lines, fit)) {
		p.payload = slice_of(lines.data, fit);
		packet_publish_encode(link_output_buf(link), &p);
		count(&s->worker->counters.sent_by_qos[0]);
		count_by(&s->worker->counters.payload_sent, fit);
	}
	link_output_count(link);
	subscription_ids_fini(&ids);
	return lines.len == 0;
}

void control_answer_write_end(struct client_link *link, const struct control_answer *answer,
                              const char *error)
{
	struct buf line = {0};

	control_query_put_end(&line, error);
	(void)control_answer_write(link, answer, buf_slice(&line)); /* or it cannot be said */
	buf_fini(&line);
}
