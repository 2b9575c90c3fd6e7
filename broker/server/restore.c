/* From rows to objects, in the order in which the journal visits them. */
#include "server/restore.h"

#include "base/alloc.h"
#include "durability/durability.h"
#include "durability/record_batch.h"
#include "durability/record_codec.h"
#include "routing/batch.h"
#include "routing/will_publish.h"
#include "server/set_aside.h"
#include "session/disk_queue.h"
#include "session/inflight/inbound.h"
#include "session/replay.h"
#include "session/session_deliver.h"
#include "session/session_journal.h"
#include "session/session_lifecycle.h"
#include "session/session_report.h"
#include "session/session_user.h"
#include "session/subscription.h"
#include "session/will.h"
#include "worker/ordered_work.h"

struct restore {
	struct shared *shared;
	struct restored *counts;
	uint64_t last_ms; /* store time: when the broker was last known to run */
	uint64_t now_ms;  /* store time */
	/* Subscriptions by number, of the session whose replays are being shown. */
	const struct session *numbered_of;
	struct table numbered;
	/* The store has rows of users. If not: who wrote retained values, and the number of the
	 * last one in the place of a time. */
	bool has_users;
	struct user_ids *writers;
};

/* The main thread stands in for the owner of the row at hand: no other thread runs yet. */
static void run_as(struct worker *w)
{
	if (executor_current() == &w->executor)
		return;
	if (executor_current() != NULL)
		executor_leave();
	executor_enter(&w->executor);
}

/* NULL: there is none. Its worker is the one that runs now. */
static struct session *find(const struct restore *r, uint64_t session_id)
{
	struct session *s = NULL;

	for (unsigned i = 0; i < r->shared->worker_count && s == NULL; i++) {
		run_as(r->shared->workers[i]);
		s = session_find_by_id(r->shared->workers[i], session_id);
	}
	return s;
}

static uint64_t monotonic(const struct restore *r, uint64_t time_ms)
{
	return journal_monotonic_ms(r->shared->journal, time_ms);
}

/* On the monotonic clock, which may not have begun then: modulo 2^64. */
static uint64_t since(const struct restore *r, const struct worker *w, uint64_t time_ms)
{
	return w->executor.now_ms - (r->now_ms - time_ms);
}

/* --- retained values --- */

static bool on_user(void *arg, uint64_t id, uint64_t name_hash, struct slice value)
{
	struct restore *r = arg;

	(void)id;
	(void)name_hash;
	r->has_users = true;
	return set_aside_load(r->shared, value);
}

/* What becomes of an id that is known of is decided when all is loaded (set_aside.h). */
static bool may_own(const struct restore *r, struct slice owner)
{
	const struct identity_source *source = r->shared->workers[0]->snapshot->identities;
	struct identity_entry entry;

	return identity_source_owner_exists(source, owner) ||
	       (user_ids_find_key(r->shared->user_ids, owner) != NULL &&
	        identity_source_find(source, identity_key_name(owner), &entry));
}

/* A store of an older format does not say which ids there were. */
static void note_writer(struct restore *r, const struct msg *msg, uint64_t number)
{
	uint64_t id = msg->origin == NULL ? 0 : identity_key_entry_id(msg->origin->user_key);

	if (!r->has_users && id != 0)
		user_ids_put(r->writers, &(struct user_id){.id = id,
		                                           .name = msg->origin->user_name,
		                                           .since_ms = number});
}

static bool is_newest_writer(const struct user_ids *writers, const struct user_id *row)
{
	for (size_t i = 0; i < user_ids_count(writers); i++) {
		const struct user_id *other = user_ids_at(writers, i);

		if (slice_equal(other->name, row->name) && other->since_ms > row->since_ms)
			return false;
	}
	return true;
}

/* Of a name whose present id has nothing, the id that wrote last: the file was written anew while
 * the broker was down. A namesake that was removed long ago wrote earlier than the present id. */
static void load_writers(struct restore *r)
{
	for (size_t i = 0; i < user_ids_count(r->writers); i++) {
		const struct user_id *row = user_ids_at(r->writers, i);

		if (is_newest_writer(r->writers, row))
			set_aside_load_user(r->shared, row->id, row->name);
	}
}

static bool on_retained(void *arg, struct slice topic, uint64_t number, struct msg *msg,
                        struct slice value)
{
	struct restore *r = arg;
	struct worker *w = r->shared->workers[0];
	struct retained_record record = {0};
	enum conf_durability durability;

	if (value.len > 0 && !record_read_retained(value, &record))
		return false;
	if (!may_own(r, record.owner))
		record.owner = SLICE_EMPTY; /* ownership ends with the user */
	if (msg != NULL)
		note_writer(r, msg, number);
	retain_advance(r->shared->retain, number);
	if (msg == NULL && (record.owner.len == 0 || record.owned_until_ms <= r->now_ms))
		return false;
	run_as(w);
	durability = durability_of_topic(w, topic);
	if (durability == DURABILITY_NONE)
		return false; /* since the configuration changed: it would stay old forever */
	retain_restore(r->shared->retain, topic, number, msg, record.owner,
	               monotonic(r, record.owned_until_ms));
	r->counts->retained += msg != NULL;
	return true;
}

/* --- sessions --- */

static struct identity *identity_of(const struct user_record *user)
{
	return identity_new(user->kind, user->name, user->entry_id, user->credential);
}

static bool on_session(void *arg, uint64_t session_id, struct slice value)
{
	struct restore *r = arg;
	struct session_record record;
	struct identity *identity;
	struct session_key key;
	struct session *s;
	struct worker *w;

	if (!record_read_session(value, &record))
		return false;
	identity = identity_of(&record.user);
	w = shared_owner_of(r->shared, record.client_id);
	run_as(w);
	key = session_key_of(identity->key, record.client_id);
	if (session_find(w, &key) != NULL) {
		identity_unref(&identity);
		return false;
	}
	s = session_lifecycle_restore(w, session_id, identity, &key);
	identity_unref(&identity);
	s->expiry_s = record.expiry_s;
	s->away_since_ms =
	    since(r, w, record.away_since_ms != 0 ? record.away_since_ms : r->last_ms);
	s->removed = record.removed_since_ms != 0;
	if (!s->removed && !r->has_users)
		set_aside_load_user(r->shared, identity_key_entry_id(s->identity->key),
		                    s->identity->name);
	s->removed_since_ms = since(r, w, record.removed_since_ms);
	(void)shared_session_take(r->shared, s->identity->key, UINT32_MAX);
	if (record.away_since_ms == 0)
		session_journal_state(s); /* or its time would start again after the next crash */
	r->counts->sessions++;
	return true;
}

static bool on_subscription(void *arg, uint64_t session_id, uint64_t number, struct slice value)
{
	struct restore *r = arg;
	struct session *s = find(r, session_id);
	struct subscription_record record;

	if (s == NULL || !record_read_subscription(value, &record))
		return false;
	subscription_restore(s, number, record.filter, &record.options, record.id);
	r->counts->subscriptions++;
	return true;
}

static bool on_inbound(void *arg, uint64_t session_id, uint64_t packet_id, struct slice value)
{
	struct session *s = find(arg, session_id);

	(void)value;
	if (s == NULL)
		return false;
	inbound_restore(s, (uint16_t)packet_id);
	return true;
}

/* --- queues --- */

static void on_queue(void *arg, uint64_t session_id, uint64_t count, uint64_t bytes,
                     uint64_t first_position)
{
	struct restore *r = arg;
	struct session *s = find(r, session_id);

	if (s == NULL)
		return;
	disk_queue_restore(s, count, bytes, first_position);
	r->counts->queued += count;
}

/* A message that was sent, or was about to be: its packet identifier is taken.
 * [MQTT-4.4.0-1] */
static bool on_sent(void *arg, uint64_t session_id, uint64_t position, struct msg *msg,
                    struct slice queue_value, struct slice sent_value)
{
	struct session *s = find(arg, session_id);
	struct delivery d = {.position = position};
	struct inflight_record sent;
	struct delivery_record delivery;
	struct inflight *o;

	if (s == NULL || !record_read_inflight(sent_value, &sent) ||
	    inflight_find(s, sent.packet_id) != NULL ||
	    !record_read_delivery(queue_value, &delivery))
		return false;
	d.retain = delivery.retain;
	d.ids = delivery.ids;
	o = inflight_new(msg, &d, msg->qos < delivery.qos ? msg->qos : delivery.qos);
	subscription_ids_fini(&delivery.ids);
	o->sent = o->noted = true;
	inflight_restore(s, o, sent.packet_id);
	if (sent.released)
		inflight_release(s, o);
	return true;
}

static void number_subscriptions(struct restore *r, const struct session *s)
{
	struct table_walk walk = table_walk_of(&s->subscriptions);
	struct subscription *sub;

	if (r->numbered_of == s)
		return;
	r->numbered_of = s;
	table_fini(&r->numbered);
	while ((sub = table_walk_next(&walk)) != NULL)
		table_add(&r->numbered, hash_id(sub->number), sub);
}

/* NULL: there is none. */
static struct subscription *subscription_of(struct restore *r, const struct session *s,
                                            uint64_t number)
{
	void **place;

	number_subscriptions(r, s);
	place = table_find(&r->numbered, hash_id(number), NULL, NULL);
	return place == NULL ? NULL : *place;
}

static bool on_replay(void *arg, uint64_t session_id, uint64_t number, struct slice value)
{
	struct restore *r = arg;
	struct session *s = find(r, session_id);
	struct subscription *sub = s == NULL ? NULL : subscription_of(r, s, number);
	struct replay_record record;

	if (sub == NULL || !record_read_replay(value, &record))
		return false;
	retain_advance(r->shared->retain, record.until);
	/* mutant: replay_lost */
	return replay_restore(s, sub, record.until);
}

/* --- wills --- */

/* The session was not stored: one is made for as long as its will needs it. */
static struct session *session_for_will(struct restore *r, uint64_t session_id,
                                        const struct will_record *record)
{
	struct worker *w = shared_owner_of(r->shared, record->client_id);
	struct identity *identity = identity_of(&record->user);
	struct session_key key = session_key_of(identity->key, record->client_id);
	struct session *s = NULL;

	run_as(w);
	if (session_find(w, &key) == NULL) {
		s = session_lifecycle_restore(w, session_id, identity, &key);
		s->durable = false;
	}
	identity_unref(&identity);
	return s;
}

static bool on_will(void *arg, uint64_t session_id, struct msg *msg, struct slice value)
{
	struct restore *r = arg;
	struct session *s = find(r, session_id);
	struct will_record record;
	uint64_t due_ms, monotonic_ms;

	if (!record_read_will(value, &record))
		return false;
	if (s == NULL)
		s = session_for_will(r, session_id, &record);
	if (s == NULL || s->will != NULL)
		return false;
	due_ms = record.due_ms != 0 ? record.due_ms : r->last_ms + (uint64_t)record.delay_s * 1000;
	monotonic_ms = monotonic(r, due_ms);
	will_restore(s, msg_ref(msg), record.delay_s, monotonic_ms);
	if (record.due_ms == 0 && monotonic_ms > 0)
		session_journal_will(s, monotonic_ms); /* the same */
	r->counts->wills++;
	return true;
}

/* --- after the last row --- */

/* [MQTT5-4.1.0-2] */
static bool is_over(const struct session *s)
{
	uint64_t away_ms = s->worker->executor.now_ms - s->away_since_ms;

	if (!s->durable || s->expiry_s == 0)
		return true;
	return s->expiry_s != EXPIRY_NEVER && away_ms >= (uint64_t)s->expiry_s * 1000;
}

/* An old "offline" never overwrites a new "online" of a device: wills that are due are published
 * before a client can connect. D6 [MQTT3-3.1.2-8] [MQTT5-3.1.2-8] */
static void settle(struct session *s)
{
	if (is_over(s)) {
		if (s->durable && s->expiry_s > 0)
			session_report_expired(s);
		session_lifecycle_end(s);
		return;
	}
	if (s->will != NULL &&
	    (s->will->delay_s == 0 || s->will->delay.due_ms <= s->worker->executor.now_ms))
		will_publish(s);
	session_lifecycle_arm_expiry(s);
	/* mutant: removed_while_down */
	(void)session_user_check(s);
}

static void settle_executor(struct worker *w)
{
	struct table_walk walk = table_walk_of(&w->sessions->by_id);
	size_t count = w->sessions->by_id.count;
	uint64_t *ids = xcalloc(count + 1, sizeof(*ids));
	const struct session *s;

	for (size_t i = 0; (s = table_walk_next(&walk)) != NULL; i++)
		ids[i] = s->id;
	run_as(w);
	for (size_t i = 0; i < count; i++)
		settle(session_find_by_id(w, ids[i]));
	ordered_work_flush(w, ORDERED_PUBLISHES);
	record_batch_flush(w);
	batch_send_all(w);
	free(ids);
}

void restore_settle(struct shared *shared)
{
	struct worker *first = shared->workers[0];

	run_as(first);
	set_aside_begin(shared, &first->executor, first->snapshot);
	for (unsigned i = 0; i < shared->worker_count; i++)
		settle_executor(shared->workers[i]);
	run_as(first);
	set_aside_finish(shared, &first->executor);
	executor_leave();
}

int restore_load(struct shared *shared, struct restored *out, char text[STORE_ERROR_TEXT])
{
	static const struct journal_visitor visitor = {
#define VISITOR(table, rows, result, name, arguments) .name = on_##name,
#include "journal/record.def"
	};
	struct restore r = {.shared = shared, .counts = out};
	int rc;

	*out = (struct restored){0};
	for (unsigned i = 0; i < shared->worker_count; i++)
		executor_update_now(&shared->workers[i]->executor);
	r.last_ms = journal_last_time_ms(shared->journal);
	r.now_ms = journal_time_ms(shared->journal, shared->workers[0]->executor.now_ms);
	run_as(shared->workers[0]);
	r.writers = user_ids_new();
	rc = journal_restore(shared->journal, &visitor, &r, text);
	load_writers(&r);
	user_ids_unref(&r.writers);
	executor_leave();
	table_fini(&r.numbered);
	return rc;
}
