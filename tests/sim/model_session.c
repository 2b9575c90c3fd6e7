/* Connections, sessions, and when a will is due.  D5, D6, S5 */
#include <stdio.h>

#include "base/executor.h"
#include "model.h"

#define EXPIRY_MAX_S ((uint32_t)30 * 86400) /* limits.max_session_expiry */
#define REMOVED_MS   ((uint64_t)86400 * 1000)

struct actor *model_add_actor(struct model *m, struct client *c, unsigned user)
{
	struct actor *p = &m->actors[m->actors_count];

	*p = (struct actor){
	    .model = m, .client = c, .index = m->actors_count++, .user = user, .ends_ms = NEVER};
	p->removed_ms = p->skipped_ms = NEVER;
	snprintf(p->name, sizeof(p->name), "%s/%s", user_names[user], c->id);
	c->watch_arg = p;
	return p;
}

static uint32_t expiry_of(const struct client *c, const struct connect_options *options)
{
	uint32_t wanted = options->expiry_s;

	if (c->version == MQTT_3_1_1)
		wanted = options->keep ? UINT32_MAX : 0;
	return wanted > EXPIRY_MAX_S ? EXPIRY_MAX_S : wanted;
}

/* --- wills --- */

static void cancel(struct pub **will)
{
	if (*will != NULL)
		(*will)->will_due_ms = NEVER;
	*will = NULL;
}

/* It is unknown: it may be published until it is due. */
static void doubt(struct pub **will, uint64_t now_ms)
{
	if (*will == NULL)
		return;
	if ((*will)->will_due_ms == NEVER)
		(*will)->will_due_ms = now_ms + (uint64_t)(*will)->will_delay_s * 1000;
	model_will_published(*will, UNKNOWN);
	*will = NULL;
}

static void publish_will(struct pub **will)
{
	if (*will == NULL)
		return;
	(*will)->will_due_ms = NEVER;
	model_will_published(*will, YES);
	*will = NULL;
}

/* --- the session --- */

void model_session_ends(struct actor *p)
{
	if (p->pending_will != NULL)
		COVER(p->model, WILL_BY_END);
	publish_will(&p->pending_will);
	subs_end(p, true);
	model_forget_owed(p, false);
	p->exists = NO;
	p->may_end_ms = p->ends_ms = p->removed_ms = NEVER;
}

static void goes_away(struct actor *p)
{
	p->may_end_ms = p->ends_ms = model_now(p->model) + (uint64_t)p->expiry_s * 1000;
}

/* [MQTT5-3.1.2-8] [MQTT5-3.1.3-9] */
void model_ends(struct actor *p, enum ending ending)
{
	struct model *m = p->model;
	bool delayed = p->will != NULL && p->will->will_delay_s > 0 && p->expiry_s > 0;

	m->tick++;
	p->link = LINK_NONE;
	p->broken = m->tick;
	p->asked = 0;
	model_forget_waiting(p);
	model_forget_owed(p, true);
	if (ending == ENDING_CLEAN) {
		if (p->will != NULL)
			COVER(m, WILL_CANCELLED);
		cancel(&p->will);
	} else if (delayed) {
		COVER(m, WILL_DELAYED);
		p->will->will_due_ms = model_now(m) + (uint64_t)p->will->will_delay_s * 1000;
		p->will->will_may_ms = p->will->will_due_ms;
		p->pending_will = p->will;
		p->will = NULL;
	} else {
		if (p->will != NULL)
			COVER(m, WILL_PUBLISHED);
		publish_will(&p->will);
	}
	goes_away(p);
	if (p->expiry_s == 0)
		model_session_ends(p);
}

void model_expiry(struct actor *p, uint32_t expiry_s)
{
	p->expiry_s = expiry_s > EXPIRY_MAX_S ? EXPIRY_MAX_S : expiry_s;
}

/* --- CONNECT --- */

static struct pub *will_of(struct actor *p, const struct connect_options *options)
{
	const struct will_options *with = &options->will;
	struct pub *will;

	if (with->topic == NULL)
		return NULL;
	will = model_pub(p, with->topic, with->payload,
	                 p->client->version == MQTT_5_0 ? with->extras : 0);
	will->is_will = true;
	will->durability = DURABILITY_ACK; /* wills are stored whatever their topics are */
	will->qos = with->qos;
	will->retain = with->retain;
	will->has_expiry = p->client->version == MQTT_5_0 && with->expiry_s > 0;
	will->expiry_s = with->expiry_s;
	will->will_delay_s = p->client->version == MQTT_5_0 ? with->delay_s : 0;
	return will;
}

static uint8_t entry_of(const struct model *m, unsigned user)
{
	return user == USER_ANONYMOUS ? 0 : model_rules(m)->entry[user];
}

/* The older connection, if it is up, breaks with this. */
void model_calls(struct actor *p, const struct connect_options *options, uint8_t refusal)
{
	struct model *m = p->model;

	p->over = p->link == LINK_UP;
	if (p->over) {
		COVER(m, TAKEN_OVER);
		model_ends(p, ENDING_BROKEN);
	}
	m->coverage->sent[PACKET_CONNECT]++;
	p->called = p->drained = ++m->tick;
	p->drained_ms = model_now(m);
	p->link = LINK_CALLING;
	p->options = *options;
	p->refusal = refusal;
	p->entry = entry_of(m, p->user);
	p->must_close = p->login_unauthorized = false;
	p->given_seen = 0;
	p->asked = 0;
	p->hindered = true;
	model_forget_waiting(p);
	p->will = will_of(p, options);
	if (options->keep)
		return;
	subs_end(p, false);
	p->published_by_call = p->pending_will != NULL && p->pending_will->first_sent == NEVER;
	if (p->pending_will != NULL)
		model_will_published(p->pending_will, UNKNOWN);
}

static enum certainty is_accepted(const struct actor *p)
{
	if (p->refusal != 0)
		return NO;
	if (p->options.will.topic == NULL)
		return YES;
	return model_may(p->model, p->called, p->user, MAY_WILL, p->options.will.topic);
}

/* The connection that the reload ends may be this one, or the one before. */
static uint8_t refusal_for(const struct actor *p)
{
	if (p->refusal != 0)
		return p->refusal;
	if (p->login_unauthorized && p->user == USER_ANONYMOUS)
		return REASON_NOT_AUTHORIZED;
	if (p->login_unauthorized &&
	    (is_accepted(p) == YES ||
	     p->client->connack_reason !=
	         (p->client->version == MQTT_5_0 ? REASON_NOT_AUTHORIZED : 5)))
		return REASON_BAD_USER_NAME_OR_PASSWORD;
	return REASON_NOT_AUTHORIZED;
}

/* It is unknown whether the broker ever received it. */
void model_hangs_up(struct actor *p)
{
	struct model *m = p->model;

	m->tick++;
	COVER(m, HUNG_UP);
	p->link = LINK_NONE;
	p->broken = m->tick;
	p->leaving = true;
	/* Or a session may be made that it does not know of, which would contradict its own
	 * state. */
	p->wants_clean |= !p->options.keep || p->exists == UNKNOWN;
	doubt(&p->will, model_now(m));
	doubt(&p->pending_will, model_now(m));
	subs_end(p, false);
	model_forget_owed(p, false);
	p->exists = UNKNOWN;
	p->may_end_ms = p->ends_ms = NEVER;
}

static void check_refusal(struct actor *p)
{
	struct model *m = p->model;
	const struct world *w = m->world;
	bool v5 = p->client->version == MQTT_5_0;
	uint8_t code = p->client->connack_reason;
	uint8_t refusal = refusal_for(p);
	uint8_t want = v5 ? refusal : (refusal != REASON_NOT_AUTHORIZED ? 4 : 5);

	if (is_accepted(p) == YES && !p->login_unauthorized)
		model_fail(m, "%s: refused with 0x%02x", p->name, code);
	if (code != want)
		model_fail(m, "%s: CONNACK 0x%02x instead of 0x%02x", p->name, code, want);
	if (p->refusal == REASON_BAD_AUTHENTICATION_METHOD)
		COVER(m, REFUSED_METHOD);
	else if (p->refusal != 0)
		COVER(m, REFUSED_LOGIN);
	else
		COVER(m, REFUSED_WILL);
	if (p->login_unauthorized && p->will != NULL)
		model_will_not_published(p->will);
	cancel(&p->will);
	if (p->login_unauthorized && (w->durable || w->attaches_later)) {
		/* Its session was made, and the CONNACK, which waited for it or for the journal,
		 * refuses it. */
		model_hangs_up(p);
		p->must_close = true;
		return;
	}
	p->link = LINK_NONE;
	p->must_close = true;
	subs_revive(p);
	if (!p->options.keep && p->pending_will != NULL && p->published_by_call)
		model_will_not_published(p->pending_will);
}

/* [MQTT5-3.2.2-2, -3] [MQTT3-3.2.2-1, -2, -3] */
static void check_present(struct actor *p)
{
	bool present = p->client->session_present;
	enum certainty want = p->options.keep ? p->exists : NO;

	if (present ? want == NO : want == YES)
		model_fail(p->model, "%s: session present %d", p->name, present);
	if (present && p->crashed)
		COVER(p->model, RESTORED);
	p->crashed = false;
	if (present)
		COVER(p->model, PRESENT_YES);
	else
		COVER(p->model, PRESENT_NO);
}

void model_connack(struct actor *p)
{
	struct model *m = p->model;
	struct client *c = p->client;

	m->tick++;
	m->coverage->received[PACKET_CONNACK]++;
	m->coverage->reasons[PACKET_CONNACK][c->connack_reason]++;
	if (!c->accepted) {
		check_refusal(p);
		return;
	}
	if (is_accepted(p) == NO)
		model_fail(m, "%s: accepted", p->name);
	check_present(p);
	if (!c->session_present) {
		if (p->exists != NO)
			model_session_ends(p);
		subs_bury(p);
		p->incarnation++;
		memset(p->last_order, 0, sizeof(p->last_order));
	} else if (p->pending_will != NULL) {
		COVER(m, WILL_RESUMED);
		cancel(&p->pending_will);
	}
	if (p->options.method != NULL)
		COVER(m, PROVEN);
	p->exists = YES;
	p->may_end_ms = p->ends_ms = NEVER;
	p->expiry_s = expiry_of(c, &p->options);
	p->kept = (p->kept && c->session_present) || p->expiry_s > 0;
	p->link = LINK_UP;
	p->wants_clean = false;
	p->up_since = m->tick;
	p->last_packet_ms = model_now(m);
	if (!c->session_present && p->expiry_s > 0)
		model_commits(m, p->called, p->drained_ms);
	if (p->will != NULL && p->expiry_s == 0) { /* the CONNACK did not wait for it */
		p->will->armed_at = m->tick;
		p->will->armed_ms = model_now(m);
	}
	if (p->login_unauthorized)
		model_is_unauthorized(p);
}

void model_is_unauthorized(struct actor *p)
{
	COVER(p->model, UNAUTHORIZED);
	model_ends(p, ENDING_BROKEN);
	p->must_close = true;
}

/* Accepted and then disconnected, it may leave a will. */
void model_login_is_unauthorized(struct actor *p)
{
	COVER(p->model, UNAUTHORIZED_LOGIN);
	p->login_unauthorized = true;
	if (p->will != NULL &&
	    (p->will->will_delay_s == 0 || expiry_of(p->client, &p->options) == 0))
		model_will_published(p->will, UNKNOWN);
}

/* --- time --- */

static uint64_t keep_alive_end(const struct actor *p)
{
	if (p->link != LINK_UP || p->must_close || p->options.keep_alive_s == 0)
		return NEVER;
	return p->last_packet_ms + (uint64_t)p->options.keep_alive_s * 1500;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t removed_end(const struct actor *p)
{
	return p->removed_ms == NEVER ? NEVER : p->removed_ms + REMOVED_MS;
}

static uint64_t session_end_of(const struct actor *p)
{
	return sooner(p->ends_ms, removed_end(p));
}

static uint64_t will_end(const struct actor *p)
{
	return p->pending_will == NULL ? NEVER : p->pending_will->will_due_ms;
}

/* The next moments at which something of it may happen by itself. */
#define DUES 5

static void dues_of(const struct actor *p, uint64_t at[DUES])
{
	at[0] = keep_alive_end(p);
	at[1] = will_end(p);
	at[2] = session_end_of(p);
	at[3] = p->may_end_ms;
	at[4] = p->pending_will == NULL ? NEVER : p->pending_will->will_may_ms;
}

static bool is_due_at(const struct model *m, const struct actor *other, uint64_t at_ms)
{
	for (unsigned i = 0; i < m->actors_count; i++) {
		uint64_t at[DUES];

		dues_of(&m->actors[i], at);
		for (unsigned k = 0; &m->actors[i] != other && k < DUES; k++) {
			if (at[k] == at_ms)
				return true;
		}
	}
	return false;
}

bool model_is_due_together(const struct model *m)
{
	for (unsigned i = 0; i < m->actors_count; i++) {
		uint64_t end = keep_alive_end(&m->actors[i]);

		if (end != NEVER && is_due_at(m, &m->actors[i], end))
			return true;
	}
	return false;
}

uint64_t model_next_due(const struct model *m)
{
	uint64_t due = NEVER;

	for (unsigned i = 0; i < m->actors_count; i++) {
		uint64_t at[DUES];

		dues_of(&m->actors[i], at);
		for (unsigned k = 0; k < DUES; k++) {
			if (at[k] > model_now(m) && at[k] < due)
				due = at[k];
		}
	}
	return due;
}

/* After a crash it is not known to the millisecond when it went offline. */
static void session_may_end(struct actor *p)
{
	doubt(&p->pending_will, model_now(p->model));
	subs_end(p, false);
	model_forget_owed(p, false);
	p->exists = UNKNOWN;
	p->may_end_ms = NEVER;
}

static void actor_time(struct actor *p)
{
	struct model *m = p->model;
	uint64_t now = model_now(m);

	if (keep_alive_end(p) <= now) { /* [MQTT5-3.1.2-22] [MQTT3-3.1.2-24] */
		COVER(m, KEEP_ALIVE);
		model_ends(p, ENDING_BROKEN);
		p->must_close = true;
	}
	if (will_end(p) <= now) {
		COVER(m, WILL_AFTER_DELAY);
		publish_will(&p->pending_will);
	}
	if (p->pending_will != NULL && p->pending_will->will_may_ms <= now)
		model_will_published(p->pending_will, UNKNOWN);
	if (p->may_end_ms <= now && p->may_end_ms < session_end_of(p))
		session_may_end(p);
	if (session_end_of(p) <= now) { /* [MQTT5-3.1.2-23] */
		if (removed_end(p) <= now)
			COVER(m, REMOVED_EXPIRED);
		else
			COVER(m, SESSION_EXPIRED);
		model_session_ends(p);
	}
}

void model_time(struct model *m)
{
	m->tick++;
	for (unsigned i = 0; i < m->actors_count; i++)
		actor_time(&m->actors[i]);
}

/* --- pauses of the process --- */

static void postpone(uint64_t *may_ms, uint64_t *due_ms, uint64_t until_ms)
{
	if (*due_ms >= until_ms)
		return;
	*may_ms = sooner(*may_ms, *due_ms);
	*due_ms = until_ms;
}

static void postpone_will(struct pub *will, uint64_t until_ms)
{
	uint64_t expiry_ms = (uint64_t)will->expiry_s * 1000;

	postpone(&will->will_may_ms, &will->will_due_ms, until_ms);
	if (will->has_expiry && will->expires_max_ms != NEVER &&
	    will->expires_max_ms < until_ms + expiry_ms)
		will->expires_max_ms = until_ms + expiry_ms;
}

static void postpone_session(struct actor *p, uint64_t until_ms)
{
	uint64_t removed_end_ms = removed_end(p);

	if (p->ends_ms != NEVER)
		postpone(&p->may_end_ms, &p->ends_ms, until_ms);
	if (p->link == LINK_UP || removed_end_ms >= until_ms)
		return;
	postpone(&p->may_end_ms, &removed_end_ms, until_ms);
	p->removed_ms = until_ms - REMOVED_MS;
}

void model_pause(struct model *m)
{
	uint64_t until_ms = model_now(m) + EXECUTOR_GRACE_MS;

	model_note_packets(m);
	for (unsigned i = 0; i < m->actors_count; i++) {
		struct actor *p = &m->actors[i];

		if (p->pending_will != NULL)
			postpone_will(p->pending_will, until_ms);
		postpone_session(p, until_ms);
	}
	for (size_t i = 0; i < m->open_count; i++) {
		if (m->open[i]->is_will && m->open[i]->is_published == UNKNOWN &&
		    m->open[i]->will_due_ms != NEVER)
			postpone_will(m->open[i], until_ms);
	}
	if (m->departed_ms > m->last_quiet_ms && m->departed_ms < until_ms)
		m->departed_ms = until_ms;
	model_time(m);
}

/* --- users --- */

/* Its client cannot reconnect before this will is due, or before its session ends. */
static void orphan_will(struct actor *p, uint64_t end_ms)
{
	struct pub *will = p->pending_will;

	if (will == NULL)
		return;
	COVER(p->model, WILL_ORPHANED);
	will->will_due_ms = sooner(will->will_due_ms, end_ms);
	will->published_when_due = true;
	doubt(&p->pending_will, model_now(p->model));
}

static void departs(struct model *m, uint64_t until_ms)
{
	if (m->departed_ms < until_ms)
		m->departed_ms = until_ms;
}

/* Another user has the name: the session goes on without a client. */
static void release_owner(struct actor *p)
{
	struct model *m = p->model;
	COVER(m, NAMESAKE);
	p->aside = (uint8_t)(p->entry + 1);
	/* Set aside it gets nothing; but where nobody had the name it was removed. */
	if (p->removed_ms != NEVER || model_rules(m)->removed[p->user])
		departs(m, model_now(m) + REMOVED_MS);
	orphan_will(p, p->ends_ms);
	subs_end(p, true);
	subs_bury(p);
	model_forget_owed(p, false);
	p->exists = NO;
	p->may_end_ms = p->ends_ms = p->removed_ms = NEVER;
}

/* The session that was set aside may be there again, or the one that came after it in its place. It
 * is not known which: the next CONNECT is a clean start. */
static void bring_back(struct actor *p)
{
	struct model *m = p->model;
	bool may_exist = p->exists != NO || p->aside > model_rules(m)->entry[p->user];

	release_owner(p);
	if (!may_exist)
		return;
	COVER(m, BROUGHT_BACK);
	p->exists = UNKNOWN;
	p->wants_clean = true;
	departs(m, model_now(m) + (uint64_t)EXPIRY_MAX_S * 1000);
}

/* Where nobody has the name any more, what was set aside goes on as that of a removed user. */
static void check_aside(struct actor *p)
{
	struct model *m = p->model;

	if (p->aside > 0 && p->user != USER_ANONYMOUS && model_rules(m)->removed[p->user])
		departs(m, model_now(m) + REMOVED_MS);
}

static void check_user(struct actor *p, const struct rules *before)
{
	const struct rules *now = model_rules(p->model);

	check_aside(p);
	if (rules_is_back(before, now, p->user))
		bring_back(p);
	else if (p->exists == NO)
		return;
	else if (rules_is_namesake(before, now, p->user))
		release_owner(p);
	else if (!now->removed[p->user])
		p->removed_ms = NEVER;
	else if (p->removed_ms == NEVER)
		p->removed_ms = model_now(p->model);
	if (p->removed_ms == model_now(p->model))
		COVER(p->model, REMOVED);
}

void model_begin_users(struct model *m, const struct rules *before)
{
	const struct rules *after = model_rules(m);

	m->tick++;
	for (unsigned i = 0; i < m->actors_count; i++) {
		struct actor *p = &m->actors[i];

		check_aside(p);
		if (!rules_is_namesake(before, after, p->user))
			continue;
		subs_end(p, true);
		if (!rules_is_back(before, after, p->user))
			continue;
		orphan_will(p, p->ends_ms); /* its session may end: there may be an older one */
		departs(m, model_now(m) + (uint64_t)EXPIRY_MAX_S * 1000);
	}
}

void model_users(struct model *m, const struct rules *before)
{
	m->tick++;
	for (unsigned i = 0; i < m->actors_count; i++) {
		struct actor *p = &m->actors[i];

		if (p->user != USER_ANONYMOUS)
			check_user(p, before);
	}
}

/* --- quiet --- */

static void require_answers(struct actor *p)
{
	const struct client *c = p->client;

	if (c->stalled || p->must_close)
		return;
	if (p->asked > 0)
		model_fail(p->model, "%s: %u requests without an answer", p->name, p->asked);
	if (!client_is_done(c))
		model_fail(p->model, "%s: %.20s is not acknowledged", p->name, c->pending->payload);
}

static void quiet_actor(struct actor *p)
{
	struct client *c = p->client;

	if (p->must_close) {
		if (c->wire != NULL && !c->closed && !c->stalled)
			model_fail(p->model, "%s: the connection was not ended", p->name);
		client_drop(c);
		p->must_close = false;
	}
	if (p->link == LINK_CALLING && p->login_unauthorized && c->closed) {
		client_drop(c);
		model_hangs_up(p);
	}
	if (p->link == LINK_CALLING)
		model_fail(p->model, "%s: no CONNACK", p->name);
	if (p->link == LINK_UP && c->closed)
		model_fail(p->model, "%s: the broker ended the connection (0x%02x)", p->name,
		           c->disconnect_reason);
	if (p->link == LINK_UP) {
		require_answers(p);
	}
	subs_bury(p);
	p->leaving = false;
	p->hindered =
	    c->stalled || c->slow || c->unacked_count > 0 || p->options.receive_maximum != 0;
	p->subscribed = false;
}

void model_note_packets(struct model *m)
{
	for (unsigned i = 0; i < m->actors_count; i++) {
		struct actor *p = &m->actors[i];

		if (p->link == LINK_UP && p->client->given != p->given_seen)
			p->last_packet_ms = model_now(m);
		p->given_seen = p->client->given;
	}
}

void model_quiet_actors(struct model *m)
{
	model_note_packets(m);
	for (unsigned i = 0; i < m->actors_count; i++)
		quiet_actor(&m->actors[i]);
}
