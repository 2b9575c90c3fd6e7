/* A client's connection, from its first byte to its last: framing, dispatch, the login, keep alive,
 * what it is owed, what is to be written. Thread: its executor worker's; before CONNECT is decoded
 * it may move to another executor, whole. */
#ifndef CLIENT_CONN_H
#define CLIENT_CONN_H

#include "auth/login_request.h"
#include "base/container.h"
#include "base/executor.h"
#include "base/rate_limiter.h"
#include "client/half_open.h"
#include "proto/packet_ack.h"
#include "proto/packet_connect.h"
#include "session/client_link.h"

struct auth_exchange;
struct deferred_close;

enum conn_state {
	CONN_NEW,            /* waits for CONNECT */
	CONN_AUTHENTICATING, /* CONNECT is here; the password is being checked, or proved */
	CONN_ACCEPTED,
	CONN_CLOSING, /* nothing is read any more; on_closed will come */
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
	struct client_link link; /* first */
	struct task task;        /* its move to another executor */
	struct conn *prev, *next;
	struct conn *next_leaving;
	struct conn *yield_prev, *yield_next; /* in worker->yielding */
	uint64_t yielded_in;                  /* the worker's turn */
	struct worker
	    *moving_to; /* its executor, where that is another: it leaves at the end of the turn */
	struct buf *deferred; /* deferred.c; NULL: nothing */
	struct buf in;        /* an incomplete packet; the CONNECT while it is being judged */
	struct half_open_place half_open; /* among those of its worker that have no CONNACK */
	struct timer timer; /* CONNECT deadline, then keep alive, or the end of a rate's pause */
	struct login_wait *login;
	struct auth_exchange *auth_exchange; /* AUTH packets come and go */
	struct deferred_close
	    *deferred_close;              /* it closes when what it ended is gone on disk too */
	struct identity *identity;        /* until the session has it */
	struct rate_limiter rate_limiter; /* of its PUBLISH packets */
	uint64_t arrival;                 /* order of CONNECTs at this executor */
	uint64_t accepted_ms;             /* when TCP was */
	uint64_t deadline_ms;             /* for CONNECT */
	uint64_t since_ms;                /* when it was accepted */
	uint64_t snapshot_generation;     /* by which the login was judged */
	const char *refused_why;
	enum refusal refusal; /* not REFUSED_NOT: it is to be closed */
	uint16_t keep_alive_s;
	enum conn_state state;
	bool yielded;
	bool counted;            /* among server's connections */
	bool unauthenticated;    /* among server's unauthenticated */
	bool address_counted;    /* among those of its address */
	bool user_counted;       /* among those of its user */
	bool assigned_client_id; /* the broker chose it */
	bool enhanced;           /* it came in by SCRAM, and may authenticate anew */
	bool clean_disconnect;   /* DISCONNECT 0x00 came: no will */
	bool said_disconnect;
};

static inline struct conn *conn_of(struct client_link *link)
{
	return container_of(link, struct conn, link);
}

/* A new connection of a listener of this worker. Takes the stream (detached). */
void conn_accept(struct worker *w, struct stream *stream);

/* Give it, whole, to the executor of its client id, at the end of the turn; it goes on there. */
void conn_move(struct conn *c, struct worker *executor);
void conn_leave(struct conn *c); /* the turn's end */

/* It came from a worker with a newer configuration than was in force here: now it goes on. */
void conn_arrive(struct conn *c);

/* Does something of it wait for the store? */
static inline bool conn_waits(const struct conn *c)
{
	return c->link.pending_acks != NULL || c->deferred != NULL || c->link.limit.journal_full ||
	       c->link.limit.drain != NULL;
}

void conn_resume(struct conn *c, enum pause_reason why);
/* One more PUBLISH, where they have a rate: nothing is read for a while when it is one too many. */
void conn_spend(struct conn *c, uint32_t per_second);

/* The one exit for what the peer did wrong, and for everything else that ends a connection from our
 * side: one log line, one counter, the right DISCONNECT or CONNACK for the version, close. `cause`
 * is for the log and, where the client wants it, the Reason String. */
void conn_fail(struct conn *c, enum reason reason, const char *cause);
/* The same, with another server to go to. (5.0, section 4.11) */
void conn_fail_to(struct conn *c, enum reason reason, const char *cause,
                  struct slice server_reference);
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
