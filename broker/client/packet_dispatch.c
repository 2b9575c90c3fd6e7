/* Bytes become packets, and packets go to their handlers. */
#include "client/packet_dispatch.h"

#include "base/array.h"
#include "base/clock.h"
#include "client/admission.h"
#include "client/client_list.h"
#include "client/conn_memory.h"
#include "client/connect/auth_packets.h"
#include "client/connect/connect.h"
#include "client/connect/connect_refuse.h"
#include "client/connect/waiting_connect.h"
#include "client/deferred_publish.h"
#include "client/input_drain.h"
#include "client/keep_alive.h"
#include "client/large_publish.h"
#include "client/yield.h"
#include "net/loop.h"
#include "proto/packet_disconnect.h"
#include "proto/packet_ping.h"
#include "proto/packet_publish.h"
#include "routing/dispatch.h"
#include "routing/local_delivery.h"
#include "routing/publish.h"
#include "routing/publish_match.h"
#include "session/inflight/inbound.h"
#include "session/inflight/pending_ack.h"
#include "session/inflight/session_acks.h"
#include "session/session.h"
#include "session/session_deliver.h"
#include "session/session_lifecycle.h"
#include "session/subscribe.h"
#include "session/subscribe_request.h"
#include "session/trace.h"

typedef struct fault frame_handler(struct client_link *link, const struct frame *f);

static struct fault on_pingreq(struct client_link *link, const struct frame *f)
{
	struct fault fault = packet_ping_decode(f);

	if (!fault_is_none(fault))
		return fault;
	pending_ack_ping(link); /* [MQTT-3.12.4-1] */
	return FAULT_NONE;
}

static struct fault on_disconnect(struct client_link *link, const struct frame *f)
{
	struct conn *c = conn_of(link);
	struct disconnect d;
	struct fault fault = packet_disconnect_decode(f, c->link.version, &d);
	struct session *s = c->link.session;

	if (!fault_is_none(fault))
		return fault;
	if (properties_have(&d.properties, PROPERTY_SESSION_EXPIRY)) {
		if (s->expiry_s == 0 && d.properties.session_expiry_s != 0)
			return fault_of(REASON_PROTOCOL_ERROR, /* section 3.14.2.2.2 */
			                "the Session Expiry Interval was 0 in CONNECT and cannot "
			                "be raised");
		session_lifecycle_set_expiry(s, d.properties.session_expiry_s,
		                             client_link_limits(&c->link));
	}
	/* Only 0x00 says that the will is not wanted. [MQTT5-3.14.4-3] [MQTT3-3.14.4-3] */
	/* mutant: will_after_disconnect */
	c->clean_disconnect = d.reason == REASON_SUCCESS;
	c->said_disconnect = true;
	conn_close_with(c, CLOSE_CLIENT, fault_of(d.reason, "the client sent DISCONNECT"),
	                SLICE_EMPTY);
	return FAULT_NONE;
}

/* [MQTT5-3.2.0-2] */
static struct fault on_second_connect(struct client_link *link, const struct frame *f)
{
	(void)link;
	(void)f;
	return fault_of(REASON_PROTOCOL_ERROR,
	                "the client sent a second CONNECT"); /* [MQTT-3.1.0-2] */
}

static frame_handler *const handlers[16] = {
    [PACKET_CONNECT] = on_second_connect,
    [PACKET_PUBLISH] = on_publish,
    [PACKET_PUBACK] = on_puback,
    [PACKET_PUBREC] = on_pubrec,
    [PACKET_PUBREL] = on_pubrel,
    [PACKET_PUBCOMP] = on_pubcomp,
    [PACKET_SUBSCRIBE] = on_subscribe,
    [PACKET_UNSUBSCRIBE] = on_unsubscribe,
    [PACKET_PINGREQ] = on_pingreq,
    [PACKET_DISCONNECT] = on_disconnect,
    [PACKET_AUTH] = on_auth,
};

/* The packet at hand is to be handled again. */
static bool is_under_way(const struct conn *c)
{
	return c->link.request != NULL || c->link.goes_on;
}

/* False: it is a PUBLISH that finds no space in the store, and nothing was done.
 * [MQTT3-4.8.0-1] [MQTT5-4.13.1-1] */
static bool handle_packet(struct conn *c, const struct frame *f, uint64_t received_ms)
{
	frame_handler *handler = handlers[f->type];
	struct worker *w = c->link.worker;
	struct fault fault;

	c->link.defers = c->link.goes_on = false;
	w->output->received_ms = received_ms;
	w->work++;
	count_packet_received(&w->counters, f->type, f->size_bytes);
	if (trace_is_on() && c->link.request == NULL)
		trace_received(&c->link, f);
	if (handler == NULL) {
		fault = fault_of(REASON_PROTOCOL_ERROR, "a client must not send this packet type");
	} else if (f->padded && c->link.version == MQTT_5_0) { /* [MQTT5-1.5.5-1] */
		fault =
		    fault_of(REASON_MALFORMED, "the Remaining Length is not in its shortest form");
	} else {
		if (f->type == PACKET_PUBLISH && c->link.match == NULL)
			keep_alive_spend_rate(c);
		fault = handler(&c->link, f);
	}
	if (c->link.match != NULL && !c->link.goes_on)
		publish_match_forget(&c->link);
	if (!fault_is_none(fault))
		conn_fail(c, fault);
	if (c->link.defers || is_under_way(c)) { /* it will be handled again */
		uncount(&w->counters.received_by_type[f->type], 1);
		uncount(&w->counters.received_bytes_by_type[f->type], f->size_bytes);
	}
	return !c->link.defers;
}

/* --- deferred packets --- */

/* Its turn for new packets does not matter: they have slices of their own. */
static bool may_go_on(const struct conn *c)
{
	return c->state == CONN_ACCEPTED && (c->link.pauses & ~(PAUSE_STORE | PAUSE_TURN)) == 0 &&
	       c->link.request == NULL && !c->link.limit.journal_full;
}

#define BYTES_PER_STEP 256 /* work of a turn (worker.h) */

/* How many bytes of them were handled. */
static size_t handle_deferred(struct conn *c, uint64_t until)
{
	struct slice in = buf_slice(c->deferred), left = in;

	while (left.len > 0 && may_go_on(c)) {
		struct deferred_publish p = deferred_publish_take(&in);

		/* mutant: deferred_lost */
		if (!handle_packet(c, &p.frame, p.received_ms))
			break;
		if (c->link.goes_on) {
			if (c->link.pauses == 0) /* else the caller goes on with it */
				yield_go_on(c);
			break;
		}
		/* To have one that is large in two places takes its time. */
		c->link.worker->work += p.frame.size_bytes / BYTES_PER_STEP;
		if (c->state == CONN_ACCEPTED)
			c->link.limit.deferred -= packet_publish_qos(&p.frame) > 0;
		left = in;
		if (c->link.worker->work >= until) /* one is always handled */
			break;
	}
	return c->deferred->len - left.len;
}

/* The one at hand is under way, and its connection's turn goes on with it. */
static bool is_yielded(const struct conn *c)
{
	/* mutant: deferred_match_for_ever */
	return c->link.match != NULL && (c->link.pauses & (PAUSE_STORE | PAUSE_TURN)) == PAUSE_TURN;
}

bool packet_dispatch_deferred(struct conn *c, uint64_t until)
{
	REQUIRE_OWNER(&c->link);
	if (c->deferred == NULL || !may_go_on(c) || is_yielded(c) ||
	    !client_link_is_admitted(&c->link))
		return false;
	deferred_publish_consume(c, handle_deferred(c, until));
	return c->deferred != NULL && !c->link.defers && may_go_on(c) && !is_yielded(c);
}

/* Before what came after them. */
static void continue_deferred(struct conn *c)
{
	struct worker *w = c->link.worker;
	bool more = packet_dispatch_deferred(c, w->work + w->turn_steps / 32 + 1);

	if (conn_waits(c))
		input_drain_apply(c);
	/* Its own turn does not go on with it when it waits for the store. */
	if (more || (c->deferred != NULL && c->link.match != NULL && !is_yielded(c)))
		w->clients->space_walk.again = true;
}

/* --- the share of a turn --- */

/* The share of a turn that a connection may use. The work that it causes is counted, and after
 * every LOOK_STEPS steps the clock is read too; between them a packet costs one
 * comparison. Every ASK_NS it is asked who waits: those who are about to be read are not let wait
 * longer, since they cause little as a rule; those that yielded are (yield.h), up to SHARE_NS.
 * While nobody waits it goes on, as long as a turn may be: what many of its messages write to one
 * reader is one write then. */
#define LOOK_STEPS 64
#define ASK_NS     UINT64_C(500000)
#define SHARE_NS   UINT64_C(2000000)
#define LONGEST_NS UINT64_C(4000000)

struct turn_share {
	uint64_t look, end;        /* worker->work */
	uint64_t begin_ns, ask_ns; /* 0: not looked yet */
};

static void look_later(const struct worker *w, struct turn_share *share)
{
	share->look = w->work + LOOK_STEPS;
	if (share->look > share->end)
		share->look = share->end;
}

static struct turn_share share_of(const struct worker *w)
{
	struct turn_share share = {.end = w->work + w->turn_steps};

	look_later(w, &share);
	return share;
}

static bool others_wait(const struct worker *w, uint64_t used_ns)
{
	if (w->loop == NULL || loop_is_awaited(w->loop))
		return true;
	return used_ns > SHARE_NS && (yield_is_pending(w) || dispatch_waits(w));
}

static bool share_is_used(const struct worker *w, struct turn_share *share)
{
	uint64_t now_ns;

	if (w->work >= share->end)
		return true;
	look_later(w, share);
	now_ns = clock_monotonic_ns();
	if (share->begin_ns == 0) {
		share->begin_ns = now_ns;
		share->ask_ns = now_ns + ASK_NS;
	}
	if (now_ns <= share->ask_ns)
		return false;
	share->ask_ns = now_ns + ASK_NS;
	return now_ns - share->begin_ns > LONGEST_NS || others_wait(w, now_ns - share->begin_ns);
}

/* What it has used, by the counted work and by the clock: kinds of packets differ. */
static void note_use(struct conn *c, const struct turn_share *share, uint64_t work)
{
	uint64_t ns = share->begin_ns == 0 ? 0 : clock_monotonic_ns() - share->begin_ns;

	yield_note_work(c, work, ns);
}

/* --- bytes --- */

static void refuse_frame(struct conn *c, enum frame_result status, const char *too_large)
{
	if (status == FRAME_MALFORMED)
		conn_fail(c, fault_of(REASON_MALFORMED, "the Remaining Length is not valid"));
	else if (status == FRAME_TOO_LARGE)
		conn_fail(c, fault_of(REASON_PACKET_TOO_LARGE, too_large));
}

/* Handle all complete packets and take them off *in. A request under way is handled again.
 * [MQTT3-3.1.4-5] [MQTT5-3.1.4-6] [MQTT5-3.2.2-15] */
static void handle_packets(struct conn *c, struct slice *in)
{
	size_t max = client_link_limits(&c->link)->max_packet_size;
	struct worker *w = c->link.worker;
	struct turn_share share = share_of(w);
	const uint64_t before = w->work;
	struct frame f;
	size_t needed;

	if (c->skip_left > 0)
		large_publish_skip(c, in);
	while (c->state == CONN_ACCEPTED && c->link.pauses == 0 && in->len > 0) {
		uint64_t now_ms = w->executor.now_ms;
		struct slice from = *in;
		enum frame_result status = frame_next(in, max, &f, &needed);

		if (status == FRAME_TOO_LARGE)
			status = large_publish_begin(c, in, &f);
		if (status != FRAME_COMPLETE) {
			refuse_frame(c, status, "the packet is larger than limits.max_packet_size");
			break;
		}
		stream_note_packet(c->link.stream);
		if (c->link.limit.drain == NULL || input_drain_admits(c, &f)) {
			/* mutant: deferred_overtaken */
			if (deferred_publish_waits_for(c, &f) || !handle_packet(c, &f, now_ms))
				deferred_publish_add(c, &f,
				                     slice_of(from.data, from.len - in->len));
			if (conn_waits(c))
				input_drain_apply(c);
		}
		if (c->link.request != NULL) {
			*in = from;
			yield_begin(c);
		} else if (c->link.goes_on) {
			*in = from;
			yield_go_on(c);
		} else if (/* mutant: turn_share */ w->work >= share.look &&
		           c->state == CONN_ACCEPTED && share_is_used(w, &share)) {
			yield_begin(c);
		}
	}
	note_use(c, &share, w->work - before);
}

/* Why something that is no CONNECT came first: what else speaks to this port. */
static const char *first_packet_cause(struct slice in)
{
#define HTTP                                                                                       \
	"the client sent HTTP, perhaps WebSocket (ws://, wss://); this listener is for MQTT "      \
	"itself: use mqtt:// or mqtts:// in the client, or the port of a listener with "           \
	"protocol: https"
	static const struct {
		struct slice start;
		const char *cause;
	} rows[] = {
	    {SLICE_INIT("GET "), HTTP},
	    {SLICE_INIT("POST"), HTTP},
	    {SLICE_INIT("HEAD"), HTTP},
	    {SLICE_INIT("OPTI"), HTTP},
	    {SLICE_INIT("CONN"), HTTP},
	    {SLICE_INIT("PRI "), HTTP},
	    {SLICE_INIT("PROX"), "a proxy sent a PROXY header, which is not expected here: set "
	                         "proxy_protocol: required and "
	                         "trusted for this listener, or let the proxy send none"},
	    {SLICE_INIT("\r\n\r\n"), "a proxy sent a PROXY header, which is not expected here: set "
	                             "proxy_protocol: required and "
	                             "trusted for this listener, or let the proxy send none"},
	    {SLICE_INIT("\x16\x03"),
	     "the client sent TLS where MQTT was expected: a Unix socket takes no TLS, and a port "
	     "takes one layer of it"},
	    {SLICE_INIT("SSH-"), "the client sent SSH"},
	};
#undef HTTP
	static const char *const by_type[16] = {
#define PACKET(id, type, flags) [PACKET_##id] = "the first packet was " #id ", not CONNECT",
#include "proto/packets.def"
#undef PACKET
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (slice_starts_with(in, rows[i].start))
			return rows[i].cause;
	}
	return in.data[0] >> 4 == PACKET_RESERVED ? "the first bytes of the client are not MQTT"
	                                          : by_type[in.data[0] >> 4];
}

/* Its version, which decides about the form of the CONNACK, stands in these first bytes. */
#define CONNECT_HEAD_BYTES 12

static void refuse_large_connect(struct conn *c)
{
	struct connect packet;

	/* mutant: large_connect_gets_connack */
	if (c->in.len >= CONNECT_HEAD_BYTES || waiting_connect_peek(c, &packet))
		connect_refuse_input(c, fault_of(REASON_PACKET_TOO_LARGE,
		                                 "CONNECT is larger than limits.max_connect_size"));
}

/* The first packet stays in the input until its login is decided: the connection may have to move,
 * or wait for a hash. [MQTT-3.1.0-1] */
static void handle_first(struct conn *c)
{
	struct slice in = buf_slice(&c->in);
	enum frame_result status;
	struct frame f;
	struct fault fault;
	size_t needed;

	if (c->link.pauses != 0)
		return;
	/* mutant: checked_when_connect_comes */
	if (!client_link_is_admitted(&c->link)) {
		admission_close(c);
		return;
	}
	if (c->in.data[0] >> 4 != PACKET_CONNECT || slice_starts_with(in, SLICE("\x16\x03"))) {
		conn_fail(c, fault_of(REASON_PROTOCOL_ERROR, first_packet_cause(in)));
		return;
	}
	status = frame_next(&in, client_link_limits(&c->link)->max_connect_size, &f, &needed);
	if (status == FRAME_TOO_LARGE) {
		refuse_large_connect(c);
		return;
	}
	if (status != FRAME_COMPLETE) {
		refuse_frame(c, status, "");
		return;
	}
	stream_note_packet(c->link.stream);
	half_open_progress(&c->opening->place, HALF_OPEN_CONNECT);
	fault = connect_handle(c, &f);
	if (!fault_is_none(fault))
		connect_refuse_input(c, fault);
}

/* A refused connection is not read any more; admission_turn closes it. */
static bool may_read(struct conn *c)
{
	if (c->state == CONN_CLOSING)
		return false;
	/* mutant: refused_is_not_read */
	if (c->state == CONN_NEW ||
	    client_link_is_admitted(&c->link)) /* handle_first checks it itself */
		return true;
	client_link_pause(&c->link, PAUSE_STOP);
	return false;
}

void packet_dispatch_continue(struct conn *c)
{
	const bool had_request = c->link.request != NULL;
	struct slice in;

	REQUIRE_OWNER(&c->link);
	if (!may_read(c))
		return;
	if (c->state == CONN_NEW && c->in.len > 0)
		handle_first(c);
	auth_packets_continue(c);
	continue_deferred(c);
	if (c->state == CONN_ACCEPTED && c->in.len > 0) {
		in = buf_slice(&c->in);
		handle_packets(c, &in);
		if (in.len < c->in.len)
			c->packet_ms = c->link.worker->executor.now_ms;
		buf_consume(&c->in, c->in.len - in.len);
		buf_trim(&c->in);
	}
	/* They were passed over while it was under way, and there may have been space. */
	if (had_request && c->link.request == NULL && c->deferred != NULL)
		c->link.worker->clients->space_walk.again = true;
	conn_memory_count(c);
}

static void take_bytes(struct conn *c, struct slice bytes)
{
	count_by(&c->link.worker->counters.bytes_received, bytes.len);
	c->link.bytes_in += bytes.len;
	c->link.heard_ms = c->link.worker->executor.now_ms;
	if (c->link.limit.drain != NULL)
		input_drain_heard(c);
	if (c->state != CONN_ACCEPTED || c->in.len > 0) {
		if (!conn_memory_add_input(c, bytes))
			return;
		/* What comes after CONNECT waits, unread as far as it can. */
		if (c->login != NULL)
			client_link_pause(&c->link, PAUSE_LOGIN);
		packet_dispatch_continue(c);
		return;
	}
	if (!yield_if_heavy(c))
		handle_packets(c, &bytes);
	if (c->state != CONN_CLOSING && bytes.len > 0) {
		c->packet_ms = c->link.heard_ms;
		(void)conn_memory_add_input(c, bytes);
	}
}

void packet_dispatch_on_bytes(void *arg, struct slice bytes)
{
	struct conn *c = arg;

	REQUIRE_OWNER(&c->link);
	if (!may_read(c))
		return;
	take_bytes(c, bytes);
	/* Before that, limits.max_connect_size bounds them. */
	if (c->state == CONN_ACCEPTED)
		keep_alive_spend_bytes(c, bytes.len);
}

void packet_dispatch_on_drained(void *arg)
{
	struct conn *c = arg;

	REQUIRE_OWNER(&c->link);
	conn_memory_count(c);
	if (c->state != CONN_ACCEPTED)
		return;
	conn_resume(c, PAUSE_OUTPUT);
	if (c->link.session != NULL && c->state == CONN_ACCEPTED) {
		session_deliver_waiting(c->link.session);
		session_deliver_wake_replay(c->link.session);
	}
}
