/* A client's connection, from its first byte to its last.  Thread: its worker's; before CONNECT is
 * decoded it may move to another worker, whole. */
#ifndef CLIENT_CONN_H
#define CLIENT_CONN_H

#include "base/container.h"
#include "base/executor.h"
#include "base/rate_limiter.h"
#include "client/half_open.h"
#include "proto/fault.h"
#include "proto/packet_ack.h"
#include "proto/packet_connect.h"
#include "session/client_link.h"

struct auth_exchange;
struct deferred_close;
struct identity;
struct login_wait;
struct session_wait;

enum conn_state {
	CONN_NEW,            /* waits for CONNECT */
	CONN_AUTHENTICATING, /* the login is under way, or the session is being attached */
	CONN_ACCEPTED,
	CONN_CLOSING, /* nothing is read any more; the stream is closing */
};

enum close_reason {
#define CLOSE(id, code, packet, line, counter, text) CLOSE_##id,
#include "client/close_reasons.def"
#undef CLOSE
};

/* Why it would not be admitted by the configuration in force; see admission.h. */
enum refusal {
	REFUSED_NOT,
	REFUSED_LISTENER, /* it was removed */
	REFUSED_ADDRESS,  /* or the proxy that named it */
	REFUSED_TLS_VERSION,
	REFUSED_CERTIFICATE, /* or none where one is required */
	REFUSED_ANONYMOUS,
	REFUSED_CREDENTIALS, /* user locked, removed, changed */
	REFUSED_ELSEWHERE,   /* the listener has a server_reference now */
};

/* What a connection needs until its CONNECT is accepted: most of them are. */
struct conn_opening {
	struct conn *conn;
	struct task task;                  /* its move to another worker */
	struct worker *moving_to;          /* it leaves at the end of the turn; NULL: it stays */
	struct conn_opening *next_leaving; /* those that do */
	struct half_open_place place;      /* among those of its worker that have no CONNACK */
	uint64_t deadline_ms;              /* for CONNECT */
};

struct conn {
	struct client_link link; /* first */
	struct conn *prev, *next;
	struct conn *yield_prev, *yield_next; /* in client_list.yielding or going_on */
	uint64_t yielded_in;                  /* the worker's turn */
	uint64_t heavy_until_ms;              /* its packets may be much work (yield.h) */
	struct buf *deferred;                 /* deferred_publish.h; NULL: nothing */
	struct buf in; /* an incomplete packet; the CONNECT while its login is under way */
	/* A PUBLISH that is read past (large_publish.h): bytes to come, and those that came. */
	uint32_t skip_left, skipped;
	struct conn_opening *opening; /* NULL: its CONNECT was accepted */
	struct timer timer; /* CONNECT deadline, then keep alive, or the end of a rate's pause */
	/* A login or re-authentication under way, or the attaching of the session after it, which
	 * one of the three below belongs to; NULL: none. */
	const struct login_attempt *attempt;
	struct login_wait *login;
	struct auth_exchange *auth_exchange;
	struct session_wait *session_wait;
	struct deferred_close *deferred_close;
	struct identity *identity;        /* until the session has it */
	struct rate_limiter rate_limiter; /* of its PUBLISH packets */
	struct rate_limiter byte_limiter; /* of what is read from it */
	uint64_t arrival;                 /* order of CONNECTs at this worker */
	uint64_t since_ms;            /* when the listener, then when its CONNECT was accepted */
	uint64_t packet_ms;           /* since when the packet at the head of `in` is under way */
	uint64_t accepted_bytes;      /* stream_accepted, when the timer looked last ... */
	uint64_t taking_ms;           /* ... and when it had changed */
	uint64_t snapshot_generation; /* of the configuration that the login was checked by */
	const char *refused_why;
	enum refusal refusal : 8; /* other than REFUSED_NOT: it will be closed */
	enum conn_state state : 8;
	uint16_t keep_alive_s;
	bool yielded, yielded_first;
	bool counted;            /* in shared.connections */
	bool address_counted;    /* among those of its address */
	bool user_counted;       /* among those of its user */
	bool assigned_client_id; /* the broker chose it */
	/* Its peer is in this process, and has logged in elsewhere (conn_accept_inside); it is
	 * counted there, and logged. */
	bool is_inside;
	bool enhanced;          /* it logged in by SCRAM, and may re-authenticate */
	bool server_keep_alive; /* keep_alive_s is limits.max_keepalive, not the client's own */
	bool clean_disconnect;  /* DISCONNECT 0x00 arrived: no will is published */
	bool said_disconnect;
};

/* What the units above conn do for it: client_list.conn_ops. */
struct conn_ops {
	/* Handle what was read while it was paused. */
	void (*go_on)(struct conn *c);
	/* Take it apart; the stream closes, if it has not. */
	void (*close)(struct conn *c, bool stream_gone);
	/* What can be read of the CONNECT that it has sent (packet_connect_peek). False: nothing.
	 */
	bool (*peek_connect)(const struct conn *c, struct connect *packet);
};

/* Enhanced authentication, or any other login that takes time. */
struct login_attempt {
	/* The connection ends. */
	void (*cancel)(struct conn *c);
	/* Refuse the CONNECT that waits; NULL: it is at the head of the input. */
	void (*refuse)(struct conn *c, struct fault fault);
	/* The memory that it takes; NULL: none that is charged. */
	size_t (*memory)(const struct conn *c);
	/* The CONNECT that waits; NULL: it is at the head of the input. */
	void (*decode)(const struct conn *c, struct connect *packet);
};

static inline struct conn *conn_of(struct client_link *link)
{
	return container_of(link, struct conn, link);
}

/* Send it to the owner of its client id at the end of the turn. */
void conn_move(struct conn *c, struct worker *executor);

/* It came from a worker with a newer configuration, which is now in force here too: go on. */
void conn_arrive(struct conn *c);

/* Does something of it wait for the store? */
static inline bool conn_waits(const struct conn *c)
{
	return c->link.pending_acks != NULL || c->deferred != NULL || c->link.limit.journal_full ||
	       c->link.limit.drain != NULL;
}

void conn_resume(struct conn *c, enum pause_reason why);

/* For the log; "": it was removed from the configuration. */
const char *conn_listener_name(const struct conn *c);

/* The one way to end a connection: the last packet, the log line and the counter that
 * close_reasons.def has for this reason; then it is taken apart. Does nothing if it is closing
 * already. */
void conn_close(struct conn *c, enum close_reason why);
/* The same with the code and the cause from the place that decided (unless .cause is NULL), and
 * with another server to use (5.0, section 4.11). */
void conn_close_with(struct conn *c, enum close_reason why, struct fault fault,
                     struct slice server_reference);
/* Remember how the connection of a session ends, before it does (last_ends.h): conn_close_with does
 * it, but for a takeover, where `taken_by` is the address of who takes the session. */
void conn_remember_end(const struct conn *c, enum close_reason why, struct fault fault,
                       const char *taken_by);
/* CLOSE_FAULT: what the peer did wrong. */
__attribute__((cold)) void conn_fail(struct conn *c, struct fault fault);

/* Go on with packets that were read but not handled while it was paused. */
void conn_continue(struct conn *c);

#endif
