/* Takeover, clean start, and whether there is memory and a store for the session. */
#include "client/connect_session.h"

#include "client/connect_refuse.h"
#include "durability/durability.h"
#include "durability/record_batch.h"
#include "proto/packet_connect.h"
#include "session/session_lifecycle.h"
#include "session/will.h"
#include "worker/memory_quota.h"
#include "worker/shared.h"

/* The payer of the session: that of the connection, unless the client is anonymous. */
static struct payer *session_payer(const struct conn *c)
{
	struct payers *payers = &c->link.worker->shared->payers;

	return c->link.charge.payer->kind == PAYER_USER
	           ? payer_ref(payers, c->link.charge.payer)
	           : payers_find(payers, PAYER_USER, c->identity->key);
}

/* A client that comes back to its session drains it. */
bool connect_session_memory_admits(struct conn *c, const struct connect *packet,
                                   struct slice client_id, bool is_new)
{
	struct worker *w = c->link.worker;
	const struct will *will = &packet->will;
	struct payer *payer = session_payer(c);
	size_t bytes = is_new ? session_cost(c->identity, client_id) : 0;
	const char *exceeds = NULL;

	REQUIRE_OWNER(&c->link);
	if (will->present)
		bytes += will_cost(sizeof(struct msg) + will->topic.len + will->payload.len +
		                   will->properties.raw.len);
	if (is_new)
		/* mutant: memory_will */
		exceeds = quota_memory(w, payer, bytes);
	else if (bytes > 0)
		/* mutant: memory_stored_session */
		exceeds = quota_memory_drain(w, payer, bytes);
	payer_unref(&w->shared->payers, &payer);
	if (exceeds == NULL)
		return true;
	count(&w->counters.memory_refused);
	connect_refuse(c, packet, fault_of(REASON_QUOTA_EXCEEDED, exceeds));
	return false;
}

static uint32_t wanted_expiry(struct conn *c, const struct connect *packet)
{
	const struct conf_limits *limits = client_link_limits(&c->link);
	uint32_t wanted;

	if (c->identity->kind == IDENTITY_ANONYMOUS &&
	    !worker_listener(c->link.worker, stream_listener(c->link.stream))
	         ->authentication.anonymous_sessions)
		return 0; /* (S4) */
	if (packet->version == MQTT_3_1_1)
		wanted = packet->clean_start ? 0 : EXPIRY_NEVER;
	else
		wanted = packet->properties.session_expiry_s;
	return wanted > limits->max_session_expiry_s ? limits->max_session_expiry_s : wanted;
}

/* Close the older connection of the same user and client id. [MQTT3-3.1.4-2] [MQTT5-3.1.4-3] */
static void take_over(struct conn *c, struct session *s)
{
	struct client_link *old = s->link;
	char peer[STREAM_PEER_TEXT], old_peer[STREAM_PEER_TEXT];

	if (old == NULL)
		return;
	stream_peer_text(c->link.stream, peer, sizeof(peer));
	stream_peer_text(old->stream, old_peer, sizeof(old_peer));
	LOG(SESSION_TAKEN_OVER, .client_id = session_client_id(s), .user = session_user(s),
	    .peer = peer, .old_peer = old_peer);
	conn_close(conn_of(old), CLOSE_TAKEN_OVER);
}

/* CONNACK would wait for a store that has failed, to store the session or its end (D7). */
static bool needs_lost_store(const struct worker *w, const struct session *s, uint32_t expiry_s)
{
	struct journal_health health;

	if (expiry_s == 0 && (s == NULL || !s->durable))
		return false;
	journal_health(w->shared->journal, &health);
	return health.state == JOURNAL_FAILED;
}

/* Much data waits for the store already, and a client that connects again and again would fill the
 * memory. A client with a stored session will take data from the store, so its limit is higher. */
static bool store_is_behind(const struct worker *w, const struct session *s,
                            const struct connect *packet, uint32_t expiry_s)
{
	bool stored = s != NULL && s->durable;

	if (!durability_is_on(w) || (!packet->will.present && !stored && expiry_s == 0))
		return false;
	return journal_waiting(w->shared->journal) > (stored ? 2 * JOURNAL_HIGH : JOURNAL_HIGH);
}

/* [MQTT3-3.1.4-3] [MQTT3-3.2.2-1, -2, -3] [MQTT5-3.1.4-4] [MQTT5-3.2.2-2, -3] */
struct session *connect_session_attach(struct conn *c, const struct connect *packet,
                                       struct session *s, struct slice client_id, bool *present)
{
	struct worker *w = c->link.worker;
	const struct conf_limits *limits = client_link_limits(&c->link);
	uint32_t expiry = wanted_expiry(c, packet);
	bool ended_another = false;

	REQUIRE_OWNER(&c->link);
	*present = false;
	if (s != NULL && s->arrival > c->arrival) {
		connect_refuse(c, packet,
		               fault_of(REASON_IMPLEMENTATION_SPECIFIC,
		                        "a later CONNECT of the same client completed first"));
		return NULL;
	}
	if (needs_lost_store(w, s, expiry)) {
		connect_refuse(c, packet,
		               fault_of(REASON_SERVER_UNAVAILABLE,
		                        "the store has failed: no session can be stored"));
		return NULL;
	}
	/* mutant: input_limit_wills */
	if (store_is_behind(w, s, packet, expiry)) {
		connect_refuse(c, packet,
		               fault_of(REASON_SERVER_BUSY,
		                        "the store is overloaded: too much data waits for it"));
		return NULL;
	}
	if (s != NULL) {
		take_over(c, s); /* a session that ends with its connection has ended now */
		s = session_find(w, c->identity->key, client_id);
	}
	if (s != NULL && packet->clean_start) { /* [MQTT5-3.1.2-4] [MQTT3-3.1.2-6] */
		ended_another = s->durable;
		session_lifecycle_end(s);
		s = NULL;
	}
	if (s != NULL) {
		/* mutant: session_present */
		*present = true; /* [MQTT5-3.1.2-5] [MQTT3-3.1.2-4] */
		/* The identity of this login: a reload checks it. */
		identity_unref(&s->identity);
		s->identity = identity_ref(c->identity);
	} else {
		if (expiry > 0 &&
		    !shared_session_take(w->shared, c->identity->key, limits->sessions_per_user)) {
			connect_refuse(
			    c, packet,
			    fault_of(REASON_QUOTA_EXCEEDED, "limits.sessions_per_user is reached"));
			return NULL;
		}
		s = session_lifecycle_new(w, c->identity, client_id,
		                          expiry > 0, /* [MQTT5-3.1.2-6] */
		                          session_payer(c));
		s->ended_another = ended_another;
	}
	s->expiry_s = expiry;
	return s;
}
