/* The words of a rule are only made for what is new: a client that is denied again and again costs
 * a look at the list. */
#include "session/denials.h"

#include "acl/acl_verdict.h"
#include "base/clock.h"
#include "base/json.h"
#include "net/stream.h"
#include "session/client_link.h"

/* Longer topics are cut, and no rule is suggested for them. */
#define NAME_MAX_BYTES 1024

uint64_t denials_key(const struct session *s)
{
	return session_key_of(s->origin->user_key, s->origin->client_id).hash;
}

bool denials_is_of(const struct recent_entry *entry, struct slice client_id)
{
	struct json_object object;
	bool is_of;

	REQUIRE(entry->len > 0);
	if (!json_parse(slice_of(entry->text, entry->len - 1), &object))
		return false;
	is_of = slice_equal(json_text_of(&object, "client_id"), client_id);
	json_fini(&object);
	return is_of;
}

static void put_name(struct buf *text, const char *member, struct slice name)
{
	if (name.len > NAME_MAX_BYTES)
		json_bool(text, "cut", true);
	json_text(text, member,
	          slice_of(name.data, name.len > NAME_MAX_BYTES ? NAME_MAX_BYTES : name.len));
}

static void put_denial(struct buf *text, const struct session *s, enum acl_action action,
                       struct slice topic, const struct acl_verdict *verdict)
{
	char address[STREAM_PEER_TEXT] = "", rule[256];
	size_t len = acl_verdict_text(s->worker->snapshot->acl, verdict, rule, sizeof(rule));

	if (s->link != NULL)
		stream_peer_key_text(s->link->stream, address, sizeof(address));
	json_open(text);
	json_str(text, "action", acl_action_name(action));
	json_text(text, "client_id",
	          slice_of(session_client_id(s).data, session_client_id(s).len > NAME_MAX_BYTES
	                                                  ? NAME_MAX_BYTES
	                                                  : session_client_id(s).len));
	if (s->origin->anonymous)
		json_str(text, "user", NULL);
	else
		json_text(text, "user", session_user(s));
	json_str(text, "address", s->link == NULL ? NULL : address);
	put_name(text, "topic", topic);
	json_text(text, "rule", slice_of(rule, len));
	json_close(text);
}

void denials_add(struct session *s, enum acl_action action, struct slice topic,
                 const struct acl_verdict *verdict)
{
	struct worker *w = s->worker;
	struct recent *denials = &w->sessions->denials;
	uint64_t key = denials_key(s), before = denials->bytes;
	uint64_t what =
	    hash_bytes(topic.data, topic.len) + acl_verdict_id(verdict) * UINT64_C(8) + action;
	int64_t wall_ms = clock_wall_ms();
	struct buf text = {0};

	REQUIRE_OWNER(s);
	REQUIRE(!verdict->allowed);
	what += w->snapshot->generation << 40; /* the rules have other numbers then */
	if (recent_again(denials, key, what, wall_ms))
		return;
	put_denial(&text, s, action, topic, verdict);
	recent_add(denials, key, what, buf_slice(&text), wall_ms);
	count_by(&w->counters.remembered_bytes, denials->bytes - before);
	buf_fini(&text);
}
