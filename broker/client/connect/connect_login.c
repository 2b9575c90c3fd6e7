/* A login by password, certificate or as anonymous: its answer is compared with the configuration
 * in force when it comes, not with that of its beginning. */
#include "client/connect/connect_login.h"

#include <stdlib.h>

#include "auth/login_request.h"
#include "base/alloc.h"
#include "base/scratch.h"
#include "client/admission.h"
#include "client/connect/connect_accept.h"
#include "client/connect/connect_refuse.h"
#include "client/connect/login_input.h"
#include "client/connect/waiting_connect.h"
#include "proto/packet_connect.h"
#include "session/session.h"
#include "session/trace.h"
#include "worker/shared.h"

/* A login under way. It outlives its connection until the answer arrives. */
struct login_wait {
	struct login_request request;
	struct conn *conn; /* NULL: it is freed */
	struct worker *worker;
	struct timer timer; /* until a failure may be reported */
	const char *refused_why;
	uint64_t since_ms;
	bool answered;
};

static void on_login_answer(struct login_request *request);
static void on_refuse_time(struct timer *timer, void *executor_arg);

static void login_wait_free(struct login_wait *wait)
{
	executor_timer_disarm(&wait->worker->executor, &wait->timer);
	login_request_fini(&wait->request);
	free(wait);
}

static void cancel(struct conn *c)
{
	struct login_wait *wait = c->login;

	c->login = NULL;
	c->attempt = NULL;
	wait->conn = NULL;
	if (wait->answered)
		login_wait_free(wait);
	else
		login_request_cancel(&wait->request);
}

static const struct login_attempt attempt = {.cancel = cancel};

/* Does this client have a session that was kept for it, if it is who it says? The same work for
 * every name. */
static bool has_session(struct conn *c, const struct connect *packet)
{
	struct worker *w = c->link.worker;
	struct identity_entry entry = {0};
	struct identity *id;
	struct session_key key;
	bool found;

	if (packet->client_id.len == 0 || packet->user_name.len == 0)
		return false;
	(void)identity_source_find(w->snapshot->identities, packet->user_name, &entry);
	id = identity_new(IDENTITY_PASSWORD, packet->user_name, entry.id, 0);
	key = session_key_of(id->key, packet->client_id);
	found = session_find(w, &key) != NULL;
	identity_unref(&id);
	return found;
}

static void trace_started(const struct conn *c, const struct connect *packet)
{
	char peer[STREAM_PEER_TEXT];

	if (!trace_wants(c->link.worker, packet->client_id, packet->user_name))
		return;
	stream_peer_text(c->link.stream, peer, sizeof(peer));
	LOG(LOGIN_STARTED, .client_id = packet->client_id, .user = packet->user_name, .peer = peer);
}

static void trace_decided(const struct conn *c, const struct connect *packet, const char *cause,
                          uint64_t since_ms)
{
	char peer[STREAM_PEER_TEXT];

	if (!trace_wants(c->link.worker, packet->client_id, packet->user_name))
		return;
	stream_peer_text(c->link.stream, peer, sizeof(peer));
	LOG(LOGIN_DECIDED, .client_id = packet->client_id, .user = packet->user_name, .peer = peer,
	    .accepted = cause == NULL, .cause = slice_of_str(cause),
	    .ms = c->link.worker->executor.now_ms - since_ms);
}

void connect_login_start(struct conn *c, const struct connect *packet)
{
	struct worker *w = c->link.worker;
	struct login_wait *wait = xnew(wait);
	const uint8_t *end = packet->body.data + packet->body.len;
	struct buf name = {0};
	struct login login;
	char address[STREAM_PEER_TEXT];
	size_t address_len = stream_peer_key_text(c->link.stream, address, sizeof(address));

	REQUIRE_OWNER(&c->link);
	REQUIRE(c->state == CONN_NEW && c->attempt == NULL);
	wait->conn = c;
	wait->worker = w;
	wait->since_ms = w->executor.now_ms;
	wait->timer.fire = on_refuse_time;
	wait->request.done = on_login_answer;
	wait->request.executor = &w->executor;
	wait->request.address = slice_of(address, address_len);
	c->snapshot_generation = w->snapshot->generation;
	c->state = CONN_AUTHENTICATING;
	c->login = wait;
	c->attempt = &attempt;
	executor_timer_disarm(&w->executor,
	                      &c->timer); /* waiting for the hash is not the client's fault (S2) */
	login_input_fill(c, packet, &name, &login);
	/* mutant: sessions_go_first */
	login.has_session = has_session(c, packet);
	if (trace_is_on())
		trace_started(c, packet);
	if (login_request_start(&wait->request, &login, w->shared->authenticator))
		on_login_answer(&wait->request);
	buf_fini(&name);
	if (c->login != NULL &&
	    /* mutant: closed_while_hashing */ end != c->in.data + c->in.len)
		client_link_pause(&c->link, PAUSE_LOGIN);
	/* else it is read on: a client that goes gives up its place in the queue of hashes. One
	 * that has sent more than CONNECT may have said all it wanted to say. */
}

static void end_wait(struct login_wait *wait)
{
	struct conn *c = wait->conn;
	enum login_verdict verdict = wait->request.verdict;
	const char *why = wait->request.why;
	uint64_t since_ms = wait->since_ms;
	enum login_method method = wait->request.method;
	struct connect packet UNINITIALIZED;

	REQUIRE(c != NULL && c->login == wait && c->state == CONN_AUTHENTICATING);

	if (wait->refused_why != NULL) {
		verdict = LOGIN_BAD_CREDENTIALS;
		why = wait->refused_why;
	} else {
		c->identity = wait->request.identity;
		wait->request.identity = NULL;
	}
	login_wait_free(wait);
	c->login = NULL;
	c->attempt = NULL;
	c->state = CONN_NEW;
	/* mutant: checked_when_the_hash_is_there */
	if (client_link_is_admitted(&c->link)) {
		waiting_connect_decode(c, &packet);
		login_input_count(c->link.worker, method, verdict);
		if (trace_is_on())
			trace_decided(c, &packet, verdict == LOGIN_ACCEPTED ? NULL : why, since_ms);
		if (verdict == LOGIN_ACCEPTED)
			connect_accept(c, &packet, SLICE_EMPTY);
		else
			connect_refuse_login(c, &packet, verdict, why);
	} else {
		admission_close(c);
	}
	waiting_connect_drop(c);
	if ((c->link.pauses & PAUSE_LOGIN) != 0)
		conn_resume(c, PAUSE_LOGIN);
}

static void on_refuse_time(struct timer *timer, void *executor_arg)
{
	(void)executor_arg;
	end_wait(container_of(timer, struct login_wait, timer));
}

static void on_login_answer(struct login_request *request)
{
	struct login_wait *wait = container_of(request, struct login_wait, request);
	struct executor *executor = &wait->worker->executor;
	struct conn *c = wait->conn;
	struct connect packet;
	const char *why;
	bool refused;

	REQUIRE_EXECUTOR(executor);
	REQUIRE(!wait->answered);
	wait->answered = true;
	if (c == NULL) {
		login_wait_free(wait);
		return;
	}
	/* A configuration may have come into force while the login was under way. */
	if (request->verdict == LOGIN_ACCEPTED && client_link_is_admitted(&c->link) &&
	    c->snapshot_generation != c->link.worker->snapshot->generation) {
		waiting_connect_decode(c, &packet);
		if (!login_input_still_valid(c, &packet, request->identity, c->snapshot_generation,
		                             &why))
			wait->refused_why = why;
	}
	refused = request->verdict != LOGIN_ACCEPTED || wait->refused_why != NULL;
	/* A password that was known to be wrong is refused as late as any other, and so is a right
	 * one of a user who was locked meanwhile. */
	/* mutant: locked_while_hashing_fails_as_late */
	if (refused && request->refuse_at_ms > executor->now_ms)
		timer_arm(&executor->timers, &wait->timer, wait->request.refuse_at_ms);
	else
		end_wait(wait);
}
