/* Nothing of it is stored with the session: the store has what is known of each id, and the session
 * follows from it at each start and reload. */
#include "session/session_user.h"

#include "session/disk_queue.h"
#include "session/session_journal.h"
#include "session/session_lifecycle.h"
#include "session/subscription.h"
#include "worker/shared.h"

static void set_aside(struct session *s)
{
	struct counters *c = &s->worker->counters;

	if (s->set_aside)
		return;
	subscriptions_leave_tree(s);
	s->set_aside = true;
	s->set_aside_messages = (uint32_t)(s->waiting.count + s->sent.count + disk_queue_count(s));
	count(&c->set_aside_sessions);
	count_by(&c->set_aside_messages, s->set_aside_messages);
	if (s->removed) {
		s->removed = false;
		session_journal_state(s);
	}
	session_lifecycle_arm_expiry(s);
}

static void bring_back(struct session *s)
{
	if (!s->set_aside)
		return;
	uncount(&s->worker->counters.set_aside_sessions, 1);
	uncount(&s->worker->counters.set_aside_messages, s->set_aside_messages);
	s->set_aside = false;
	subscriptions_enter_tree(s);
	session_lifecycle_arm_expiry(s);
}

/* It is the session of the same client id of the id into which its own is merged, unless that one
 * has such a session. */
static bool merge(struct session *s, const struct user_id *row)
{
	struct shared *shared = s->worker->shared;
	struct identity *identity = identity_new(s->identity->kind, s->identity->name,
	                                         row->merged_into, s->identity->credential);
	struct session_key key = session_key_of(identity->key, session_client_id(s));
	bool is_taken = session_find(s->worker, &key) != NULL;

	if (is_taken) {
		count(&s->worker->counters.sessions_merged_ended);
		session_lifecycle_end(s);
	} else {
		session_lifecycle_finish(s->worker,
		                         &key); /* one that has ended: the store has one */
		if (s->durable) {
			shared_session_give(shared, s->identity->key);
			(void)shared_session_take(shared, identity->key, UINT32_MAX);
		}
		session_rename(s, identity);
		charge_move(s->worker, &s->charge,
		            payers_find(&shared->payers, PAYER_USER, identity->key));
		count(&s->worker->counters.sessions_merged);
		bring_back(s);
		s->removed = false;
		session_journal_state(s);
	}
	identity_unref(&identity);
	return !is_taken;
}

bool session_user_check(struct session *s)
{
	const struct user_id *row =
	    user_ids_find_key(s->worker->snapshot->user_ids, s->identity->key);
	enum user_id_state state = row == NULL ? USER_ID_PRESENT : row->state;

	REQUIRE_OWNER(s);
	if (state != USER_ID_PRESENT && s->link != NULL)
		return true;
	switch (state) {
	case USER_ID_PRESENT:
		bring_back(s);
		session_lifecycle_check_removal(s);
		return true;
	case USER_ID_SET_ASIDE:
		/* mutant: set_aside_gets_messages */
		set_aside(s);
		return true;
	case USER_ID_MERGED:
		return merge(s, row);
	case USER_ID_DELETED:
		session_lifecycle_end(s);
		return false;
	case USER_ID_STATES:
		break;
	}
	UNREACHABLE();
}
