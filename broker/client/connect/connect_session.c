/* A CONNECT and its session: whether there is memory for it, and the wait until it is attached. */
#include "client/connect/connect_session.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/container.h"
#include "base/scratch.h"
#include "client/admission.h"
#include "client/client_list.h"
#include "client/connect/connect_refuse.h"
#include "proto/packet_connect.h"
#include "session/session_attach.h"
#include "session/will.h"
#include "worker/memory_quota.h"
#include "worker/shared.h"

/* A client that comes back to its session drains it. */
bool connect_session_memory_admits(struct conn *c, const struct connect *packet,
                                   struct slice client_id, bool is_new)
{
	struct worker *w = c->link.worker;
	const struct will *will = &packet->will;
	struct payer *payer = session_attach_payer(&c->link, c->identity);
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

	/* mutant: sessions_of_assumed_users */
	if (identity_has_no_login(c->identity) &&
	    !worker_listener(c->link.worker, stream_listener(c->link.stream))
	         ->authentication.anonymous_sessions)
		return 0; /* (S4) */
	if (packet->version == MQTT_3_1_1)
		wanted = packet->clean_start ? 0 : EXPIRY_NEVER;
	else
		wanted = packet->properties.session_expiry_s;
	return wanted > limits->max_session_expiry_s ? limits->max_session_expiry_s : wanted;
}

/* --- takeover --- */

/* How many client ids two devices use at this moment: it ends when they stop. */
static void count_shared_ids(struct worker *w)
{
	struct client_list *l = w->clients;

	uncount(&w->counters.client_ids_shared, l->shared_ids);
	l->shared_ids = takeovers_sessions(&l->takeovers, w->executor.now_ms);
	count_by(&w->counters.client_ids_shared, l->shared_ids);
	if (l->shared_ids > 0)
		executor_timer_arm(&w->executor, &l->shared_timer, TAKEOVERS_GAP_MS + 1);
}

static void on_shared_timer(struct timer *timer, void *executor_arg)
{
	(void)timer;
	count_shared_ids(executor_arg);
}

/* Why it is taken over; NULL: a device comes back, as far as can be seen. */
static const char *note_takeover(struct session *s, bool moves, const char *peer,
                                 const char *old_peer)
{
	struct worker *w = s->worker;
	struct client_list *l = w->clients;
	uint64_t hash = session_key_of(s->origin->user_key, s->origin->client_id).hash;
	enum takeovers_finding found =
	    takeovers_note(&l->takeovers, hash, moves, w->executor.now_ms);

	if (found == TAKEOVERS_FEW)
		return NULL;
	l->shared_timer.fire = on_shared_timer;
	count_shared_ids(w);
	if (found != TAKEOVERS_GO_ON)
		LOG(CLIENT_ID_SHARED, .client_id = session_client_id(s), .user = session_user(s),
		    .peer = peer, .old_peer = old_peer,
		    .takeovers = takeovers_of(&l->takeovers, hash, w->executor.now_ms),
		    .cause = found == TAKEOVERS_TWO_CLIENTS
		                 ? "two devices use this client id"
		                 : "two devices behind one address use this client id, or one "
		                   "device starts anew again and again",
		    .remedy = "give each device a client id of its own");
	return "another device uses the same user and client id: each needs a client id of its "
	       "own";
}

void connect_session_taken_over(struct client_link *old, struct client_link *link)
{
	struct session *s = old->session;
	char peer[STREAM_PEER_TEXT], old_peer[STREAM_PEER_TEXT];
	const char *why;

	REQUIRE_OWNER(old);
	stream_peer_text(link->stream, peer, sizeof(peer));
	stream_peer_text(old->stream, old_peer, sizeof(old_peer));
	LOG(SESSION_TAKEN_OVER, .client_id = session_client_id(s), .user = session_user(s),
	    .peer = peer, .old_peer = old_peer);
	why = note_takeover(
	    s, !slice_equal(stream_peer_key(link->stream), stream_peer_key(old->stream)), peer,
	    old_peer);
	conn_remember_end(conn_of(old), CLOSE_TAKEN_OVER,
	                  fault_of(REASON_SESSION_TAKEN_OVER,
	                           why != NULL
	                               ? why
	                               : "a new connection of the same user and client id took "
	                                 "the session over"),
	                  peer);
	conn_close_with(conn_of(old), CLOSE_TAKEN_OVER, fault_of(REASON_SESSION_TAKEN_OVER, why),
	                SLICE_EMPTY);
}

/* --- until it is attached --- */

/* A CONNECT whose session is being attached. It outlives its connection until that is done. */
struct session_wait {
	struct session_attach attach;
	struct conn *conn; /* NULL: it is freed */
	connect_session_done_fn *done;
	const struct connect *packet; /* the caller's, in its call; NULL: `body` has it */
	struct slice auth_data;
	struct buf client_id;
	struct buf body; /* of the CONNECT, with the password in it */
	struct buf auth;
};

static void session_wait_free(struct session_wait *wait)
{
	identity_unref(&wait->attach.identity);
	buf_fini(&wait->client_id);
	buf_fini_secret(&wait->body);
	buf_fini_secret(&wait->auth);
	free(wait);
}

static void decode_stored(const struct session_wait *wait, struct connect *packet)
{
	struct frame f = {.type = PACKET_CONNECT, .body = buf_slice(&wait->body)};

	REQUIRE(fault_is_none(packet_connect_decode(&f, packet)));
}

static void cancel(struct conn *c)
{
	struct session_wait *wait = c->session_wait;

	c->session_wait = NULL;
	c->attempt = NULL;
	wait->conn = NULL;
	session_attach_cancel(&wait->attach);
}

static void refuse(struct conn *c, struct fault fault)
{
	struct connect packet;

	decode_stored(c->session_wait, &packet);
	connect_refuse_by_code(c, &packet, fault); /* cancels it */
}

static size_t memory_of(const struct conn *c)
{
	const struct session_wait *wait = c->session_wait;

	return sizeof(*wait) + wait->client_id.cap + wait->body.cap + wait->auth.cap;
}

static void decode_waiting(const struct conn *c, struct connect *packet)
{
	if (c->session_wait->packet != NULL)
		*packet = *c->session_wait->packet;
	else
		decode_stored(c->session_wait, packet);
}

static const struct login_attempt attempt = {
    .cancel = cancel, .refuse = refuse, .memory = memory_of, .decode = decode_waiting};

/* In a later turn the configuration may be another one. */
static void finish_later(struct session_wait *wait)
{
	struct conn *c = wait->conn;
	struct connect packet;

	decode_stored(wait, &packet);
	c->link.admitted_by = 0;
	if (wait->attach.session == NULL)
		connect_refuse(c, &packet, wait->attach.fault);
	else
		wait->done(c, &packet, wait->attach.present, buf_slice(&wait->auth));
	/* mutant: checked_when_the_session_is_there */
	if (c->state == CONN_ACCEPTED && !client_link_is_admitted(&c->link))
		admission_close(c);
}

static void on_attached(struct session_attach *attach)
{
	struct session_wait *wait = container_of(attach, struct session_wait, attach);
	struct conn *c = wait->conn;
	bool later = wait->packet == NULL;

	if (c == NULL) {
		REQUIRE(attach->session == NULL);
		session_wait_free(wait);
		return;
	}
	c->session_wait = NULL;
	c->attempt = NULL;
	if (later)
		finish_later(wait);
	else if (attach->session == NULL)
		connect_refuse(c, wait->packet, attach->fault);
	else
		wait->done(c, wait->packet, attach->present, wait->auth_data);
	session_wait_free(wait);
	if (later)
		conn_resume(c, PAUSE_SESSION);
}

void connect_session_begin(struct conn *c, const struct connect *packet,
                           const struct session_key *key, struct slice auth_data,
                           connect_session_done_fn *done)
{
	struct session_wait *wait = xnew(wait);

	REQUIRE_OWNER(&c->link);
	REQUIRE(c->attempt == NULL && c->session_wait == NULL);
	buf_put_slice(&wait->client_id, key->client_id);
	wait->attach = (struct session_attach){.worker = c->link.worker,
	                                       .link = &c->link,
	                                       .identity = identity_ref(c->identity),
	                                       .key = {.user_key = c->identity->key,
	                                               .client_id = buf_slice(&wait->client_id),
	                                               .hash = key->hash},
	                                       .arrival = c->arrival,
	                                       .expiry_s = wanted_expiry(c, packet),
	                                       .clean_start = packet->clean_start,
	                                       .has_will = packet->will.present,
	                                       .done = on_attached};
	wait->conn = c;
	wait->done = done;
	wait->packet = packet;
	wait->auth_data = auth_data;
	c->session_wait = wait;
	session_attach_begin(&wait->attach);
	if (c->session_wait == NULL) /* it is done */
		return;
	wait->packet = NULL;
	buf_put_secret(&wait->body, packet->body);
	buf_put_secret(&wait->auth, auth_data);
	c->attempt = &attempt;
	c->state = CONN_AUTHENTICATING;
	client_link_pause(&c->link, PAUSE_SESSION);
}
