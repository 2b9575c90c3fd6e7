/* What a client of MQTT asks for, what it is told, and its state.  mqtt_protocol.h has the
 * functions. */
#ifndef MQTT_MQTT_TYPES_H
#define MQTT_MQTT_TYPES_H

#include "mqtt/mqtt_aliases.h"
#include "mqtt/mqtt_in_flight.h"
#include "proto/packet_connack.h"
#include "proto/packet_connect.h"
#include "proto/packet_publish.h"

/* What a client asks for. Borrowed: one for any number of clients. */
struct mqtt_options {
	enum mqtt_version version;
	/* Do not resume a session. Of the first connection only: a later one resumes what the
	 * first one began, where it lives for longer than the connection (session_expiry_s, or
	 * clean_start false in 3.1.1). */
	bool clean_start;
	/* Keep a copy of what is in flight and send it again on the next connection. Without it
	 * what was in flight is given up when the connection ends (a load generator). */
	bool resends;
	/* 0: no PINGREQ, and the server does not watch. */
	uint16_t keep_alive_s;
	/* Messages of QoS 1 and 2 under way to us; 0: 65535. */
	uint16_t receive_maximum;
	/* Ours under way, where the server's Receive Maximum is not smaller; 0: as many as it
	 * permits. */
	uint16_t send_maximum;
	/* Topic aliases that the server may set (5.0); 0: none. Messages come with their topic. */
	uint16_t topic_alias_maximum;
	/* The largest packet to us; 0: no limit but the standard's. */
	uint32_t max_packet_bytes;
	uint32_t session_expiry_s; /* 5.0 */
	bool has_user_name, has_password;
	struct slice user_name, password;
	struct will will;
	/* More properties of CONNECT, encoded (property.h): User Property, Authentication Method.
	 * Not those that have a field above. */
	struct slice properties;
};

enum mqtt_state {
	MQTT_CLOSED,     /* no connection */
	MQTT_CONNECTING, /* CONNECT was put, no CONNACK yet */
	MQTT_OPEN,
	MQTT_ENDED, /* DISCONNECT was put or came, or the server broke the protocol: only `out` is
	               left to send */
};

/* A request that the server acknowledged. */
struct mqtt_answer {
	enum packet_type request; /* PACKET_PUBLISH, PACKET_SUBSCRIBE, PACKET_UNSUBSCRIBE */
	uint16_t packet_id;
	uint64_t cookie;      /* as given with the request */
	enum reason reason;   /* PUBLISH: of PUBACK, PUBREC or PUBCOMP; otherwise the largest */
	struct slice reasons; /* SUBSCRIBE, UNSUBSCRIBE (5.0): one for each filter */
	const struct properties *properties; /* the Reason String among them */
};

/* Whoever is called may publish, subscribe and so on, but not call mqtt_protocol_input, _close or
 * _fini. Everything is borrowed for the call. Each but on_message may be NULL. */
struct mqtt_events {
	/* `ack->reason` says whether the server accepted. */
	void (*on_connack)(void *arg, const struct connack *ack, const struct properties *p);
	/* True: acknowledge it now. False: mqtt_protocol_acknowledge follows later. (The same for
	 * QoS 0.) A duplicate of QoS 2 does not come here. */
	bool (*on_message)(void *arg, const struct publish *message);
	void (*on_answer)(void *arg, const struct mqtt_answer *answer);
	/* The server's DISCONNECT (5.0). */
	void (*on_disconnect)(void *arg, enum reason reason, const struct properties *p);
	/* The server's AUTH (5.0): mqtt_protocol_auth answers. */
	void (*on_auth)(void *arg, enum reason reason, const struct properties *p);
};

/* Zero it, or mqtt_protocol_init. Members are for reading. */
struct mqtt_protocol {
	const struct mqtt_options *options;
	const struct mqtt_events *events;
	void *arg;
	/* What is to be sent. Whoever sends it takes it off (buf_clear, buf_consume), and calls
	 * mqtt_protocol_sent. */
	struct buf out;
	/* The beginning of a packet. */
	struct buf in;
	size_t in_needed;
	/* Requests without their acknowledgement. */
	struct mqtt_in_flight in_flight;
	/* What the server has set on this connection. */
	struct mqtt_aliases aliases;
	/* Identifiers of QoS 2 that came and were not released. */
	uint16_t *received;
	uint64_t sent_ms, heard_ms, ping_ms;
	uint32_t received_count, received_size;
	uint32_t server_packet_max;      /* what the server said with CONNACK, */
	uint16_t server_receive_maximum; /* or the standard's defaults */
	uint16_t server_alias_maximum;
	uint16_t keep_alive_s; /* in force */
	enum mqtt_state state;
	uint8_t server_max_qos;
	bool server_retains, ping_waits, had_session;
	bool resumes; /* the server had the session */
};

#endif
