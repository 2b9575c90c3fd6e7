/* What is read while an exchange is under way, and what begins one. */
#include "client/connect/auth_packets.h"

#include "auth/scram.h"
#include "base/crypto.h"
#include "client/client_list.h"
#include "client/connect/auth_exchange.h"
#include "proto/packet_connect.h"
#include "proto/packet_disconnect.h"
#include "session/inflight/pending_ack.h"
#include "worker/shared.h"

#define OTHER_METHOD "the Authentication Method is not that of CONNECT"

/* --- before CONNACK --- */

/* There is a password or a proof in it. */
static void drop_packet(struct conn *c, size_t size_bytes)
{
	/* mutant: password_beside_scram_is_wiped */
	crypto_wipe(c->in.data, size_bytes);
	buf_consume(&c->in, size_bytes);
	if (c->in.len == 0)
		buf_fini(&c->in);
}

struct fault auth_packets_begin(struct conn *c, const struct frame *f, const struct connect *packet)
{
	const struct properties *p = &packet->properties;
	struct worker *w = c->link.worker;

	REQUIRE_OWNER(&c->link);
	if (!slice_equal(p->auth_method, SCRAM_METHOD) ||
	    !identity_source_has_scram(w->snapshot->identities))
		return fault_of(REASON_BAD_AUTHENTICATION_METHOD, /* [MQTT5-4.12.0-1] */
		                "the Authentication Method is not SCRAM-SHA-256, or no user has a "
		                "verifier for it");
	if (properties_have(p, PROPERTY_MAXIMUM_PACKET_SIZE))
		c->link.max_packet_bytes = p->max_packet_bytes;
	c->arrival = ++w->clients->next_arrival;
	c->state = CONN_AUTHENTICATING;
	executor_timer_disarm(&w->executor, &c->timer);
	auth_exchange_start(c, slice_of(c->in.data, f->size_bytes));
	drop_packet(c, f->size_bytes);
	auth_exchange_begin(c);
	return FAULT_NONE;
}

static struct fault on_early_auth(struct conn *c, const struct frame *f)
{
	struct auth auth;
	struct fault fault = packet_auth_decode(f, &auth);

	if (!fault_is_none(fault))
		return fault;
	if (auth.reason != REASON_CONTINUE_AUTHENTICATION) /* [MQTT5-4.12.0-3] */
		return fault_of(REASON_PROTOCOL_ERROR,
		                "the reason code of AUTH is not Continue authentication");
	if (!slice_equal(auth.properties.auth_method, SCRAM_METHOD)) /* [MQTT5-4.12.0-5] */
		return fault_of(REASON_BAD_AUTHENTICATION_METHOD, OTHER_METHOD);
	return auth_exchange_take(c, &auth);
}

/* Only AUTH and DISCONNECT may come before CONNACK. [MQTT5-3.1.2-30] */
static void on_early_packet(struct conn *c, const struct frame *f)
{
	struct fault fault =
	    fault_of(REASON_PROTOCOL_ERROR, "only AUTH and DISCONNECT may come before CONNACK");
	struct disconnect d;

	count_packet_received(&c->link.worker->counters, f->type, f->size_bytes);
	if (f->padded) { /* [MQTT5-1.5.5-1] */
		auth_exchange_fail(c, fault_of(REASON_MALFORMED,
		                               "the Remaining Length is not in its shortest form"));
		return;
	}
	if (f->type == PACKET_DISCONNECT) {
		fault = packet_disconnect_decode(f, MQTT_5_0, &d);
		if (fault_is_none(fault))
			conn_close_with(c, CLOSE_CLIENT,
			                fault_of(d.reason, "the client sent DISCONNECT"),
			                SLICE_EMPTY);
		else
			conn_fail(c, fault);
		return;
	}
	if (f->type == PACKET_AUTH)
		fault = on_early_auth(c, f);
	if (!fault_is_none(fault))
		auth_exchange_fail(c, fault);
}

void auth_packets_continue(struct conn *c)
{
	struct frame f;
	size_t needed;

	REQUIRE_OWNER(&c->link);
	while (c->auth_exchange != NULL && c->state == CONN_AUTHENTICATING && c->in.len > 0) {
		struct slice in = buf_slice(&c->in);

		switch (
		    frame_next(&in, client_link_limits(&c->link)->max_connect_size, &f, &needed)) {
		case FRAME_COMPLETE:
			stream_note_packet(c->link.stream);
			on_early_packet(c, &f);
			drop_packet(c, f.size_bytes);
			break;
		case FRAME_INCOMPLETE:
			return;
		case FRAME_MALFORMED:
			auth_exchange_fail(
			    c, fault_of(REASON_MALFORMED, "the Remaining Length is not valid"));
			return;
		case FRAME_TOO_LARGE:
			auth_exchange_fail(c,
			                   fault_of(REASON_PACKET_TOO_LARGE,
			                            "AUTH is larger than limits.max_connect_size"));
			return;
		}
	}
}

/* --- after CONNACK --- */

struct fault on_auth(struct client_link *link, const struct frame *f)
{
	struct conn *c = conn_of(link);
	struct auth auth;
	struct fault fault;

	REQUIRE_OWNER(link);
	/* 3.1.1 has no such packet; without a method nobody may send one. [MQTT5-4.12.0-7] */
	if (!c->enhanced || !pending_ack_has_connack(&c->link))
		return fault_of(REASON_PROTOCOL_ERROR,
		                "AUTH is only for clients that connected with an Authentication "
		                "Method");
	if (!fault_is_none(fault = packet_auth_decode(f, &auth)))
		return fault;
	if (!slice_equal(auth.properties.auth_method, SCRAM_METHOD)) /* [MQTT5-4.12.1-1] */
		return fault_of(REASON_PROTOCOL_ERROR, OTHER_METHOD);
	if (auth.reason !=
	    (c->auth_exchange == NULL ? REASON_REAUTHENTICATE : REASON_CONTINUE_AUTHENTICATION))
		return fault_of(REASON_PROTOCOL_ERROR,
		                "the reason code of AUTH does not fit the state of the exchange");
	if (c->auth_exchange == NULL)
		auth_exchange_start(c, SLICE_EMPTY);
	return auth_exchange_take(c, &auth);
}
