/* A client of the simulation, 3.1.1 or 5.0, with the session state that the standard requires
 * (messages sent and not acknowledged, QoS 2 identifiers received), so that a correct broker
 * gives exactly-once delivery. It acknowledges by itself unless told otherwise. */
#ifndef SIM_CLIENT_H
#define SIM_CLIENT_H

#include "proto/packet_ack.h"
#include "proto/packet_subscribe.h"
#include "scram_peer.h"
#include "world.h"

#define IDS_MAX     24
#define ALIASES_MAX 8

/* An application message that arrived; a QoS 2 message once, however often it was sent. */
struct received {
	char *topic;
	char *payload;
	size_t payload_len;
	uint8_t qos;
	bool retain, dup, has_expiry;
	uint16_t packet_id;
	uint32_t expiry_s;
	uint32_t ids[IDS_MAX];
	unsigned id_count;
	char *extras;  /* see extras.h */
	bool aliased;  /* its topic was empty, and is the one of the alias */
	unsigned life; /* the connection on which it arrived, from 1 */
};

/* Any other packet that arrived. */
struct answer {
	enum packet_type type;
	uint16_t packet_id;
	uint8_t reasons[16]; /* SUBACK, UNSUBACK: one per entry; others: the first */
	size_t reason_count;
	unsigned life;
};

enum pending_stage {
	PENDING_QUEUED,   /* not sent yet */
	PENDING_SENT,     /* waits for PUBACK or PUBREC */
	PENDING_RELEASED, /* PUBREL is sent */
};

/* A message of ours in flight to the broker. */
struct pending {
	struct pending *prev, *next;
	uint32_t tag; /* the watcher's */
	char *topic, *payload;
	uint8_t qos;
	bool retain, has_expiry;
	uint32_t expiry_s;
	uint32_t extras;      /* seed of extras_draw */
	uint16_t topic_alias; /* 0: none; if the broker permits so many */
	bool aliased;         /* sent without its topic, the last time */
	size_t packet_bytes;  /* the last time */
	uint16_t packet_id;
	enum pending_stage stage;
};

struct will_options {
	const char *topic, *payload; /* topic NULL: no will */
	uint8_t qos;
	bool retain;
	uint32_t delay_s;
	uint32_t expiry_s; /* 0: none */
	uint32_t extras;   /* seed of extras_draw */
};

struct connect_options {
	bool keep; /* not clean_start */
	bool has_name;
	const char *certificate;     /* name of the client certificate, NULL: none */
	const char *user, *password; /* NULL: none */
	/* Enhanced authentication: the password is proven, not sent; NULL: with a wrong proof. */
	const char *method; /* NULL: none */
	uint32_t expiry_s;  /* Session Expiry Interval (5.0) */
	uint16_t keep_alive_s;
	uint16_t receive_maximum;     /* 0: not said */
	uint16_t topic_alias_maximum; /* at most ALIASES_MAX */
	uint32_t max_packet_bytes;
	struct will_options will;
};

struct client;

/* An observer of a client; functions may be NULL. */
struct client_watch {
	void (*connack)(struct client *c);
	void (*sent)(struct client *c, const struct pending *p, bool dup);
	/* Before it is removed, or released. */
	void (*acked)(struct client *c, const struct pending *p, enum packet_type type,
	              enum reason reason);
	void (*received)(struct client *c, const struct received *r);
	/* A QoS 2 PUBLISH that the client has already. */
	void (*again)(struct client *c, const struct received *r);
	void (*answered)(struct client *c, const struct answer *a);
};

/* A PUBLISH that a slow client has not acknowledged yet. */
struct unacked {
	enum packet_type type;
	uint16_t packet_id;
};

struct client {
	struct client *next;
	struct world *world;
	const struct client_watch *watch; /* NULL: nobody */
	void *watch_arg;
	struct wire *old_wire; /* taken over by our own next connection, unless that is refused */
	struct wire *wire;     /* NULL: not connected */
	enum mqtt_version version;
	char *id;
	unsigned life;       /* connections so far */
	unsigned subscribes; /* SUBSCRIBE packets on the present one */
	bool accepted;       /* CONNACK 0 came */
	bool closed;         /* the broker ended it */
	bool session_present;
	bool manual;  /* PUBLISH is not acknowledged by itself */
	bool stalled; /* does not read */
	bool slow;    /* acknowledges on request: client_catch_up */
	struct unacked *unacked;
	size_t unacked_count, unacked_cap;
	size_t given; /* bytes on the present connection */
	uint8_t connack_reason;
	bool has_session_expiry;
	uint32_t session_expiry_s;
	uint8_t disconnect_reason; /* the broker's; 0: none was sent */
	uint16_t server_receive_maximum, server_topic_alias_maximum;
	uint16_t topic_alias_maximum; /* ours */
	/* The topics of aliases on the present connection: ours, and the broker's. NULL: none. */
	char *aliases_out[ALIASES_MAX + 1], *aliases_in[ALIASES_MAX + 1];
	uint16_t next_packet_id;
	struct scram_peer *scram; /* an exchange in progress; NULL: none */
	struct buf out, in;
	struct pending *pending; /* utlist DL */
	uint8_t inbound[65536 / 8];
	struct received *received;
	size_t received_count, received_cap;
	struct answer *answers;
	size_t answer_count, answer_cap;
};

struct client *client_new(struct world *w, const char *id, enum mqtt_version version);
void client_free(struct client *c);

/* Send CONNECT on a new connection; an old one is dropped. */
void client_connect(struct client *c, const struct connect_options *options);
/* The same, but the old connection stays: the broker sees the new one first. */
void client_connect_over(struct client *c, const struct connect_options *options);
/* Connect and wait until it is accepted; fail the test otherwise. */
void client_join(struct client *c, const struct connect_options *options);
void client_leave(struct client *c, enum reason reason);       /* DISCONNECT, and close */
void client_leave_expiry(struct client *c, uint32_t expiry_s); /* with a Session Expiry Interval */
/* The connection breaks: bytes that were not dispatched are lost, in both directions. */
void client_drop(struct client *c);
/* The connection ends after the bytes that were sent. */
void client_finish(struct client *c);
void client_stall(struct client *c, bool stalled);

struct subscribe_request {
	const char *filter;
	uint8_t qos;
	bool no_local, retain_as_published;
	uint8_t retain_handling;
	uint32_t id;
};
/* Returns the packet identifier. */
uint16_t client_subscribe(struct client *c, const char *filter, uint8_t qos);
uint16_t client_subscribe_with(struct client *c, const struct subscribe_request *request);
/* Several in one packet; the identifier is that of the first. */
uint16_t client_subscribe_all(struct client *c, const struct subscribe_request *requests,
                              size_t count);
uint16_t client_unsubscribe(struct client *c, const char *filter);
uint16_t client_unsubscribe_all(struct client *c, const char *const *filters, size_t count);
void client_ping(struct client *c);
/* AUTH: reauthenticate as the same user. password NULL: a wrong proof. */
void client_reauthenticate(struct client *c, const char *user, const char *password);

/* Sent as soon as the broker's Receive Maximum permits; sent again after a reconnect. */
void client_publish(struct client *c, const char *topic, uint8_t qos, const char *payload);
void client_publish_retained(struct client *c, const char *topic, uint8_t qos, const char *payload);
void client_publish_expiring(struct client *c, const char *topic, uint8_t qos, const char *payload,
                             uint32_t expiry_s);
/* The caller sets other fields (tag, expiry, retain) before anything else happens. */
struct pending *client_publish_with(struct client *c, const char *topic, uint8_t qos,
                                    const char *payload);
/* True if everything of ours is acknowledged. */
bool client_is_done(const struct client *c);

/* With `manual`: one acknowledgement. */
void client_ack(struct client *c, enum packet_type type, uint16_t packet_id, enum reason reason);
/* With `slow`: acknowledge the oldest message that is not acknowledged. */
void client_catch_up(struct client *c, size_t count);
/* Raw bytes, for violations of the protocol. */
void client_send(struct client *c, struct slice bytes);

/* The number of answers of that type on the present (or last) connection; the newest in *out,
 * which may be NULL. */
size_t client_answers(const struct client *c, enum packet_type type, struct answer *out);
void client_forget(struct client *c); /* messages received so far */
/* The session has ended, as the client knows or is told: ours begins again. */
void client_forget_session(struct client *c);

/* For world.c: give and take some bytes. True if something moved. */
bool client_turn(struct client *c);

#endif
