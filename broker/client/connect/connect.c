/* CONNECT at the worker that accepted the connection, and at the owner of its client id. */
#include "client/connect/connect.h"

#include "base/scratch.h"
#include "base/utf8.h"
#include "client/client_list.h"
#include "client/connect/auth_packets.h"
#include "client/connect/connect_accept.h"
#include "client/connect/connect_login.h"
#include "client/connect/connect_refuse.h"
#include "client/connect/waiting_connect.h"
#include "proto/packet_connect.h"
#include "session/trace.h"
#include "worker/shared.h"

static void trace_moved(const struct conn *c, const struct connect *packet, const struct worker *to)
{
	char peer[STREAM_PEER_TEXT];

	if (!trace_wants(c->link.worker, packet->client_id, packet->user_name))
		return;
	stream_peer_text(c->link.stream, peer, sizeof(peer));
	LOG(CONNECTION_MOVED, .client_id = packet->client_id, .peer = peer,
	    .worker = to->executor.index);
}

static void trace_connect(const struct conn *c, const struct connect *packet, size_t size_bytes)
{
	char peer[STREAM_PEER_TEXT];

	if (!trace_wants(c->link.worker, packet->client_id, packet->user_name))
		return;
	stream_peer_text(c->link.stream, peer, sizeof(peer));
	LOG(CONNECT_RECEIVED, .client_id = packet->client_id, .user = packet->user_name,
	    .peer = peer, .protocol_level = packet->level, .clean_start = packet->clean_start,
	    .keep_alive_s = packet->keep_alive_s, .will = packet->will.topic, .size = size_bytes);
}

static bool moves_to_owner(struct conn *c, const struct frame *f)
{
	struct connect packet UNINITIALIZED;
	struct worker *executor;

	if (!packet_connect_peek(f->body, &packet) || packet.client_id.len == 0)
		return false;
	executor = shared_owner_of(c->link.worker->shared, packet.client_id);
	if (executor == c->link.worker)
		return false;
	if (trace_is_on())
		trace_moved(c, &packet, executor);
	conn_move(c, executor);
	return true;
}

/* Control characters and noncharacters are Malformed (section 1.5.4). A user of an earlier version
 * may have such a name, and goes on working. */
static struct fault check_user_name(const struct conn *c, const struct connect *packet)
{
	const struct identity_source *source = c->link.worker->snapshot->identities;
	struct identity_entry entry;

	/* mutant: control_characters_in_user_names */
	if (utf8_is_name(packet->user_name) ||
	    identity_source_find(source, packet->user_name, &entry))
		return FAULT_NONE;
	return fault_of(REASON_MALFORMED, "the user name contains a control character or a "
	                                  "noncharacter of Unicode");
}

struct fault connect_handle(struct conn *c, const struct frame *f)
{
	struct connect packet UNINITIALIZED;
	struct fault fault;

	REQUIRE_OWNER(&c->link);
	if (moves_to_owner(c, f))
		return FAULT_NONE;
	if (!fault_is_none(fault = packet_connect_decode(f, &packet)) ||
	    !fault_is_none(fault = client_link_check_properties(&c->link, &packet.properties)) ||
	    !fault_is_none(fault =
	                       client_link_check_properties(&c->link, &packet.will.properties)) ||
	    !fault_is_none(fault = check_user_name(c, &packet)))
		return fault;
	if (trace_is_on())
		trace_connect(c, &packet, f->size_bytes);
	if (connect_refuse_elsewhere(c, &packet)) {
		waiting_connect_drop(c);
		return FAULT_NONE;
	}
	if (properties_have(&packet.properties, PROPERTY_AUTH_METHOD))
		return auth_packets_begin(c, f, &packet);
	c->arrival = ++c->link.worker->clients->next_arrival;
	if (c->is_inside) {
		c->snapshot_generation = c->link.worker->snapshot->generation;
		connect_accept(c, &packet, SLICE_EMPTY);
		waiting_connect_drop(c);
		return FAULT_NONE;
	}
	connect_login_start(c, &packet);
	return FAULT_NONE;
}
