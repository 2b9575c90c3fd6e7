/* What sessions and routing see of a connection, the head of `struct conn`: what the client takes,
 * what it is owed, what is written to it.  Thread: the connection's worker. */
#ifndef SESSION_CLIENT_LINK_H
#define SESSION_CLIENT_LINK_H

#include "net/stream.h"
#include "proto/packet_ack.h"
#include "session/session_upcalls.h"
#include "session/topic_alias.h"
#include "worker/charge.h"
#include "worker/worker.h"

struct drain;
struct pending_ack;
struct publish_match;
struct request;
struct session;

/* Why reading is paused: it goes on when no reason is left. */
enum pause_reason {
	PAUSE_LOGIN = 1,
	PAUSE_PRESSURE = 2, /* another worker cannot keep up with what this one publishes */
	PAUSE_OUTPUT = 4,   /* it does not read what it is sent */
	PAUSE_STOP = 8,
	PAUSE_MOVE = 16,
	PAUSE_RATE = 32,     /* limits.message_rate, limits.byte_rate */
	PAUSE_STORE = 64,    /* too much of what it sent waits for the store (input_limit.h) */
	PAUSE_SESSION = 128, /* its session is being attached */
	PAUSE_FAN_OUT = 512, /* what it published is still being delivered (delivery_queue.h) */
	PAUSE_TURN = 256,    /* it has had its share of this turn of the loop (yield.h) */
};

_Static_assert(PAUSE_FAN_OUT >> PAUSE_REASONS == 0, "a counter for each");

/* What an acknowledgement that waits takes of memory, with its bytes: about. */
#define PENDING_ACK_COST ((size_t)160)

/* What a connection owes (input_limit.h). */
struct input_limit {
	uint32_t publishes; /* PUBACK, PUBREC, PUBCOMP that wait */
	uint32_t others;    /* all other answers that wait, but PINGRESP */
	uint32_t pings;     /* PINGRESPs that wait for CONNACK */
	uint32_t deferred;  /* QoS 1 and 2 PUBLISH packets that wait for space */
	bool many_deferred; /* those take so many bytes that no more are added */
	bool journal_full;  /* something of it waits in a journal that is above its mark */
	struct drain *drain;
};

struct client_link {
	struct worker *worker;
	struct stream *stream;
	struct session *session; /* once accepted */
	struct client_link *next_dirty;
	struct client_link *next_review;
	/* Written in this turn. */
	struct buf out;
	struct pending_ack *pending_acks, **pending_acks_tail;
	/* A SUBSCRIBE or UNSUBSCRIBE under way (subscribe_request.h). */
	struct request *request;
	/* Of a PUBLISH under way: to whom it goes (publish_match.h). NULL: none is. */
	struct publish_match *match;
	/* Of what it is owed, and of what else waits for the store. */
	struct input_limit limit;
	struct alias_table aliases;     /* those the client has set */
	struct alias_table aliases_out; /* those it was given */
	/* link_output_count: what is counted of `out`, of `request`, and (by client/) of its input.
	 */
	struct charge charge;
	size_t output_counted;
	size_t request_bytes; /* of `request` or `match` */
	size_t input_bytes;
	/* PUBLISH packets and bytes of MQTT since it was connected, received and sent. */
	uint64_t messages_in, messages_out, bytes_in, bytes_out;
	uint64_t heard_ms;  /* when bytes arrived last; later by the time in which it was paused */
	uint64_t paused_ms; /* since when it is not read, if it is not */
	/* The newest generation of the configuration that admits it; 0: none was asked. */
	uint64_t admitted_by;
	uint32_t acks_counted;
	uint32_t max_packet_bytes; /* the client's; UINT32_MAX: none */
	uint32_t inbound_unacked;  /* QoS 1 and 2 received and not yet acknowledged */
	unsigned holding;          /* acknowledgements that deliveries wait for */
	uint16_t receive_maximum;  /* the client's */
	uint16_t pauses;           /* enum pause_reason bits */
	enum mqtt_version version;
	bool accepted; /* its CONNECT was; CONNACK may still wait for what it promises */
	bool dirty;
	bool in_review;
	bool no_problem_information;
	/* Another broker: no-local and retain as published for all it subscribes. */
	bool bridge;
	/* There was no space for the PUBLISH that was being handled. */
	bool defers;
	/* It is under way, and is to be handled again. */
	bool goes_on;
};

/* What the links of a worker share. */
struct worker_output {
	struct client_link *dirty;  /* are written to at the end of the turn */
	struct client_link *review; /* their input limit is applied then */
	struct buf spare[128];      /* output buffers to use again */
	size_t spare_bytes;
	unsigned spare_count;
	uint64_t received_ms; /* when the packet at hand came */
};

/* Apply its input limit at the end of the turn: answers have left, or a delivery is on its way. */
void client_link_review(struct client_link *link);
/* Stop reading. */
void client_link_pause(struct client_link *link, enum pause_reason why);
/* One reason less; stream and input are the caller's. */
void client_link_unpause(struct client_link *link, enum pause_reason why);
/* It is freed: it counts no more. */
void client_link_forget_pauses(struct client_link *link);

/* `text` as a Reason String for this client; empty where it wants none [MQTT5-3.1.2-29], or where
 * the packet, `rest` bytes without it, would be larger than it takes. [MQTT5-3.4.2-2]
 * [MQTT5-3.5.2-2] [MQTT5-3.9.2-1] [MQTT5-3.14.2-3] */
struct slice client_link_reason_string(const struct client_link *link, struct slice text,
                                       size_t rest);
/* Fixed header, packet identifier, reason code and what announces a Reason String, at most. */
#define REASON_STRING_REST ((size_t)15)
/* A packet may have limits.user_properties User Properties: one that is kept, or costs much
 * otherwise. In acknowledgements, UNSUBSCRIBE and DISCONNECT they cost nothing but their bytes, and
 * an end of the connection would do harm: it would publish the will, or send everything again. */
struct fault client_link_check_properties(const struct client_link *link,
                                          const struct properties *properties);
/* PUBACK, PUBREC, PUBREL, PUBCOMP, decoded and checked. */
struct fault client_link_read_ack(const struct client_link *link, const struct frame *f,
                                  struct ack *out);

static inline const struct conf_limits *client_link_limits(const struct client_link *link)
{
	return worker_limits(link->worker, stream_listener(link->stream));
}

/* False: it is refused by the configuration in force; do not read from it, do not write to it. */
static inline bool client_link_is_admitted(struct client_link *link)
{
	return link->admitted_by == link->worker->snapshot->generation ||
	       link->worker->upcalls->check_admission(link);
}

#endif
