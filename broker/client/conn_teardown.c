/* A connection is taken apart: first what it has in other units, then the stream, then itself. */
#include "client/conn_teardown.h"

#include <stdlib.h>

#include "base/list.h"
#include "client/admission.h"
#include "client/certificate_end.h"
#include "client/client_list.h"
#include "client/conn_memory.h"
#include "client/connection_limits.h"
#include "client/deferred_close.h"
#include "client/deferred_publish.h"
#include "client/half_open_places.h"
#include "client/input_drain.h"
#include "client/space_walk.h"
#include "client/yield.h"
#include "routing/publish_match.h"
#include "session/inflight/pending_ack.h"
#include "session/link_output.h"
#include "session/session.h"
#include "session/session_lifecycle.h"
#include "session/session_upcalls.h"
#include "session/session_user.h"
#include "session/subscribe_request.h"
#include "worker/shared.h"

#define FLUSH_MS 2000

void conn_teardown_close(struct conn *c, bool stream_gone)
{
	struct shared *shared = c->link.worker->shared;
	struct session *session = c->link.session;

	REQUIRE_OWNER(&c->link);
	REQUIRE(c->state != CONN_CLOSING);
	c->state = CONN_CLOSING;
	c->link.accepted = false;
	executor_timer_disarm(&c->link.worker->executor, &c->timer);
	if (c->attempt != NULL)
		c->attempt->cancel(c);
	REQUIRE(c->attempt == NULL && c->login == NULL && c->auth_exchange == NULL);
	subscribe_request_forget(&c->link);
	publish_match_forget(&c->link);
	c->link.worker->upcalls->on_link_ends(&c->link);
	pending_acks_forget(&c->link);
	yield_forget(c);
	input_drain_forget(c);
	connection_limits_give_user(c);
	if (c->opening != NULL)
		half_open_places_leave(c->link.worker, &c->opening->place);
	if (c->counted) {
		atomic_fetch_sub(&shared->connections, 1);
		connection_limits_end_client(c);
	}
	c->counted = false;
	c->link.session = NULL;
	if (session != NULL) {
		REQUIRE(session->link == &c->link);
		session->link = NULL;
		if (session_lifecycle_detach(session, !c->clean_disconnect))
			(void)session_user_check(session); /* not while it had a client */
	}
	/* The stream is last: what the others still wrote goes out first. */
	if (stream_gone)
		return;
	link_output_close(&c->link);
	if (!deferred_close_begin(c, FLUSH_MS))
		stream_close(c->link.stream, FLUSH_MS);
}

static void free_conn(struct conn *c)
{
	struct worker *w = c->link.worker;

	REQUIRE(c->state == CONN_CLOSING && c->link.session == NULL && !c->counted &&
	        !c->user_counted && (c->opening == NULL || c->opening->place.address == NULL) &&
	        !c->yielded);
	admission_forget(c);
	certificate_end_forget(c);
	space_walk_forget(c);
	DL_DELETE(w->clients->conns, c);
	if (c->link.dirty)
		LL_DELETE2(w->output->dirty, &c->link, next_dirty);
	if (c->link.in_review)
		LL_DELETE2(w->output->review, &c->link, next_review);
	if (c->opening != NULL && c->opening->moving_to != NULL)
		LL_DELETE2(w->clients->leaving, c->opening, next_leaving);
	free(c->opening);
	deferred_close_forget(c);
	if (c->address_counted)
		connection_limits_give_address(w, c->link.stream);
	conn_memory_end(c);
	buf_fini_secret(&c->in); /* a CONNECT that was never complete */
	deferred_publish_free(c);
	client_link_forget_pauses(&c->link);
	link_output_drop(&c->link);
	topic_alias_fini(&c->link.aliases);
	topic_alias_fini(&c->link.aliases_out);
	identity_unref(&c->identity);
	free(c);
	client_list_check_empty(w);
}

void conn_teardown_on_closed(void *arg, enum stream_end end)
{
	static const enum close_reason reasons[] = {[STREAM_END_PEER] = CLOSE_PEER,
	                                            [STREAM_END_RESET] = CLOSE_RESET,
	                                            [STREAM_END_TLS] = CLOSE_TLS,
	                                            [STREAM_END_LOCAL] = CLOSE_LOCAL,
	                                            [STREAM_END_WEBSOCKET] = CLOSE_WEBSOCKET};
	struct conn *c = arg;
	struct fault fault = FAULT_NONE;

	REQUIRE_OWNER(&c->link);
	if (end == STREAM_END_WEBSOCKET)
		fault = fault_of(REASON_PROTOCOL_ERROR, stream_end_cause(c->link.stream));
	conn_close_with(c, reasons[end], fault, SLICE_EMPTY);
	free_conn(c);
}
