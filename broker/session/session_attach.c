/* Takeover, clean start, and whether there is a store for the session. */
#include "session/session_attach.h"

#include "base/list.h"
#include "durability/durability.h"
#include "session/session_lifecycle.h"
#include "session/session_report.h"
#include "session/session_upcalls.h"
#include "worker/shared.h"

/* That of the connection, unless the client is anonymous. */
struct payer *session_attach_payer(const struct client_link *link, const struct identity *identity)
{
	struct payers *payers = &link->worker->shared->payers;

	return link->charge.payer->kind == PAYER_USER
	           ? payer_ref(payers, link->charge.payer)
	           : payers_find(payers, PAYER_USER, identity->key);
}

static struct fault check(const struct session_attach *attach, const struct session *s)
{
	const struct worker *w = attach->worker;
	bool stored = s != NULL && s->durable;
	struct journal_health health;

	if (s != NULL && s->arrival > attach->arrival)
		return fault_of(REASON_IMPLEMENTATION_SPECIFIC,
		                "a later CONNECT of the same client completed first");
	/* CONNACK would wait for a store that has failed, to store the session or its end (D7). */
	if (attach->expiry_s > 0 || stored) {
		journal_health(w->shared->journal, &health);
		if (health.state == JOURNAL_FAILED)
			return fault_of(REASON_SERVER_UNAVAILABLE,
			                "the store has failed: no session can be stored");
	}
	if (!durability_is_on(w) || (!attach->has_will && !stored && attach->expiry_s == 0))
		return FAULT_NONE;
	/* Much data waits for the store already, and a client that connects again and again would
	 * fill the memory. A client with a stored session will take data from the store, so its
	 * limit is higher. */
	/* mutant: input_limit_wills */
	if (journal_waiting(w->shared->journal) > (stored ? 2 * JOURNAL_HIGH : JOURNAL_HIGH))
		return fault_of(REASON_SERVER_BUSY,
		                "the store is overloaded: too much data waits for it");
	return FAULT_NONE;
}

/* Of those that stay when their connection ends a user may have limits.sessions_per_user. */
static struct session *begin_session(struct session_attach *attach)
{
	struct worker *w = attach->worker;
	bool durable = attach->expiry_s > 0; /* [MQTT5-3.1.2-6] */

	if (durable && !shared_session_take(w->shared, attach->identity->key,
	                                    client_link_limits(attach->link)->sessions_per_user)) {
		attach->fault =
		    fault_of(REASON_QUOTA_EXCEEDED, "limits.sessions_per_user is reached");
		return NULL;
	}
	return session_lifecycle_new(w, attach->identity, &attach->key, durable,
	                             session_attach_payer(attach->link, attach->identity));
}

/* [MQTT3-3.1.4-3] [MQTT3-3.2.2-1, -2, -3] [MQTT5-3.1.4-4] [MQTT5-3.2.2-2, -3] */
static struct session *take_session(struct session_attach *attach, bool *waits)
{
	struct worker *w = attach->worker;
	struct session *s = session_find(w, &attach->key);

	attach->fault = check(attach, s);
	if (!fault_is_none(attach->fault))
		return NULL;
	/* Close the older connection of the same user and client id. [MQTT3-3.1.4-2]
	 * [MQTT5-3.1.4-3] */
	if (s != NULL && s->link != NULL) {
		w->upcalls->on_taken_over(s->link, attach->link);
		/* A session that ends with its connection has ended now. */
		s = session_find(w, &attach->key);
	}
	if ((*waits = session_is_leaving(w, &attach->key)))
		return NULL;
	if (s != NULL && attach->clean_start) { /* [MQTT5-3.1.2-4] [MQTT3-3.1.2-6] */
		attach->ended_another = s->durable;
		session_report_end(s, attach->link->version == MQTT_5_0
		                          ? "its client connected with Clean Start"
		                          : "its client connected with Clean Session");
		session_lifecycle_end(s);
		s = NULL;
		if ((*waits = session_is_leaving(w, &attach->key)))
			return NULL;
	}
	/* mutant: session_present */
	attach->present = s != NULL; /* [MQTT5-3.1.2-5] [MQTT3-3.1.2-4] */
	if (s == NULL) {
		s = begin_session(attach);
		if (s != NULL)
			s->ended_another = attach->ended_another;
		return s;
	}
	/* The identity of this login: a reload checks it. */
	identity_unref(&s->identity);
	s->identity = identity_ref(attach->identity);
	return s;
}

void session_attach_here(struct session_attach *attach)
{
	struct session *s = NULL;
	bool waits = attach->link != NULL && session_is_leaving(attach->worker, &attach->key);

	REQUIRE_OWNER(attach);
	if (attach->link != NULL && !waits)
		s = take_session(attach, &waits);
	if (waits) {
		DL_APPEND(attach->worker->sessions->attaching, attach);
		return;
	}
	if (s != NULL) {
		REQUIRE(s->link == NULL && attach->link->session == NULL);
		s->expiry_s = attach->expiry_s;
		s->arrival = attach->arrival;
		s->link = attach->link;
		s->link->session = s;
		session_lifecycle_attach(s);
		attach->session = s;
	}
	attach->done(attach);
}

static struct session_attach *take_first(struct worker *w)
{
	struct session_attach *attach = w->sessions->attaching;

	DL_DELETE(w->sessions->attaching, attach);
	return attach;
}

/* Work of a turn (worker.h): a CONNECT is handled; one goes on waiting. */
#define DONE_STEPS 64
#define LOOK_STEPS 1

void session_attach_turn(struct worker *w)
{
	struct session_attach *attach;
	uint64_t until = w->work + w->turn_steps / 16 + 1;
	size_t n;

	REQUIRE_EXECUTOR(&w->executor);
	DL_COUNT(w->sessions->attaching, attach, n);
	for (; n > 0 && w->work < until; n--) {
		attach = take_first(w);
		w->work += session_is_leaving(w, &attach->key) ? LOOK_STEPS : DONE_STEPS;
		session_attach_here(attach);
	}
}

void session_attach_fini(struct worker *w)
{
	while (w->sessions->attaching != NULL) {
		struct session_attach *attach = take_first(w);

		REQUIRE(attach->link == NULL); /* connections go before */
		attach->done(attach);
	}
}

void session_attach_begin(struct session_attach *attach)
{
	REQUIRE_OWNER(attach);
	attach->worker->sessions->attach(attach);
}

void session_attach_cancel(struct session_attach *attach)
{
	REQUIRE_OWNER(attach);
	REQUIRE(attach->session == NULL);
	attach->link = NULL;
}
