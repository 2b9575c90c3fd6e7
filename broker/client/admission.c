/* Checks connections again and closes those that are refused. Checking a certificate costs a
 * thousand times as much as a lookup in the password file, and a close costs a TLS record and a
 * line of the log: so a turn has a budget of such costs. */
#include "client/admission.h"

#include "client/client_list.h"
#include "client/connect/connect_refuse.h"
#include "client/connect/login_input.h"
#include "net/listener_gate.h"
#include "proto/packet_connect.h"
#include "routing/publish.h"
#include "session/inflight/pending_ack.h"
#include "session/session_lifecycle.h"
#include "session/session_report.h"
#include "session/session_user.h"
#include "worker/publish_access.h"
#include "worker/shared.h"

/* What a turn may cost: about a millisecond. */
/* mutant: closing_is_spread */
#define TURN_COST        1000
#define COST_CHECK       1
#define COST_CERTIFICATE 100
#define COST_CLOSE       50
#define COST_WILL        10

/* The codes of a refusal: in a CONNACK, and in a DISCONNECT after it. */
struct ending {
	enum reason connack, disconnect;
	struct slice server_reference;
};

/* No CONNACK has a code for the TLS version: it is closed without one. */
static const struct ending endings[] = {
    [REFUSED_LISTENER] = {.connack = REASON_SERVER_UNAVAILABLE,
                          .disconnect = REASON_SERVER_SHUTTING_DOWN},
    [REFUSED_ADDRESS] = {.connack = REASON_NOT_AUTHORIZED, .disconnect = REASON_NOT_AUTHORIZED},
    [REFUSED_TLS_VERSION] = {.connack = REASON_OK, .disconnect = REASON_ADMINISTRATIVE_ACTION},
    [REFUSED_CERTIFICATE] = {.connack = REASON_NOT_AUTHORIZED, .disconnect = REASON_NOT_AUTHORIZED},
    [REFUSED_ANONYMOUS] = {.connack = REASON_NOT_AUTHORIZED, .disconnect = REASON_NOT_AUTHORIZED},
    [REFUSED_CREDENTIALS] = {.connack = REASON_BAD_USER_NAME_OR_PASSWORD,
                             .disconnect = REASON_NOT_AUTHORIZED},
    [REFUSED_ELSEWHERE] = {.connack = REASON_USE_ANOTHER_SERVER,
                           .disconnect = REASON_USE_ANOTHER_SERVER},
};

/* --- the check --- */

static enum refusal check_login(struct conn *c, const struct conf_listener *l)
{
	struct identity *id = c->link.session->identity;
	struct connect packet = {.client_id = session_client_id(c->link.session)};
	struct buf name = {0};
	struct login now;
	bool valid;

	login_input_fill(c, &packet, &name, &now);
	valid = login_still_valid(id, &now, &c->refused_why);
	buf_fini(&name);
	if (!valid && now.certificate_required && !now.has_certificate)
		return REFUSED_CERTIFICATE;
	if (!valid)
		return identity_has_no_login(id) ? REFUSED_ANONYMOUS : REFUSED_CREDENTIALS;
	if (l->server_reference == NULL)
		return REFUSED_NOT;
	c->refused_why = "clients of this listener are referred to its server_reference";
	return REFUSED_ELSEWHERE;
}

/* By what is known of the connection. *all: nothing more will become known by itself. */
static enum refusal check_conn(struct conn *c, bool *all)
{
	const struct config_snapshot *snapshot = c->link.worker->snapshot;
	unsigned slot = stream_listener(c->link.stream);
	const struct conf_listener *l = config_snapshot_listener(snapshot, slot);

	*all = true;
	if (l == NULL) {
		c->refused_why = "the listener was removed from the configuration";
		return REFUSED_LISTENER;
	}
	c->refused_why = listener_gate_refusal(c->link.stream, l);
	if (c->refused_why != NULL)
		return REFUSED_ADDRESS;
	switch (stream_fits(c->link.stream, snapshot->tls[snapshot->slots[slot]],
	                    c->state == CONN_ACCEPTED, &c->refused_why)) {
	case STREAM_NOT_READY:
		*all = false;
		return REFUSED_NOT;
	case STREAM_VERSION_TOO_OLD:
		return REFUSED_TLS_VERSION;
	case STREAM_CERTIFICATE_BAD:
		/* mutant: revocation_on_reload */
		return REFUSED_CERTIFICATE;
	case STREAM_FITS:
		break;
	}
	return c->state == CONN_ACCEPTED ? check_login(c, l) : REFUSED_NOT;
}

bool admission_check(struct client_link *link)
{
	struct conn *c = conn_of(link);
	bool all;

	REQUIRE_OWNER(link);
	if (c->refusal != REFUSED_NOT || c->state == CONN_CLOSING)
		return false;
	c->refusal = check_conn(c, &all);
	if (c->refusal == REFUSED_NOT && all)
		c->link.admitted_by = c->link.worker->snapshot->generation;
	return c->refusal == REFUSED_NOT;
}

/* --- the close --- */

void admission_close(struct conn *c)
{
	const struct conf_listener *l =
	    config_snapshot_listener(c->link.worker->snapshot, stream_listener(c->link.stream));
	struct ending e = endings[c->refusal];
	struct fault connack;

	REQUIRE_OWNER(&c->link);
	if (c->state == CONN_CLOSING)
		return;
	REQUIRE(c->refusal != REFUSED_NOT && c->refused_why != NULL);
	if (c->refusal == REFUSED_ELSEWHERE && l != NULL) {
		e.server_reference = slice_of_str(l->server_reference);
		if (l->server_moved)
			e.connack = e.disconnect = REASON_SERVER_MOVED;
	}
	connack = fault_of(e.connack, c->refused_why);
	if (pending_ack_has_connack(&c->link) || e.connack == REASON_OK ||
	    !connect_refuse_waiting(c, connack, e.server_reference))
		conn_close_with(c, CLOSE_NOT_ADMITTED, fault_of(e.disconnect, c->refused_why),
		                e.server_reference);
}

/* --- all connections, some in each turn --- */

void admission_start(struct worker *w, admission_done_fn *done, void *arg)
{
	REQUIRE_EXECUTOR(&w->executor);
	if (w->clients->admission.done != NULL)
		w->clients->admission.done(w->clients->admission.arg);
	w->clients->admission =
	    (struct admission){.next = w->clients->conns, .done = done, .arg = arg};
	w->sessions->next_to_check = w->sessions->all;
}

void admission_forget(struct conn *c)
{
	struct admission *a = &c->link.worker->clients->admission;

	REQUIRE_OWNER(&c->link);
	if (a->next == c)
		a->next = c->next;
}

/* Both return what it cost. */

static unsigned review_conn(struct conn *c)
{
	unsigned cost = stream_has_certificate(c->link.stream) ? COST_CERTIFICATE : COST_CHECK;

	if (client_link_is_admitted(&c->link)) {
		conn_arrive(c);
		return cost;
	}
	admission_close(c);
	return cost + COST_CLOSE;
}

static unsigned review_session(struct session *s)
{
	/* A will that the rules deny now is logged now; it stays, because the rules may change
	 * again before it is published. */
	struct acl_request request;
	struct acl_verdict verdict;

	if (!session_user_check(s))
		return COST_CLOSE;
	if (s->will == NULL)
		return COST_CHECK;
	request = publish_access_request(ACL_WILL, s->will->msg);
	verdict = acl_check(session_subject(s), &request);
	if (!verdict.allowed)
		session_report_denial(s, DENIAL_WILL, msg_topic(s->will->msg), &verdict);
	return COST_WILL;
}

bool admission_turn(struct worker *w)
{
	struct admission *a = &w->clients->admission;
	unsigned spent = 0;
	struct admission over;

	REQUIRE_EXECUTOR(&w->executor);
	if (a->done == NULL)
		return false;
	while (a->next != NULL && spent < TURN_COST && !w->stopping) {
		struct conn *c = a->next;

		a->next = c->next;
		spent += review_conn(c);
	}
	while (w->sessions->next_to_check != NULL && spent < TURN_COST && !w->stopping) {
		struct session *s = w->sessions->next_to_check;

		w->sessions->next_to_check = s->list_next;
		spent += review_session(s);
	}
	if ((a->next != NULL || w->sessions->next_to_check != NULL) && !w->stopping)
		return true;
	over = *a;
	*a = (struct admission){0};
	w->sessions->next_to_check = NULL;
	over.done(over.arg);
	return false;
}
