/* A connection that speaks HTTP, and those of a worker, as the files of this folder see them.
 * Thread: the worker's. */
#ifndef HTTP_HTTP_LINK_H
#define HTTP_HTTP_LINK_H

#include "base/container.h"
#include "base/log.h"
#include "client/half_open.h"
#include "http/http_answer_head.h"
#include "http/http_types.h"
#include "worker/charge.h"

struct http_login;

enum http_state {
	HTTP_STATE_HEAD,      /* waits for a request, or for the rest of its head */
	HTTP_STATE_BODY,      /* of its body */
	HTTP_STATE_HANDLED,   /* the handler, or the login before it, has it */
	HTTP_STATE_STREAMING, /* the head of the answer was sent */
	HTTP_STATE_PACED,     /* answered; the next request waits (http_pace.h) */
	HTTP_STATE_CLOSING,
};

struct http_conn;

/* What http_conn.c does for those that answer. */
struct http_conn_ops {
	/* The answer is complete: wait for the next request, or close. */
	void (*end_exchange)(struct http_conn *c);
	/* The next request need not wait any more. */
	void (*next_request)(struct http_conn *c);
};

struct http_conn {
	struct http_exchange x;
	const struct http_conn_ops *ops;
	struct http_conn *prev, *next; /* of its worker */
	struct http_conn *next_dirty;
	struct http_conn *later_prev, *later_next;
	struct half_open_place place;
	struct timer timer;
	struct charge charge;
	struct buf in; /* not looked at yet */
	struct http_scan scan;
	struct buf head, body; /* of the request at hand */
	struct buf out;        /* a stream's, until the end of the turn */
	struct http_login *login;
	uint64_t request_ms;       /* when the first byte of the request came */
	uint64_t accepted_bytes;   /* stream_accepted, when the timer looked last, ... */
	uint64_t taking_ms;        /* ... and when it had changed */
	uint64_t admitted_by;      /* generation of the configuration; 0: none was asked */
	uint64_t login_generation; /* by which the login was decided */
	uint64_t turn;             /* of the worker, in which it was answered last, ... */
	size_t unread;             /* bytes of answers that wait for the reader, where many do */
	uint32_t turn_requests;    /* ... and how often in it */
	uint32_t requests;         /* answered */
	enum http_state state;
	bool processing; /* inside http_conn_process */
	bool close_after;
	bool paused;
	bool dirty;
	bool later;        /* among those of http_server.later */
	bool user_counted; /* among the connections, and those of its user */
};

static inline struct http_conn *http_conn_of(struct http_exchange *x)
{
	return container_of(x, struct http_conn, x);
}

struct http_server {
	struct http_conn *conns;         /* utlist DL */
	struct http_conn *dirty;         /* streams that were written to in this turn */
	struct http_conn *later;         /* DL: they have had their share of a turn */
	struct http_conn *next_to_check; /* after a reload */
	const struct http_route *const *routes;
	size_t route_count;
	struct log_limit refusals;
	/* For /health: what the journal said last. */
	const char *store_cause;
	uint64_t store_asked_ms;
};

/* The memory that it has may have changed. */
void http_link_count(struct http_conn *c);
/* Who pays for that from now on: whoever is logged in, or the address. */
void http_link_pay(struct http_conn *c);
void http_link_count_payer(struct http_conn *c, uint64_t connections);
/* What each answer of it begins with. */
struct http_answer_head http_link_answer_head(const struct http_conn *c,
                                              const struct http_answer *answer);

#endif
