/* After the login: limits, will, session, CONNACK. */
#include "client/connect/connect_accept.h"

#include <stdio.h>
#include <stdlib.h>

#include "auth/scram.h"
#include "base/random.h"
#include "base/utf8.h"
#include "client/certificate_end.h"
#include "client/client_list.h"
#include "client/conn_memory.h"
#include "client/connect/connect_refuse.h"
#include "client/connect/connect_session.h"
#include "client/connect/connect_will.h"
#include "client/connection_limits.h"
#include "client/half_open_places.h"
#include "client/keep_alive.h"
#include "proto/packet_connack.h"
#include "proto/packet_connect.h"
#include "session/disk_queue.h"
#include "session/inflight/pending_ack.h"
#include "session/session_deliver.h"
#include "session/session_lifecycle.h"
#include "session/trace.h"
#include "session/will.h"
#include "worker/shared.h"

/* What a client is given at most; more would cost memory and a longer search. */
#define ALIASES_OUT_MAX 16

/* [MQTT5-3.2.2-22] [MQTT5-4.9.0-1] */
static void take_properties(struct conn *c, const struct connect *packet)
{
	const struct conf_limits *limits = client_link_limits(&c->link);
	const struct properties *p = &packet->properties;

	c->link.version = packet->version;
	c->keep_alive_s = packet->keep_alive_s;
	if (limits->max_keepalive_s > 0 && !c->is_inside && packet->version == MQTT_5_0 &&
	    (c->keep_alive_s == 0 || c->keep_alive_s > limits->max_keepalive_s))
		c->keep_alive_s = limits->max_keepalive_s; /* [MQTT5-3.1.2-21] */
	c->server_keep_alive = c->keep_alive_s != packet->keep_alive_s;
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

	packet_connack_encode(&bytes, &ack);
	if (bytes.len > c->link.max_packet_bytes) { /* [MQTT5-3.1.2-24] */
		buf_fini(&bytes);
		c->clean_disconnect = true; /* it was never accepted */
		conn_close(c, CLOSE_CONNACK_TOO_LARGE);
		return;
	}
	pending_ack = pending_ack_packet(&c->link, PACKET_CONNACK, &bytes);
	session_lifecycle_commit(s, &pending_ack);
}

/* Of those who sent no password, what they are named by. */
static struct slice special_login(const struct identity *id)
{
	if (id->kind == IDENTITY_PEER)
		return SLICE("peer_users");
	return id->kind == IDENTITY_ASSUMED ? SLICE("assume_user") : SLICE_EMPTY;
}

static void log_connected(struct conn *c, const struct connect *packet, bool present)
{
	char peer[STREAM_PEER_TEXT];

	stream_peer_text(c->link.stream, peer, sizeof(peer));
	if (c->is_inside) /* each request would be one */
		return;
	LOG(CLIENT_CONNECTED, .client_id = session_client_id(c->link.session),
	    .user = session_user(c->link.session), .peer = peer,
	    .version = c->link.version == MQTT_5_0 ? "5.0" : "3.1.1",
	    .clean_start = packet->clean_start, .session_present = present,
	    .keep_alive_s = c->keep_alive_s, .tls = stream_tls_version(c->link.stream),
	    .login = special_login(c->link.session->identity));
}

static void go_live(struct conn *c, const struct connect *packet)
{
	struct worker *w = c->link.worker;

	REQUIRE(c->link.session != NULL && c->attempt == NULL && !c->counted);
	c->state = CONN_ACCEPTED;
	c->link.accepted = true;
	half_open_places_leave(c->link.worker, &c->opening->place);
	REQUIRE(c->opening->moving_to == NULL);
	free(c->opening);
	c->opening = NULL;
	if (!c->is_inside) {
		c->counted = true;
		shared_count_connection(w->shared);
		count(&w->counters.clients_accepted);
		count_by(&w->counters.received_bytes_by_type[PACKET_CONNECT],
		         1 + varint_size((uint32_t)packet->body.len) + packet->body.len);
		connection_limits_begin_client(c);
		latency_count(w->counters.connect_ms, w->executor.now_ms - c->since_ms);
	}
	c->since_ms = w->executor.now_ms;
	keep_alive_begin(c);
}

static bool connections_full(struct conn *c)
{
	struct shared *shared = c->link.worker->shared;
	unsigned index = stream_listener(c->link.stream);
	const struct conf_listener *l = worker_listener(c->link.worker, index);

	if (atomic_load(&shared->connections) >= c->link.worker->snapshot->conf->limits.connections)
		return true;
	return l->own_connections &&
	       atomic_load(&shared->listeners[index].clients) >= l->limits.connections;
}

/* A prefix and 128 random bits, drawn again until this worker is the owner. [MQTT-3.1.3-6]
 * [MQTT5-3.1.3-7] [MQTT5-3.2.2-16] */
static size_t assign_client_id(struct worker *w, const char *prefix, char out[48])
{
	int n;

	do {
		n = snprintf(out, 48, "%s%016llx%016llx", prefix, (unsigned long long)random_u64(),
		             (unsigned long long)random_u64());
	} while (shared_owner_of(w->shared, slice_of(out, (size_t)n)) != w);
	return (size_t)n;
}

static void trace_attached(const struct session *s, bool present)
{
	if (trace_wants_session(s))
		LOG(SESSION_ATTACHED, .client_id = session_client_id(s), .user = session_user(s),
		    .session_present = present, .subscriptions = s->subscriptions.count,
		    .queued = s->waiting.count + disk_queue_count(s), .in_flight = s->sent.count);
}

static void on_session(struct conn *c, const struct connect *packet, bool present,
                       struct slice auth_data)
{
	struct session *s = c->link.session;

	if (packet->will.present)
		will_set(s, connect_will_message(s, packet),
		         properties_have(&packet->will.properties, PROPERTY_WILL_DELAY)
		             ? packet->will.properties.will_delay_s
		             : 0);
	go_live(c, packet);
	if (trace_is_on())
		trace_attached(s, present);
	log_connected(c, packet, present);
	certificate_end_watch(c);
	send_connack(c, packet, present,
	             packet->client_id.len == 0 ? session_client_id(s) : SLICE_EMPTY, auth_data);
	if (c->state == CONN_ACCEPTED)
		session_deliver_waiting(s);
}

/* [MQTT-3.1.3-5] [MQTT3-7.0.0-2] */
void connect_accept(struct conn *c, const struct connect *packet, struct slice auth_data)
{
	struct worker *w = c->link.worker;
	char assigned[48];
	struct slice client_id = packet->client_id;
	struct acl_subject *subject;
	struct session_key key;
	struct session *s;
	bool admitted;

	REQUIRE_OWNER(&c->link);
	REQUIRE(c->identity != NULL && c->link.session == NULL);
	/* mutant: elsewhere_after_the_hash */
	if (connect_refuse_elsewhere(c, packet))
		return;
	if (!c->is_inside && connections_full(c)) {
		connect_refuse(c, packet,
		               fault_of(REASON_SERVER_BUSY, "limits.connections is reached"));
		return;
	}
	if (client_id.len == 0)
		client_id = slice_of(
		    assigned, assign_client_id(w, c->is_inside ? "http/" : "auto-", assigned));
	c->assigned_client_id = packet->client_id.len == 0;
	key = session_key_of(c->identity->key, client_id);
	s = session_find(w, &key);
	/* One in the store is no reason to close anybody. */
	/* mutant: control_characters_in_client_ids */
	if (!utf8_is_name(client_id) && s == NULL) {
		connect_refuse(c, packet,
		               fault_of(REASON_MALFORMED,
		                        "the client identifier contains a control "
		                        "character or a noncharacter of Unicode"));
		return;
	}
	if (!c->is_inside && !connection_limits_take_user(c, s)) {
		connect_refuse(
		    c, packet,
		    fault_of(REASON_QUOTA_EXCEEDED, "limits.connections_per_user is reached"));
		return;
	}
	subject = config_snapshot_subject(w->snapshot, c->identity->kind == IDENTITY_ANONYMOUS,
	                                  c->identity->name, client_id);
	conn_memory_login(c);
	admitted = connect_will_is_admitted(c, packet, subject) &&
	           connect_session_memory_admits(c, packet, client_id, s == NULL);
	acl_subject_free(subject);
	if (!admitted)
		return;
	take_properties(c, packet);
	connect_session_begin(c, packet, &key, auth_data, on_session);
}
