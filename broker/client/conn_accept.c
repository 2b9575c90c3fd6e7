/* A connection comes to a worker: from a listener, or from the worker that accepted it. */
#include "client/conn_accept.h"

#include "base/alloc.h"
#include "base/list.h"
#include "client/admission.h"
#include "client/certificate_end.h"
#include "client/client_list.h"
#include "client/conn_memory.h"
#include "client/conn_teardown.h"
#include "client/connect/waiting_connect.h"
#include "client/half_open_places.h"
#include "client/keep_alive.h"
#include "client/packet_dispatch.h"
#include "client/space_walk.h"
#include "client/yield.h"
#include "session/link_output.h"
#include "session/trace.h"
#include "worker/shared.h"

static void trace_accepted(const struct conn *c)
{
	char peer[STREAM_PEER_TEXT];

	if (!trace_wants(c->link.worker, SLICE_EMPTY, SLICE_EMPTY))
		return;
	stream_peer_text(c->link.stream, peer, sizeof(peer));
	LOG(CONNECTION_ACCEPTED, .peer = peer, .listener = conn_listener_name(c));
}

static void trace_tls(const struct conn *c)
{
	char peer[STREAM_PEER_TEXT];
	struct buf certificate = {0};

	if (!trace_wants(c->link.worker, SLICE_EMPTY, SLICE_EMPTY))
		return;
	stream_peer_text(c->link.stream, peer, sizeof(peer));
	stream_certificate_subject(c->link.stream, &certificate);
	LOG(TLS_ESTABLISHED, .peer = peer, .listener = conn_listener_name(c),
	    .tls = stream_tls_version(c->link.stream), .sni = stream_server_name(c->link.stream),
	    .certificate = buf_slice(&certificate));
	buf_fini(&certificate);
}

/* Progress counts for the places before CONNACK. */
static void on_stage(void *arg, enum stream_stage stage)
{
	struct conn *c = arg;

	if (trace_is_on() && stage == STREAM_STAGE_DONE)
		trace_tls(c);
	if (c->opening == NULL)
		return;
	half_open_progress(&c->opening->place,
	                   stage == STREAM_STAGE_HELLO ? HALF_OPEN_HELLO : HALF_OPEN_HANDSHAKE);
}

static const struct stream_events events = {
    .on_bytes = packet_dispatch_on_bytes,
    .on_stage = on_stage,
    .on_drained = packet_dispatch_on_drained,
    .on_closed = conn_teardown_on_closed,
};

static const struct conn_ops ops = {
    .go_on = packet_dispatch_continue,
    .close = conn_teardown_close,
    .peek_connect = waiting_connect_peek,
};

static void displace(struct half_open_place *place)
{
	conn_close(container_of(place, struct conn_opening, place)->conn, CLOSE_DISPLACED);
}

void conn_accept_init(struct worker *w)
{
	REQUIRE_EXECUTOR(&w->executor);
	w->clients->conn_ops = &ops;
}

/* It has a place, and is counted by its address. */
static struct conn *begin_conn(struct worker *w, struct stream *stream, uint64_t accepted_ms)
{
	const struct conf_listener *l = worker_listener(w, stream_listener(stream));
	struct conn *c = xnew(c);

	c->opening = xnew(c->opening);
	c->opening->conn = c;
	c->heavy_until_ms = HEAVY_NEW;
	c->address_counted = stream_has_address(stream);
	c->link.worker = w;
	c->link.stream = stream;
	c->link.pending_acks_tail = &c->link.pending_acks;
	c->link.version = MQTT_3_1_1;
	c->link.max_packet_bytes = UINT32_MAX;
	c->timer.fire = keep_alive_on_timer;
	conn_memory_begin(c);
	c->opening->place.displace = displace;
	c->opening->place.accepted_ms = accepted_ms;
	half_open_places_enter(w, &c->opening->place, stream, half_open_places_stage(stream));
	DL_APPEND(w->clients->conns, c);
	c->since_ms = accepted_ms;
	c->opening->deadline_ms = accepted_ms + l->limits.connect_timeout_ms;
	timer_arm(&w->executor.timers, &c->timer, c->opening->deadline_ms);
	if (trace_is_on())
		trace_accepted(c);
	stream_attach(stream, w->loop, &events, c);
	return c;
}

void conn_accept(struct worker *w, struct stream *stream)
{
	REQUIRE_EXECUTOR(&w->executor);
	if (!half_open_places_admit(w, stream)) {
		stream_discard(stream);
		return;
	}
	count(&w->counters.connections_total);
	(void)begin_conn(w, stream, half_open_places_since(w, stream));
}

void conn_accept_upgraded(struct worker *w, struct stream *stream, uint64_t accepted_ms)
{
	REQUIRE_EXECUTOR(&w->executor);
	(void)begin_conn(w, stream, accepted_ms);
}

const struct conn *conn_accept_inside(struct worker *w, struct stream *stream,
                                      struct identity *identity)
{
	struct conn *c;

	REQUIRE_EXECUTOR(&w->executor);
	c = begin_conn(w, stream, w->executor.now_ms);
	c->is_inside = true;
	c->address_counted = false;
	c->identity = identity_ref(identity);
	return c;
}

static void on_arrival(struct task *task, void *executor_arg)
{
	struct conn *c = container_of(task, struct conn_opening, task)->conn;
	struct worker *w = executor_arg;
	bool has_space;

	REQUIRE(c->link.worker == w);
	conn_memory_resume(c);
	has_space = half_open_places_make(w, c->link.stream, HALF_OPEN_CONNECT);
	DL_APPEND(w->clients->conns, c);
	half_open_places_enter(w, &c->opening->place, c->link.stream, HALF_OPEN_CONNECT);
	timer_arm(&w->executor.timers, &c->timer, c->opening->deadline_ms);
	stream_attach(c->link.stream, w->loop, &events, c);
	if (w->stopping)
		conn_close(c, CLOSE_STOPPING);
	else if (!has_space)
		conn_close(c, CLOSE_NO_PLACE);
	else if (/* mutant: older_configuration_waits */ c->link.admitted_by <=
	         w->snapshot->generation)
		conn_resume(c, PAUSE_MOVE);
	/* else the older configuration here must not decide: conn_arrive */
}

void conn_accept_at_owner(struct conn *c)
{
	struct worker *w = c->link.worker, *executor = c->opening->moving_to;

	REQUIRE_OWNER(&c->link);
	c->opening->moving_to = NULL;
	if (c->state != CONN_NEW)
		return;
	REQUIRE(!c->link.dirty && c->link.session == NULL && c->link.pending_acks == NULL);
	executor_timer_disarm(&w->executor, &c->timer);
	admission_forget(c);
	certificate_end_forget(c);
	half_open_places_leave(w, &c->opening->place);
	space_walk_forget(c);
	DL_DELETE(w->clients->conns, c);
	link_output_drop(&c->link);
	conn_memory_suspend(c);
	stream_detach(c->link.stream);
	c->link.worker = executor;
	c->opening->task.run = on_arrival;
	executor_send(&executor->executor, &c->opening->task);
}
