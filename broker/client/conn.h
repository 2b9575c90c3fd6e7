/* A client's connection, from its first byte to its last: framing, dispatch, the login, keep alive,
 * what it is owed, what is to be written. Thread: its executor worker's; before CONNECT is decoded
 * it may move to another executor, whole. */
#ifndef CLIENT_CONN_H
#define CLIENT_CONN_H

#include "auth/login_request.h"
#include "base/executor.h"
#include "base/rate_limiter.h"
#include "client/half_open.h"
#include "client/input_limit.h"
#include "net/stream.h"
#include "proto/packet_ack.h"
#include "proto/packet_connect.h"
#include "session/pending_ack.h"
#include "session/topic_alias.h"
#include "worker/charge.h"

struct auth_exchange;
struct deferred_close;
struct request;
struct worker;
struct session;

enum conn_state {
	CONN_NEW,            /* waits for CONNECT */
	CONN_AUTHENTICATING, /* CONNECT is here; the password is being checked, or proved */
	CONN_ACCEPTED,
	CONN_CLOSING, /* nothing is read any more; on_closed will come */
};

/* Why reading is paused: it goes on when no reason is left. */
enum conn_pause {
	CONN_PAUSE_LOGIN = 1,
	CONN_PAUSE_PRESSURE = 2, /* another executor cannot keep up with what this one publishes */
	CONN_PAUSE_BACKLOG = 4,  /* it does not read what it is sent */
	CONN_PAUSE_STOP = 8,
	CONN_PAUSE_MOVE = 16,
	CONN_PAUSE_RATE = 32,  /* limits.message_rate */
	CONN_PAUSE_STORE = 64, /* too much of what it sent waits for the store (input_limit.h) */
	CONN_PAUSE_TURN = 256, /* it has had its share of this turn of the loop (yield.h) */
};

/* Why it would not be admitted by the configuration in force; see admission.h. */
enum refusal {
	REFUSED_NOT,
	REFUSED_LISTENER, /* it is gone */
	REFUSED_TLS_VERSION,
	REFUSED_CERTIFICATE, /* or none where one is required */
	REFUSED_ANONYMOUS,
	REFUSED_CREDENTIALS, /* user locked, removed, changed */
	REFUSED_ELSEWHERE,   /* the listener has a server_reference now */
};

/* A login under way: outlives the connection until its answer comes. */
struct login_wait {
	struct login_request request;
	struct conn *conn; /* NULL: it has gone */
	struct worker *worker;
	struct timer timer; /* the password was right, and the login fails all the same */
	const char *refused_why;
	bool answered;
};

struct conn {
	struct task task; /* its move to another executor */
	struct worker *worker;
	struct stream *stream;
	struct session *session; /* once accepted */
	struct conn *prev, *next;
	struct conn *next_dirty;
	struct conn *next_leaving;
	struct conn *yield_prev, *yield_next; /* in worker->yielding */
	uint64_t yielded_in;                  /* the worker's turn */
	struct conn *next_review;
	struct worker
	    *moving_to; /* its executor, where that is another: it leaves at the end of the turn */
	struct buf *deferred; /* deferred.c; NULL: nothing */
	struct buf in;        /* an incomplete packet; the CONNECT while it is being judged */
	struct buf out;       /* written in this turn */
	struct half_open_place half_open; /* among those of its worker that have no CONNACK */
	struct timer timer; /* CONNECT deadline, then keep alive, or the end of a rate's pause */
	struct pending_ack *pending_acks, **pending_acks_tail;
	struct request *request;  /* a SUBSCRIBE or UNSUBSCRIBE under way (request.h) */
	struct input_limit limit; /* of these, and of what else waits for the store */
	struct login_wait *login;
	struct auth_exchange *auth_exchange; /* AUTH packets come and go */
	struct deferred_close
	    *deferred_close;              /* it closes when what it ended is gone on disk too */
	struct identity *identity;        /* until the session has it */
	struct alias_table aliases;       /* those the client has set */
	struct alias_table aliases_out;   /* those it was given */
	struct charge charge;             /* conn_memory.c */
	size_t output_counted;            /* in it */
	struct rate_limiter rate_limiter; /* of its PUBLISH packets */
	uint64_t arrival;                 /* order of CONNECTs at this executor */
	uint64_t last_packet_ms;
	uint64_t accepted_ms;         /* when TCP was */
	uint64_t deadline_ms;         /* for CONNECT */
	uint64_t since_ms;            /* when it was accepted */
	uint64_t snapshot_generation; /* by which the login was judged */
	uint64_t admitted_by;         /* the newest generation that admits it; 0: none was asked */
	const char *refused_why;
	enum refusal refusal;      /* not REFUSED_NOT: it is to be closed */
	uint32_t max_packet_bytes; /* the client's; UINT32_MAX: none */
	unsigned holding;          /* acknowledgements that deliveries wait for */
	uint16_t keep_alive_s;
	uint16_t receive_maximum; /* the client's */
	uint16_t inbound_unacked; /* QoS 1 and 2 received and not yet acknowledged */
	uint16_t pauses;          /* enum conn_pause bits */
	enum conn_state state;
	enum mqtt_version version;
	bool dirty;
	bool yielded;
	bool in_review;       /* in worker->review */
	bool counted;         /* among server's connections */
	bool unauthenticated; /* among server's unauthenticated */
	bool address_counted; /* among those of its address */
	bool user_counted;    /* among those of its user */
	bool no_problem_information;
	bool assigned_client_id; /* the broker chose it */
	bool enhanced;           /* it came in by SCRAM, and may authenticate anew */
	bool bridge; /* another broker: no-local and retain as published for all it subscribes */
	bool clean_disconnect; /* DISCONNECT 0x00 came: no will */
	bool said_disconnect;
	bool defers; /* there was no space for the PUBLISH that was being handled */
};

/* A new connection of a listener of this worker. Takes the stream (detached). */
void conn_accept(struct worker *w, struct stream *stream);

/* Give it, whole, to the executor of its client id, at the end of the turn; it goes on there. */
void conn_move(struct conn *c, struct worker *executor);
void conn_leave(struct conn *c); /* the turn's end */

/* It came from a worker with a newer configuration than was in force here: now it goes on. */
void conn_arrive(struct conn *c);

/* Write: append to what leaves at the end of the turn. */
struct buf *conn_out(struct conn *c);
void conn_flush(struct conn *c);
/* Bytes that wait to be taken by the peer. */
size_t conn_backlog(struct conn *c);
#define CONN_BACKLOG_MAX ((size_t)1 << 20)
/* Why nothing more is written to it, then. */
#define CONN_READS_SLOWLY "the client does not read fast enough"
/* Do not wait for the end of the turn. */
void conn_write_now(struct conn *c);

/* Has it got its CONNACK? */
bool conn_has_connack(const struct conn *c);
/* Does something of it wait for the store? */
static inline bool conn_waits(const struct conn *c)
{
	return c->pending_acks != NULL || c->deferred != NULL || c->limit.journal_full ||
	       c->limit.drain != NULL;
}

void conn_pause(struct conn *c, enum conn_pause why);
void conn_resume(struct conn *c, enum conn_pause why);
/* One more PUBLISH, where they have a rate: nothing is read for a while when it is one too many. */
void conn_spend(struct conn *c, uint32_t per_second);

/* The one exit for what the peer did wrong, and for everything else that ends a connection from our
 * side: one log line, one counter, the right DISCONNECT or CONNACK for the version, close. `cause`
 * is for the log and, where the client wants it, the Reason String. */
void conn_fail(struct conn *c, enum reason reason, const char *cause);
/* `text` as a Reason String for this client; empty where it wants none [MQTT5-3.1.2-29], or where
 * the packet, `rest` bytes without it, would be larger than it takes. [MQTT5-3.4.2-2]
 * [MQTT5-3.5.2-2] [MQTT5-3.9.2-1] [MQTT5-3.14.2-3] */
struct slice conn_reason_string(const struct conn *c, struct slice text, size_t rest);
/* Fixed header, packet identifier, reason code and what announces a Reason String, at most. */
#define REASON_STRING_REST ((size_t)15)
/* The same, with another server to go to. (5.0, section 4.11) */
void conn_fail_to(struct conn *c, enum reason reason, const char *cause,
                  struct slice server_reference);
/* A packet may have limits.user_properties User Properties. */
struct fault conn_validate_properties(const struct conn *c, const struct properties *properties);
/* PUBACK, PUBREC, PUBREL, PUBCOMP, decoded and checked. */
struct fault conn_read_ack(const struct conn *c, const struct frame *f, struct ack *out);
/* End it without a word (the client said DISCONNECT; a session gone). */
void conn_end(struct conn *c, enum reason reason, const char *cause);
/* The same where the reason was logged already. */
void conn_close(struct conn *c);

/* Handle a packet that came then. False: it is a PUBLISH that finds no space in the store, and
 * nothing was done. */
bool conn_handle(struct conn *c, const struct frame *f, uint64_t received_ms);
/* Go on with packets that were read but not handled while it was paused. */
void conn_continue(struct conn *c);

/* It has got its place among the clients. */
void conn_leave_half_open(struct conn *c);

/* From connect.c: the CONNECT at its executor. */
struct fault on_connect(struct conn *c, const struct frame *f);
void connect_cancel_login(struct conn *c);
/* The CONNACK for a refused CONNECT, written and closed. */
void connect_refuse(struct conn *c, enum reason reason, const char *cause);

#endif
