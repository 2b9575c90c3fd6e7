/* CONNECT: peek at the client id, move home, decode, judge the login, attach the session, CONNACK.
 * DESIGN.md section 6. Nothing of a session or a will is touched before the login has succeeded. */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/container.h"
#include "base/crypto.h"
#include "base/random.h"
#include "base/scratch.h"
#include "client/admission.h"
#include "client/auth_exchange.h"
#include "client/client_list.h"
#include "client/conn_memory.h"
#include "client/connect_login.h"
#include "client/connection_limits.h"
#include "durability/record_batch.h"
#include "proto/topic.h"
#include "routing/local_delivery.h"
#include "session/link_output.h"
#include "worker/memory_quota.h"
#include "worker/shared.h"

#define TEXT_MAX 256
#define ALIASES_OUT_MAX                                                                            \
	16 /* what a client is given at most; more would cost memory and a longer search */

/* --- refusal --- */

static void log_refused(struct conn *c, const struct connect *packet, enum reason reason,
                        const char *cause)
{
	struct worker *w = c->link.worker;
	char peer[STREAM_PEER_TEXT];
	uint32_t suppressed;

	if (!log_limit_pass(&w->clients->refusal_limit, w->executor.now_ms, 10000, 50, &suppressed))
		return;
	stream_peer_text(c->link.stream, peer, sizeof(peer));
	LOG(CONNECT_REFUSED, .client_id = packet->client_id, .user = packet->user_name,
	    .peer = peer, .reason = reason_name(reason), .cause = cause, .suppressed = suppressed);
}

/* Where the client takes only small packets, a refusal loses its words before its code.
 * [MQTT5-3.1.2-24] [MQTT5-3.2.2-19] */
static void put_refusal(struct conn *c, const struct connect *packet, const struct connack *ack)
{
	uint32_t asked = packet->properties.max_packet_bytes; /* never 0 */
	size_t max = asked > 0 ? asked : SIZE_MAX;
	struct connack plain = *ack;
	struct buf bytes = {0};

	connack_encode(&bytes, ack);
	if (bytes.len > max) {
		buf_clear(&bytes);
		plain.reason_string = plain.server_reference = SLICE_EMPTY;
		connack_encode(&bytes, &plain);
	}
	if (bytes.len <= max)
		buf_put_slice(link_output_buf(&c->link), buf_slice(&bytes));
	buf_fini(&bytes);
}

/* [MQTT5-3.1.4-2] [MQTT5-3.2.2-7, -8] */
static void refuse_with(struct conn *c, const struct connect *packet, const char *cause,
                        const struct connack *ack)
{
	if (c->state == CONN_CLOSING)
		return;
	log_refused(c, packet, ack->reason, cause);
	/* 3.1.1 has five codes; for anything else it is closed without one. [MQTT3-3.2.2-4, -5] */
	if (packet->version == MQTT_5_0 || reason_connack_v3(ack->reason) != 0)
		put_refusal(c, packet, ack);
	conn_close(c);
}

void connect_refuse_packet(struct conn *c, const struct connect *packet, enum reason reason,
                           const char *cause, struct slice reason_string)
{
	struct connack ack = {.version = packet->version,
	                      .reason = reason,
	                      .max_qos = 2,
	                      .reason_string = reason_string};

	refuse_with(c, packet, cause, &ack);
}

static void refuse_elsewhere(struct conn *c, const struct connect *packet,
                             const struct conf_listener *l)
{
	struct connack ack = {.version = packet->version,
	                      .reason =
	                          l->server_moved ? REASON_SERVER_MOVED : REASON_USE_ANOTHER_SERVER,
	                      .max_qos = 2,
	                      .server_reference = slice_of_str(l->server_reference)};

	refuse_with(c, packet, "clients of this listener are referred to its server_reference",
	            &ack);
}

bool connect_send_elsewhere(struct conn *c, const struct connect *packet)
{
	const struct conf_listener *l =
	    worker_listener(c->link.worker, stream_listener(c->link.stream));

	if (l->server_reference == NULL)
		return false;
	refuse_elsewhere(c, packet, l);
	return true;
}

void connect_refuse(struct conn *c, enum reason reason, const char *cause)
{
	struct slice in = buf_slice(&c->in);
	struct connect packet = {.version = MQTT_3_1_1};
	struct frame f;
	size_t needed;

	if (frame_next(&in, client_link_limits(&c->link)->max_connect_size, &f, &needed) ==
	        FRAME_COMPLETE &&
	    !fault_is_none(connect_decode(&f, &packet))) {
		/* Names of a packet that is not valid are not for the log. */
		packet.client_id = packet.user_name = SLICE_EMPTY;
	}
	/* A client of another version may not know the form of what would come after the code. */
	connect_refuse_packet(c, &packet, reason, cause,
	                      reason == REASON_UNSUPPORTED_VERSION ? SLICE_EMPTY
	                                                           : slice_of_str(cause));
}

/* What the peer may know of a refusal: nothing about names and passwords. [MQTT5-3.1.3-8] */
void connect_refuse_login(struct conn *c, const struct connect *packet, enum login_verdict verdict,
                          const char *why)
{
	switch (verdict) {
	case LOGIN_NOT_AUTHORIZED:
		connect_refuse_packet(c, packet, REASON_NOT_AUTHORIZED, why, SLICE_EMPTY);
		break;
	case LOGIN_BAD_CLIENT_ID:
		connect_refuse_packet(c, packet, REASON_CLIENT_ID_NOT_VALID, why,
		                      slice_of_str(why));
		break;
	case LOGIN_BAD_CREDENTIALS:
	case LOGIN_NEEDS_PROOF:
	case LOGIN_ACCEPTED:
		connect_refuse_packet(c, packet, REASON_BAD_USER_NAME_OR_PASSWORD, why,
		                      SLICE_EMPTY);
		break;
	}
}

/* --- the will --- */

static struct acl_request will_request(const struct will *will)
{
	return (struct acl_request){.action = ACL_WILL,
	                            .topic = will->topic,
	                            .retain = will->retain,
	                            .qos = will->qos,
	                            .payload = will->payload};
}

/* [MQTT3-3.1.2-16, -17] [MQTT5-3.1.2-14, -15] */
static struct msg *will_message(struct session *s, const struct connect *packet)
{
	const struct will *will = &packet->will;
	struct buf forwarded = {0};
	struct msg *msg;
	struct msg_parts parts = {.qos = will->qos,
	                          .retain = will->retain,
	                          .expires_ms = MSG_NEVER,
	                          .topic = will->topic,
	                          .payload = will->payload};

	if (packet->version == MQTT_5_0)
		properties_put_forwarded(&forwarded, will->properties.raw);
	/* Its lifetime begins when it is published: until then this is an interval. */
	if (properties_have(&will->properties, PROPERTY_MESSAGE_EXPIRY))
		parts.expires_ms = (uint64_t)will->properties.message_expiry_s * 1000;
	parts.forwarded = buf_slice(&forwarded);
	msg = msg_new(s->origin, &parts);
	buf_fini(&forwarded);
	return msg;
}

/* Topic and rule, for the log and for the client: a will that is left out silently leaves a dead
 * device "online". */
static void refuse_will(struct conn *c, const struct connect *packet,
                        const struct acl_verdict *verdict)
{
	bool silent = properties_have(&packet->properties, PROPERTY_REQUEST_PROBLEM) &&
	              packet->properties.request_problem == 0;
	struct buf text = {0};
	char rule[TEXT_MAX];

	acl_verdict_text(c->link.worker->snapshot->acl, verdict, rule, sizeof(rule));
	buf_printf(&text, "the will to %.*s is denied: %s",
	           (int)(packet->will.topic.len > TEXT_MAX ? TEXT_MAX : packet->will.topic.len),
	           (const char *)packet->will.topic.data, rule);
	buf_put_u8(&text, 0);
	count(&c->link.worker->counters.denials);
	connect_refuse_packet(c, packet, REASON_NOT_AUTHORIZED, (const char *)text.data,
	                      silent ? SLICE_EMPTY : slice_of_str((const char *)text.data));
	buf_fini(&text);
}

/* Refused will: the CONNECT is refused. Judged before the session is touched. */
static bool will_is_admitted(struct conn *c, const struct connect *packet,
                             const struct acl_subject *subject)
{
	const struct conf_limits *limits = client_link_limits(&c->link);
	struct acl_request request = will_request(&packet->will);
	struct acl_verdict verdict;

	if (!packet->will.present)
		return true;
	if (packet->will.qos > limits->max_qos) { /* [MQTT5-3.2.2-12] */
		connect_refuse_packet(c, packet, REASON_QOS_NOT_SUPPORTED,
		                      "the will's QoS is above limits.max_qos",
		                      SLICE("the will's QoS is above limits.max_qos"));
		return false;
	}
	if (packet->will.retain && !limits->retain_available) { /* [MQTT5-3.2.2-13] */
		connect_refuse_packet(c, packet, REASON_RETAIN_NOT_SUPPORTED,
		                      "limits.retain_available is false", SLICE_EMPTY);
		return false;
	}
	if (topic_levels(packet->will.topic) > limits->topic_levels) {
		connect_refuse_packet(c, packet, REASON_TOPIC_NAME_INVALID,
		                      "the will's topic has more levels than limits.topic_levels",
		                      SLICE_EMPTY);
		return false;
	}
	verdict = publish_access_check(c->link.worker, subject, c->identity->key, &request);
	if (verdict.allowed)
		return true;
	refuse_will(c, packet, &verdict);
	return false;
}

/* Who pays for its session: for its connection already, unless it is anonymous. */
static struct payer *session_payer(const struct conn *c)
{
	struct payers *payers = &c->link.worker->shared->payers;

	return c->link.charge.payer->kind == PAYER_USER
	           ? payer_ref(payers, c->link.charge.payer)
	           : payers_find(payers, PAYER_USER, c->identity->key);
}

/* Is there memory for its will and, where it is new, for its session? Who comes back to a session
 * comes to drain it. */
static bool memory_admits(struct conn *c, const struct connect *packet, struct slice client_id,
                          bool is_new)
{
	struct worker *w = c->link.worker;
	const struct will *will = &packet->will;
	struct payer *payer = session_payer(c);
	size_t bytes = is_new ? session_cost(c->identity, client_id) : 0;
	const char *exceeds = NULL;

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
	connect_refuse_packet(c, packet, REASON_QUOTA_EXCEEDED, exceeds, slice_of_str(exceeds));
	return false;
}

/* --- attaching the session --- */

static uint32_t wanted_expiry(struct conn *c, const struct connect *packet)
{
	const struct conf_limits *limits = client_link_limits(&c->link);
	uint32_t wanted;

	if (c->identity->kind == IDENTITY_ANONYMOUS &&
	    !worker_listener(c->link.worker, stream_listener(c->link.stream))
	         ->authentication.anonymous_sessions)
		return 0; /* S4 */
	if (packet->version == MQTT_3_1_1)
		wanted = packet->clean_start ? 0 : EXPIRY_NEVER;
	else
		wanted = packet->properties.session_expiry_s;
	return wanted > limits->max_session_expiry_s ? limits->max_session_expiry_s : wanted;
}

/* The same user's older connection with this id gives way.
 * [MQTT3-3.1.4-2] [MQTT5-3.1.4-3] */
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
	conn_fail(conn_of(old), REASON_SESSION_TAKEN_OVER,
	          "a new connection of the same user and client id took the session over");
}

/* Its CONNACK would wait for a disk that has failed: for a session to keep, or to end. D7 */
static bool needs_lost_store(const struct worker *w, const struct session *s, uint32_t expiry_s)
{
	struct journal_health health;

	if (expiry_s == 0 && (s == NULL || !s->durable))
		return false;
	journal_health(w->shared->journal, &health);
	return health.state == JOURNAL_FAILED;
}

/* What it adds to the store would wait, and much waits already: whoever connects again and again
 * would fill the memory.  One with a kept session comes to take from the store, so it may exceed
 * the mark a little. */
static bool store_is_behind(const struct worker *w, const struct session *s,
                            const struct connect *packet, uint32_t expiry_s)
{
	bool kept = s != NULL && s->durable;

	if (!journal_is_on(w) || (!packet->will.present && !kept && expiry_s == 0))
		return false;
	return journal_waiting(w->shared->journal) > (kept ? 2 * JOURNAL_HIGH : JOURNAL_HIGH);
}

/* The session this CONNECT continues, or a new one; `s`: the one that there is. NULL: refused.
 * [MQTT3-3.1.4-3] [MQTT3-3.2.2-1, -2, -3] [MQTT5-3.1.4-4] [MQTT5-3.2.2-2, -3] */
static struct session *attach_session(struct conn *c, const struct connect *packet,
                                      struct session *s, struct slice client_id, bool *present)
{
	struct worker *w = c->link.worker;
	const struct conf_limits *limits = client_link_limits(&c->link);
	uint32_t expiry = wanted_expiry(c, packet);
	bool ended_another = false;

	*present = false;
	if (s != NULL && s->arrival > c->arrival) {
		connect_refuse_packet(c, packet, REASON_IMPLEMENTATION_SPECIFIC,
		                      "a later CONNECT of the same client completed first",
		                      SLICE_EMPTY);
		return NULL;
	}
	if (needs_lost_store(w, s, expiry)) {
		connect_refuse_packet(c, packet, REASON_SERVER_UNAVAILABLE,
		                      "the store has failed: no session can be stored",
		                      SLICE_EMPTY);
		return NULL;
	}
	/* mutant: input_limit_wills */
	if (store_is_behind(w, s, packet, expiry)) {
		connect_refuse_packet(c, packet, REASON_SERVER_BUSY,
		                      "the store is overloaded: too much data waits for it",
		                      SLICE_EMPTY);
		return NULL;
	}
	if (s != NULL) {
		take_over(c, s); /* a session that ends with its connection is gone now */
		s = session_find(w, c->identity->key, client_id);
	}
	if (s != NULL && packet->clean_start) { /* [MQTT5-3.1.2-4] [MQTT3-3.1.2-6] */
		ended_another = s->durable;
		session_end(s);
		s = NULL;
	}
	if (s != NULL) {
		/* mutant: session_present */
		*present = true; /* [MQTT5-3.1.2-5] [MQTT3-3.1.2-4] */
		/* How they got in this time: a reload judges by it. */
		identity_unref(&s->identity);
		s->identity = identity_ref(c->identity);
	} else {
		if (expiry > 0 &&
		    !shared_session_kept(w->shared, c->identity->key, limits->sessions_per_user)) {
			connect_refuse_packet(c, packet, REASON_QUOTA_EXCEEDED,
			                      "limits.sessions_per_user is reached", SLICE_EMPTY);
			return NULL;
		}
		s = session_new(w, c->identity, client_id, expiry > 0, /* [MQTT5-3.1.2-6] */
		                session_payer(c));
		s->ended_another = ended_another;
	}
	s->expiry_s = expiry;
	return s;
}

/* [MQTT5-3.2.2-22] [MQTT5-4.9.0-1] */
static void take_properties(struct conn *c, const struct connect *packet)
{
	const struct conf_limits *limits = client_link_limits(&c->link);
	const struct properties *p = &packet->properties;

	c->link.version = packet->version;
	c->keep_alive_s = packet->keep_alive_s;
	if (limits->max_keepalive_s > 0 && packet->version == MQTT_5_0 &&
	    (c->keep_alive_s == 0 || c->keep_alive_s > limits->max_keepalive_s))
		c->keep_alive_s = limits->max_keepalive_s; /* [MQTT5-3.1.2-21] */
	c->link.receive_maximum =
	    properties_have(p, PROPERTY_RECEIVE_MAXIMUM) ? p->receive_maximum : UINT16_MAX;
	c->link.max_packet_bytes =
	    properties_have(p, PROPERTY_MAXIMUM_PACKET_SIZE) ? p->max_packet_bytes : UINT32_MAX;
	c->link.aliases.max = limits->topic_alias_maximum;
	c->link.aliases_out.max =
	    p->topic_alias_maximum < ALIASES_OUT_MAX ? p->topic_alias_maximum : ALIASES_OUT_MAX;
	c->link.bridge = packet->bridge;
	c->link.no_problem_information =
	    properties_have(p, PROPERTY_REQUEST_PROBLEM) && p->request_problem == 0;
}

/* [MQTT3-3.1.4-4] [MQTT5-3.1.2-28] [MQTT5-3.1.4-5] */
static void send_connack(struct conn *c, const struct connect *packet, bool present,
                         struct slice assigned, struct slice auth_data)
{
	const struct conf_limits *limits = client_link_limits(&c->link);
	struct session *s = c->link.session;
	uint32_t asked = packet->properties.session_expiry_s;
	struct connack ack = {
	    .version = c->link.version,
	    .session_present = present,
	    .reason = REASON_SUCCESS,
	    .has_session_expiry = s->expiry_s != asked,
	    .session_expiry_s = s->expiry_s,
	    .has_server_keep_alive = c->keep_alive_s != packet->keep_alive_s,
	    .server_keep_alive_s = c->keep_alive_s,
	    .retain_unavailable = !limits->retain_available,
	    .max_qos = limits->max_qos,
	    .receive_maximum = limits->receive_maximum,
	    .topic_alias_maximum = limits->topic_alias_maximum,
	    .max_packet_bytes = limits->max_packet_size,
	    .assigned_client_id = assigned,
	    .auth_method = c->enhanced ? SCRAM_METHOD : SLICE_EMPTY, /* [MQTT5-4.12.0-5, -6] */
	    .auth_data = auth_data,
	};
	struct buf bytes = {0};
	struct pending_ack *pending_ack;

	connack_encode(&bytes, &ack);
	if (bytes.len > c->link.max_packet_bytes) { /* [MQTT5-3.1.2-24] */
		buf_fini(&bytes);
		c->clean_disconnect = true; /* it was never accepted */
		conn_end(c, REASON_PACKET_TOO_LARGE,
		         "CONNACK is larger than the client's Maximum Packet Size");
		return;
	}
	pending_ack = pending_ack_packet(&c->link, PACKET_CONNACK, &bytes);
	session_commit(s, &pending_ack);
}

static void log_connected(struct conn *c, const struct connect *packet, bool present)
{
	char peer[STREAM_PEER_TEXT];

	stream_peer_text(c->link.stream, peer, sizeof(peer));
	LOG(CLIENT_CONNECTED, .client_id = session_client_id(c->link.session),
	    .user = session_user(c->link.session), .peer = peer,
	    .version = c->link.version == MQTT_5_0 ? "5.0" : "3.1.1",
	    .clean_start = packet->clean_start, .session_present = present,
	    .keep_alive_s = c->keep_alive_s, .tls = stream_tls_version(c->link.stream));
}

static void go_live(struct conn *c)
{
	struct worker *w = c->link.worker;

	c->state = CONN_ACCEPTED;
	c->link.accepted = true;
	c->counted = true;
	conn_leave_half_open(c);
	shared_count_connection(w->shared);
	count(&w->counters.clients_accepted);
	atomic_fetch_add(&w->shared->listener_connections[stream_listener(c->link.stream)], 1);
	c->link.last_packet_ms = w->executor.now_ms;
	c->since_ms = w->executor.now_ms;
	executor_timer_disarm(&w->executor, &c->timer);
	if (c->keep_alive_s > 0)
		executor_timer_arm(&w->executor, &c->timer, (uint64_t)c->keep_alive_s * 1500);
}

static bool connections_full(struct conn *c)
{
	struct shared *shared = c->link.worker->shared;
	unsigned index = stream_listener(c->link.stream);
	const struct conf_listener *l = worker_listener(c->link.worker, index);

	if (atomic_load(&shared->connections) >= c->link.worker->snapshot->conf->limits.connections)
		return true;
	return l->own_connections &&
	       atomic_load(&shared->listener_connections[index]) >= l->limits.connections;
}

/* "auto-" and 128 random bits, drawn again until its executor is here. [MQTT-3.1.3-6]
 * [MQTT5-3.1.3-7] [MQTT5-3.2.2-16] */
static size_t assign_client_id(struct worker *w, char out[48])
{
	int n;

	do {
		n = snprintf(out, 48, "auto-%016llx%016llx", (unsigned long long)random_u64(),
		             (unsigned long long)random_u64());
	} while (shared_owner_of(w->shared, slice_of(out, (size_t)n)) != w);
	return (size_t)n;
}

/* [MQTT-3.1.3-5] [MQTT3-7.0.0-2] */
void connect_accept(struct conn *c, const struct connect *packet, struct slice auth_data)
{
	struct worker *w = c->link.worker;
	char assigned[48];
	struct slice client_id = packet->client_id;
	struct acl_subject *subject;
	bool admitted, present;
	struct session *s;

	/* mutant: elsewhere_after_the_hash */
	if (connect_send_elsewhere(c, packet))
		return;
	if (connections_full(c)) {
		connect_refuse_packet(c, packet, REASON_SERVER_BUSY,
		                      "limits.connections is reached", SLICE_EMPTY);
		return;
	}
	if (client_id.len == 0)
		client_id = slice_of(assigned, assign_client_id(w, assigned)); /* [MQTT-3.1.3-6] */
	c->assigned_client_id = packet->client_id.len == 0;
	s = session_find(w, c->identity->key, client_id);
	if (!connection_limits_take_user(c, s)) {
		connect_refuse_packet(c, packet, REASON_QUOTA_EXCEEDED,
		                      "limits.connections_per_user is reached", SLICE_EMPTY);
		return;
	}
	subject = config_snapshot_subject(w->snapshot, c->identity->kind == IDENTITY_ANONYMOUS,
	                                  c->identity->name, client_id);
	conn_memory_login(c);
	admitted =
	    will_is_admitted(c, packet, subject) && memory_admits(c, packet, client_id, s == NULL);
	acl_subject_free(subject);
	if (!admitted)
		return;
	take_properties(c, packet);
	s = attach_session(c, packet, s, client_id, &present);
	if (s == NULL)
		return;
	c->link.session = s;
	s->link = &c->link;
	s->arrival = c->arrival;
	session_attach(s);
	if (packet->will.present)
		will_set(s, will_message(s, packet),
		         properties_have(&packet->will.properties, PROPERTY_WILL_DELAY)
		             ? packet->will.properties.will_delay_s
		             : 0);
	go_live(c);
	log_connected(c, packet, present);
	send_connack(c, packet, present, packet->client_id.len == 0 ? client_id : SLICE_EMPTY,
	             auth_data);
	if (c->state != CONN_ACCEPTED)
		return;
	session_pump(s);
}

/* --- the login --- */

void connect_fill_login(struct conn *c, const struct connect *packet, struct buf *name,
                        struct login *out)
{
	const struct config_snapshot *snapshot = c->link.worker->snapshot;
	const struct conf_listener *l =
	    worker_listener(c->link.worker, stream_listener(c->link.stream));
	enum conf_certificate_user kind = l->authentication.certificate_user;

	*out = (struct login){
	    .conf = &l->authentication,
	    .source = snapshot->identities,
	    .has_user_name = packet->has_user_name,
	    .has_password = packet->has_password,
	    .user_name = packet->user_name,
	    .password = packet->password,
	    .client_id = packet->client_id,
	    .assigned_client_id =
		c->link.session != NULL ? c->assigned_client_id : packet->client_id.len == 0,
	    .has_certificate = l->tls.client_certificates != CLIENT_CERTIFICATES_NONE &&
	                       stream_has_certificate(c->link.stream),
	    .certificate_required = l->tls.client_certificates == CLIENT_CERTIFICATES_REQUIRED,
	};
	/* A certificate names a user only where it has exactly one name of that kind. */
	if (out->has_certificate && kind != CERTIFICATE_USER_NONE &&
	    stream_certificate_names(c->link.stream, kind, name) == 1)
		out->certificate_name = buf_slice(name);
}

static void on_login_answer(struct login_request *request);
static void on_refuse_time(struct timer *timer, void *executor_arg);

static void start_login(struct conn *c, const struct connect *packet)
{
	struct worker *w = c->link.worker;
	struct login_wait *wait = xnew(wait);
	struct buf name = {0};
	struct login login;
	bool answered;

	wait->conn = c;
	wait->worker = w;
	wait->timer.fire = on_refuse_time;
	wait->request.done = on_login_answer;
	wait->request.executor = &w->executor;
	wait->request.address = stream_peer_key(c->link.stream);
	c->snapshot_generation = w->snapshot->generation;
	c->state = CONN_AUTHENTICATING;
	c->login = wait;
	executor_timer_disarm(&w->executor,
	                      &c->timer); /* S2: waiting for the hash is not the client's fault */
	connect_fill_login(c, packet, &name, &login);
	answered = login_request_start(&wait->request, &login, w->shared->authenticator);
	buf_fini(&name);
	if (answered)
		on_login_answer(&wait->request);
	else
		client_link_pause(&c->link, PAUSE_LOGIN);
}

/* CONNECT is still in c->in: decode it again. */
static void decode_kept(struct conn *c, struct connect *packet)
{
	struct slice in = buf_slice(&c->in);
	struct frame f;
	size_t needed;

	REQUIRE(frame_next(&in, SIZE_MAX, &f, &needed) == FRAME_COMPLETE);
	REQUIRE(fault_is_none(connect_decode(&f, packet)));
}

/* CONNECT is done, whichever way: the password in it is wiped. */
static void drop_kept(struct conn *c)
{
	struct slice in = buf_slice(&c->in);
	size_t size = in.len, needed;
	struct frame f;

	if (in.len == 0)
		return;
	if (frame_next(&in, SIZE_MAX, &f, &needed) == FRAME_COMPLETE)
		size = f.size_bytes;
	crypto_wipe(c->in.data, size);
	buf_consume(&c->in, size);
	if (c->in.len == 0)
		buf_fini(&c->in);
}

bool connect_still_valid(struct conn *c, const struct connect *packet, const struct identity *id,
                         uint64_t generation, const char **why)
{
	const struct config_snapshot *snapshot = c->link.worker->snapshot;
	struct buf name = {0};
	struct login now;
	bool valid;

	/* mutant: login_of_older_users */
	if (generation == snapshot->generation)
		return true;
	connect_fill_login(c, packet, &name, &now);
	valid = login_still_valid(id, &now, why);
	buf_fini(&name);
	return valid;
}

/* By a configuration that came while the login was under way: the answer is compared with the rules
 * of this moment, not of its beginning. NULL: the client may come in. */
static const char *refused_by_now(struct conn *c, const struct identity *id)
{
	struct connect packet;
	const char *why;

	if (c->snapshot_generation == c->link.worker->snapshot->generation)
		return NULL;
	decode_kept(c, &packet);
	return connect_still_valid(c, &packet, id, c->snapshot_generation, &why) ? NULL : why;
}

static void finish_login(struct conn *c, enum login_verdict verdict, const char *why)
{
	struct connect packet UNINITIALIZED;

	decode_kept(c, &packet);
	if (verdict == LOGIN_ACCEPTED)
		connect_accept(c, &packet, SLICE_EMPTY);
	else
		connect_refuse_login(c, &packet, verdict, why);
}

static void login_wait_free(struct login_wait *wait)
{
	executor_timer_disarm(&wait->worker->executor, &wait->timer);
	login_request_fini(&wait->request);
	free(wait);
}

static void end_wait(struct login_wait *wait)
{
	struct conn *c = wait->conn;
	enum login_verdict verdict = wait->request.verdict;
	const char *why = wait->request.why;

	if (wait->refused_why != NULL) {
		verdict = LOGIN_BAD_CREDENTIALS;
		why = wait->refused_why;
	} else {
		c->identity = wait->request.identity;
		wait->request.identity = NULL;
	}
	login_wait_free(wait);
	c->login = NULL;
	c->state = CONN_NEW;
	/* mutant: checked_when_the_hash_is_there */
	if (client_link_is_admitted(&c->link))
		finish_login(c, verdict, why);
	else
		admission_close(c);
	drop_kept(c);
	if ((c->link.pauses & PAUSE_LOGIN) != 0)
		conn_resume(c, PAUSE_LOGIN);
}

static void on_refuse_time(struct timer *timer, void *executor_arg)
{
	(void)executor_arg;
	end_wait(container_of(timer, struct login_wait, timer));
}

/* Where the password was right and the login fails, because the user was locked meanwhile, it fails
 * when any other would. */
static bool fails_later(struct login_wait *wait)
{
	struct executor *executor = &wait->worker->executor;

	/* mutant: locked_while_hashing_fails_as_late */
	if (wait->refused_why == NULL || wait->request.refuse_at_ms <= executor->now_ms)
		return false;
	timer_arm(&executor->timers, &wait->timer, wait->request.refuse_at_ms);
	return true;
}

static void on_login_answer(struct login_request *request)
{
	struct login_wait *wait = container_of(request, struct login_wait, request);

	wait->answered = true;
	if (wait->conn == NULL) {
		login_wait_free(wait);
		return;
	}
	if (request->verdict == LOGIN_ACCEPTED && client_link_is_admitted(&wait->conn->link))
		wait->refused_why = refused_by_now(wait->conn, request->identity);
	if (!fails_later(wait))
		end_wait(wait);
}

/* It was accepted, and its CONNACK waits for the journal: nobody was told. */
static void refuse_accepted(struct conn *c, enum reason reason, const char *cause,
                            struct slice server_reference)
{
	struct connack ack = {.version = c->link.version,
	                      .reason = reason,
	                      .max_qos = 2,
	                      .server_reference = server_reference};
	struct buf bytes = {0};

	connack_encode(&bytes, &ack);
	if (bytes.len <= c->link.max_packet_bytes &&
	    (c->link.version == MQTT_5_0 || reason_connack_v3(reason) != 0))
		buf_put_slice(link_output_buf(&c->link), buf_slice(&bytes));
	buf_fini(&bytes);
	c->clean_disconnect = true; /* no will of one that never was in */
	conn_end(c, reason, cause);
}

/* The CONNECT at the head of c->in, where it is there as a whole. */
static bool refuse_kept(struct conn *c, enum reason reason, const char *cause,
                        struct slice server_reference)
{
	struct slice in = buf_slice(&c->in);
	struct connect packet = {0};
	struct connack ack = {.reason = reason, .max_qos = 2, .server_reference = server_reference};
	struct frame f;
	size_t needed;

	if (frame_next(&in, client_link_limits(&c->link)->max_connect_size, &f, &needed) !=
	        FRAME_COMPLETE ||
	    f.type != PACKET_CONNECT || !fault_is_none(connect_decode(&f, &packet)))
		return false;
	ack.version = packet.version;
	refuse_with(c, &packet, cause, &ack);
	drop_kept(c);
	return true;
}

bool connect_refuse_waiting(struct conn *c, enum reason reason, const char *cause,
                            struct slice server_reference)
{
	if (c->state == CONN_ACCEPTED)
		refuse_accepted(c, reason, cause, server_reference);
	else if (c->auth_exchange != NULL)
		auth_exchange_refuse(c, reason, cause);
	else
		return c->in.len > 0 && refuse_kept(c, reason, cause, server_reference);
	return true;
}

void connect_cancel_login(struct conn *c)
{
	struct login_wait *wait = c->login;

	c->login = NULL;
	if (wait == NULL)
		return;
	wait->conn = NULL;
	if (wait->answered)
		login_wait_free(wait);
	else
		login_request_cancel(&wait->request);
}

static bool moves_to_owner(struct conn *c, const struct frame *f)
{
	struct slice client_id;
	struct worker *executor;

	if (!connect_peek_client_id(f->body, &client_id) || client_id.len == 0)
		return false;
	executor = shared_owner_of(c->link.worker->shared, client_id);
	if (executor == c->link.worker)
		return false;
	conn_move(c, executor);
	return true;
}

struct fault on_connect(struct conn *c, const struct frame *f)
{
	struct connect packet UNINITIALIZED;
	struct fault fault;

	if (moves_to_owner(c, f))
		return FAULT_NONE;
	if (!fault_is_none(fault = connect_decode(f, &packet)) ||
	    !fault_is_none(fault = client_link_check_properties(&c->link, &packet.properties)) ||
	    !fault_is_none(fault = client_link_check_properties(&c->link, &packet.will.properties)))
		return fault;
	if (connect_send_elsewhere(c, &packet)) {
		drop_kept(c);
		return FAULT_NONE;
	}
	if (properties_have(&packet.properties, PROPERTY_AUTH_METHOD))
		return auth_exchange_begin(c, f, &packet);
	c->arrival = ++c->link.worker->clients->next_arrival;
	start_login(c, &packet);
	return FAULT_NONE;
}
