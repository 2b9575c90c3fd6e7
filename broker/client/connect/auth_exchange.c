/* The state of an exchange between its packets.  The messages are auth/scram's; who may log in is
 * decided as for passwords.  The outcome is known as soon as the client's last message is here: it
 * takes a few HMACs.  Where this user is guessed from this address, it waits for its turn like a
 * password. */
#include "client/connect/auth_exchange.h"

#include <stdlib.h>

#include "auth/scram.h"
#include "base/alloc.h"
#include "base/container.h"
#include "base/crypto.h"
#include "client/admission.h"
#include "client/connect/connect_accept.h"
#include "client/connect/connect_refuse.h"
#include "client/connect/login_input.h"
#include "proto/packet_auth.h"
#include "proto/packet_connect.h"
#include "session/inflight/pending_ack.h"
#include "session/link_output.h"
#include "session/session.h"
#include "worker/shared.h"

enum auth_exchange_step {
	AUTH_EXCHANGE_FIRST, /* waits for client-first */
	AUTH_EXCHANGE_FINAL, /* waits for client-final */
	AUTH_EXCHANGE_ANSWERED_LATER,
};

/* A proof that waits for its turn. It outlives its exchange until the answer arrives. */
struct proof_wait {
	struct hash_request request;
	struct auth_exchange *auth_exchange; /* NULL: it is freed */
};

struct auth_exchange {
	struct conn *conn;
	struct proof_wait *proof; /* NULL: there is none */
	struct timer timer;       /* the deadline */
	uint64_t since_ms;        /* when it began */
	struct buf connect;       /* the CONNECT that waits; empty: a re-authentication */
	struct scram scram;
	struct buf answer;         /* server-final */
	struct identity *identity; /* of the user; NULL: there is none */
	const char *why;           /* why there is none, or what a wrong proof means; for the log */
	uint64_t generation;       /* of the configuration that decided */
	enum auth_exchange_step step;
	bool right;
};

static bool is_first_login(const struct auth_exchange *e)
{
	return e->connect.len > 0;
}

/* --- the end --- */

static void auth_exchange_free(struct auth_exchange *e)
{
	struct worker *w = e->conn->link.worker;

	executor_timer_disarm(&w->executor, &e->timer);
	if (e->proof != NULL) {
		e->proof->auth_exchange = NULL;
		authenticator_cancel(w->shared->authenticator, &e->proof->request);
	}
	/* mutant: password_stored_with_scram_is_wiped */
	crypto_wipe(e->connect.data, e->connect.len);
	buf_fini(&e->connect);
	scram_fini(&e->scram);
	buf_fini(&e->answer);
	identity_unref(&e->identity);
	free(e);
}

static void cancel(struct conn *c)
{
	auth_exchange_free(c->auth_exchange);
	c->auth_exchange = NULL;
	c->attempt = NULL;
}

static size_t memory_of(const struct conn *c)
{
	const struct auth_exchange *e = c->auth_exchange;

	return sizeof(*e) + e->connect.cap + e->answer.cap + e->scram.user.cap +
	       e->scram.binding.cap + e->scram.nonce.cap + e->scram.text.cap;
}

/* Its user is the one that the exchange is about, where it names none. */
static void decode_connect(const struct auth_exchange *e, struct connect *packet)
{
	struct slice in = buf_slice(&e->connect);
	struct frame f;
	size_t needed;

	REQUIRE(frame_next(&in, SIZE_MAX, &f, &needed) == FRAME_COMPLETE);
	REQUIRE(fault_is_none(packet_connect_decode(&f, packet)));
	if (!packet->has_user_name)
		packet->user_name = buf_slice(&e->scram.user);
}

/* May the peer learn the cause? A connected client always may. */
enum disclosure { HIDE_CAUSE, SHOW_CAUSE };

/* e is gone afterwards. */
static void fail(struct auth_exchange *e, struct fault fault, enum disclosure disclosure)
{
	struct conn *c = e->conn;
	struct connect packet;

	if (!is_first_login(e)) {
		conn_fail(c, fault); /* [MQTT5-4.12.1-2] */
		return;
	}
	c->auth_exchange = NULL;
	c->attempt = NULL;
	decode_connect(e, &packet);
	if (disclosure == SHOW_CAUSE)
		connect_refuse(c, &packet, fault);
	else
		connect_refuse_by_code(c, &packet, fault);
	auth_exchange_free(e); /* [MQTT5-4.12.0-4] */
}

/* The login itself failed: the same code for everybody. */
static void fail_login(struct auth_exchange *e, const char *cause, enum disclosure disclosure)
{
	login_input_count(e->conn->link.worker, LOGIN_BY_SCRAM, LOGIN_BAD_CREDENTIALS);
	fail(e,
	     fault_of(is_first_login(e) ? REASON_BAD_USER_NAME_OR_PASSWORD : REASON_NOT_AUTHORIZED,
	              cause),
	     disclosure);
}

static void refuse(struct conn *c, struct fault fault)
{
	fail(c->auth_exchange, fault, HIDE_CAUSE);
}

void auth_exchange_fail(struct conn *c, struct fault fault)
{
	REQUIRE_OWNER(&c->link);
	fail(c->auth_exchange, fault, SHOW_CAUSE);
}

/* A connected client that re-authenticates has a session: its names are known. */
static void decode_waiting(const struct conn *c, struct connect *packet)
{
	if (is_first_login(c->auth_exchange))
		decode_connect(c->auth_exchange, packet);
}

static const struct login_attempt attempt = {
    .cancel = cancel,
    .refuse = refuse,
    .memory = memory_of,
    .decode = decode_waiting,
};

static void succeed(struct auth_exchange *e)
{
	struct conn *c = e->conn;
	struct connect packet;

	login_input_count(c->link.worker, LOGIN_BY_SCRAM, LOGIN_ACCEPTED);
	c->auth_exchange = NULL;
	c->attempt = NULL;
	if (is_first_login(e)) {
		decode_connect(e, &packet);
		c->identity = identity_ref(e->identity);
		c->enhanced = true;
		connect_accept(c, &packet, buf_slice(&e->answer));
	} else {
		struct buf *out = link_output_buf(&c->link);
		size_t before = out->len;

		packet_auth_encode(out, REASON_SUCCESS, SCRAM_METHOD, buf_slice(&e->answer));
		count_packet_sent(&c->link.worker->counters, PACKET_AUTH, out->len - before);
	}
	auth_exchange_free(e);
}

/* The CONNECT that waits; of a connected client what the decision needs of it. */
static void take_packet(const struct auth_exchange *e, struct connect *packet)
{
	if (is_first_login(e))
		decode_connect(e, packet);
	else
		*packet = (struct connect){.version = MQTT_5_0,
		                           .client_id = session_client_id(e->conn->link.session)};
}

static void report(struct auth_exchange *e, bool accepted)
{
	struct conn *c = e->conn;
	const char *why = e->why;
	struct connect packet;

	REQUIRE(e->step == AUTH_EXCHANGE_ANSWERED_LATER);
	if (!client_link_is_admitted(&c->link)) {
		admission_close(c);
		return;
	}
	if (accepted) {
		take_packet(e, &packet);
		accepted = login_input_still_valid(c, &packet, e->identity, e->generation, &why);
	}
	if (accepted)
		succeed(e);
	else
		fail_login(e, why, HIDE_CAUSE);
}

/* The authenticator's answer. */
static void take_answer(struct auth_exchange *e, struct proof_wait *wait)
{
	bool accepted = wait->request.accepted, busy = wait->request.is_refused_busy;

	e->proof = NULL;
	hash_request_fini(&wait->request);
	free(wait);
	if (busy) {
		login_input_count(e->conn->link.worker, LOGIN_BY_SCRAM, LOGIN_BUSY);
		fail(e, fault_of(REASON_SERVER_BUSY, LOGIN_BUSY_CAUSE), SHOW_CAUSE);
	} else {
		report(e, accepted);
	}
}

static void on_answer(struct task *task, void *executor_arg)
{
	struct proof_wait *wait = container_of(task, struct proof_wait, request.task);
	struct auth_exchange *e = wait->auth_exchange;
	struct conn *c;

	(void)executor_arg;
	if (e == NULL) {
		hash_request_fini(&wait->request);
		free(wait);
		return;
	}
	c = e->conn;
	take_answer(e, wait);
	conn_continue(c);
}

/* The outcome is known; when the answer may be sent depends on who guesses. */
static void ask(struct auth_exchange *e)
{
	struct worker *w = e->conn->link.worker;
	struct slice user = buf_slice(&e->scram.user);
	/* mutant: wrong_proof */
	bool right = e->right && e->identity != NULL;
	struct proof_wait *wait;
	struct identity_entry entry;
	char address[STREAM_PEER_TEXT];
	size_t len = stream_peer_key_text(e->conn->link.stream, address, sizeof(address));

	if (w->shared->authenticator == NULL) {
		report(e, right);
		return;
	}
	wait = xnew(wait);
	wait->auth_exchange = e;
	wait->request.task.run = on_answer;
	wait->request.executor = &w->executor;
	wait->request.address = slice_of(address, len);
	wait->request.proof = right ? HASH_PROOF_RIGHT : HASH_PROOF_WRONG;
	wait->request.exists = identity_source_find(w->snapshot->identities, user, &entry);
	hash_request_fill(&wait->request, user, NULL, SLICE_EMPTY);
	e->proof = wait;
	if (authenticator_submit(w->shared->authenticator, &wait->request))
		take_answer(e, wait);
}

static void on_timer(struct timer *timer, void *executor_arg)
{
	struct auth_exchange *e = container_of(timer, struct auth_exchange, timer);
	struct conn *c = e->conn;

	(void)executor_arg;
	if (executor_postpones(&c->link.worker->executor, timer, e->since_ms)) {
		return;
	} else if (is_first_login(e)) {
		conn_fail(c,
		          fault_of(REASON_MAXIMUM_CONNECT_TIME,
		                   "the authentication took longer than limits.connect_timeout"));
	} else {
		conn_fail(
		    c, fault_of(REASON_NOT_AUTHORIZED,
		                "the re-authentication took longer than limits.connect_timeout"));
	}
}

/* --- the steps --- */

static void send_auth(struct auth_exchange *e, struct slice data)
{
	struct conn *c = e->conn;
	struct buf packet = {0};

	packet_auth_encode(&packet, REASON_CONTINUE_AUTHENTICATION, SCRAM_METHOD, data);
	if (packet.len > c->link.max_packet_bytes) { /* [MQTT5-3.1.2-24] */
		fail(e,
		     fault_of(REASON_PACKET_TOO_LARGE,
		              "AUTH is larger than the Maximum Packet Size of the client"),
		     SHOW_CAUSE);
	} else {
		buf_put_slice(link_output_buf(&c->link), buf_slice(&packet)); /* [MQTT5-4.12.0-2] */
		count_packet_sent(&c->link.worker->counters, PACKET_AUTH, packet.len);
	}
	buf_fini(&packet);
}

/* The same decision as for a password. */
static enum login_verdict decide(struct auth_exchange *e)
{
	struct conn *c = e->conn;
	struct buf name = {0};
	enum login_verdict verdict;
	struct connect packet;
	struct login login;

	take_packet(e, &packet);
	login_input_fill(c, &packet, &name, &login);
	login.scram = true;
	login.has_user_name = true;
	login.user_name = buf_slice(&e->scram.user);
	verdict = login_decide(&login, &e->identity, &e->why);
	buf_fini(&name);
	if (e->why == NULL)
		e->why = "wrong password";
	return verdict;
}

/* Of the CONNECT, or of the session. */
static struct slice user_name_of(const struct auth_exchange *e)
{
	struct connect packet;

	if (!is_first_login(e))
		return e->conn->link.session->identity->name;
	decode_connect(e, &packet);
	return packet.user_name;
}

static void refuse_verdict(struct auth_exchange *e, enum login_verdict verdict)
{
	struct conn *c = e->conn;
	struct connect packet;

	if (!is_first_login(e)) {
		fail_login(e, e->why, HIDE_CAUSE);
		return;
	}
	login_input_count(c->link.worker, LOGIN_BY_SCRAM, verdict);
	c->auth_exchange = NULL;
	c->attempt = NULL;
	decode_connect(e, &packet);
	connect_refuse_login(c, &packet, verdict, e->why);
	auth_exchange_free(e);
}

static void on_first(struct auth_exchange *e, struct slice client_first)
{
	struct conn *c = e->conn;
	const char *wrong = scram_client_first(&e->scram, client_first);
	struct scram_verifier verifier;
	struct buf server_first = {0};
	enum login_verdict verdict;
	char nonce[SCRAM_NONCE];

	if (wrong == NULL && !slice_equal(buf_slice(&e->scram.user), user_name_of(e)))
		wrong = "SCRAM: the user name has changed";
	if (wrong != NULL) {
		fail_login(e, wrong, SHOW_CAUSE);
		return;
	}
	e->generation = c->link.worker->snapshot->generation;
	verdict = decide(e);
	if (verdict != LOGIN_ACCEPTED && verdict != LOGIN_NEEDS_PROOF) {
		refuse_verdict(e, verdict);
		return;
	}
	if (!is_first_login(e) && e->identity != NULL &&
	    !slice_equal(e->identity->key, c->link.session->identity->key))
		identity_unref(&e->identity);
	if (!identity_source_scram(c->link.worker->snapshot->identities, buf_slice(&e->scram.user),
	                           &verifier)) {
		fail_login(e, "no user has a SCRAM verifier any more", HIDE_CAUSE);
		return;
	}
	scram_nonce(nonce);
	scram_server_first(&e->scram, &verifier, slice_of(nonce, sizeof(nonce)), &server_first);
	crypto_wipe(&verifier, sizeof(verifier));
	e->step = AUTH_EXCHANGE_FINAL;
	send_auth(e, buf_slice(&server_first)); /* e may be gone */
	buf_fini(&server_first);
}

static void on_final(struct auth_exchange *e, struct slice message)
{
	const char *wrong = scram_client_final(&e->scram, message, &e->right, &e->answer);

	if (wrong != NULL) {
		fail_login(e, wrong, SHOW_CAUSE);
		return;
	}
	executor_timer_disarm(&e->conn->link.worker->executor, &e->timer);
	e->step = AUTH_EXCHANGE_ANSWERED_LATER;
	ask(e);
}

/* --- the packets of the client --- */

struct fault auth_exchange_take(struct conn *c, const struct auth *auth)
{
	struct auth_exchange *e = c->auth_exchange;
	struct fault fault = client_link_check_properties(&c->link, &auth->properties);

	REQUIRE_OWNER(&c->link);
	if (!fault_is_none(fault))
		return fault;
	if (e->step == AUTH_EXCHANGE_FIRST)
		on_first(e, auth->properties.auth_data);
	else if (e->step == AUTH_EXCHANGE_FINAL)
		on_final(e, auth->properties.auth_data);
	else
		return fault_of(REASON_PROTOCOL_ERROR,
		                "AUTH arrived while the result of the exchange was pending");
	return FAULT_NONE;
}

void auth_exchange_start(struct conn *c, struct slice connect)
{
	struct auth_exchange *e = xnew(e);
	struct worker *w = c->link.worker;

	REQUIRE_OWNER(&c->link);
	REQUIRE(c->attempt == NULL);
	e->conn = c;
	e->timer.fire = on_timer;
	e->since_ms = w->executor.now_ms;
	e->why = "";
	buf_put_slice(&e->connect, connect);
	executor_timer_arm(&w->executor, &e->timer,
	                   client_link_limits(&c->link)->connect_timeout_ms);
	c->auth_exchange = e;
	c->attempt = &attempt;
}

void auth_exchange_begin(struct conn *c)
{
	struct auth_exchange *e = c->auth_exchange;
	struct connect packet;

	REQUIRE_OWNER(&c->link);
	REQUIRE(is_first_login(e) && e->step == AUTH_EXCHANGE_FIRST);
	decode_connect(e, &packet);
	if (properties_have(&packet.properties, PROPERTY_AUTH_DATA))
		on_first(e, packet.properties.auth_data);
	else
		send_auth(e, SLICE_EMPTY); /* RFC 4422: an empty challenge asks for the first one */
}
