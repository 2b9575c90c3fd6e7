/* The connections of a worker, and the lists that they are in. Thread: the worker's. */
#ifndef CLIENT_CLIENT_LIST_H
#define CLIENT_CLIENT_LIST_H

#include "base/recent.h"
#include "client/half_open.h"
#include "client/takeovers.h"
#include "worker/worker.h"

struct conn;
struct conn_opening;
struct conn_ops;
struct listener;

/* Connections are being checked against a new configuration. */
struct admission {
	struct conn *next;       /* the next to check */
	void (*done)(void *arg); /* NULL: none is being checked */
	void *arg;
};

/* Connections go on because the store has space again (space_walk.h). */
struct space_walk {
	struct conn *next; /* NULL: none is left */
	bool again;        /* another walk is wanted, after this one */
};

/* Certificates that end while their clients are connected (certificate_end.h). */
struct certificate_ends {
	/* While a client has one. */
	struct timer timer;
	/* By the wall clock; 0: there is none. */
	int64_t soonest_s;
	/* All connections are being looked at: the next, and the soonest end so far. */
	bool is_walking;
	struct conn *next;
	int64_t found_s;
	struct log_limit log_limit;
};

struct client_list {
	const struct conn_ops *conn_ops;
	struct conn *conns; /* utlist DL, in order of arrival here */
	struct half_open half_open;
	struct admission admission;
	struct space_walk space_walk;
	struct conn *yielding;        /* yield.c; utlist DL */
	struct conn *going_on;        /* the same, before those */
	uint64_t heavy_turn;          /* the worker's turn in which one went on without waiting */
	struct conn_opening *leaving; /* move to another worker at the end of the turn */
	struct listener **listeners;  /* by slot, LISTENER_IDS_MAX of them */
	struct log_limit dropped_limit, refusal_limit;
	struct certificate_ends certificate_ends;
	struct takeovers takeovers;
	uint64_t shared_ids;       /* as counted in the worker's counters */
	struct timer shared_timer; /* while there are some */
	struct recent ends;        /* last_ends.h */
	uint64_t next_arrival;
	size_t others; /* connections that are no clients of MQTT (http/) */
	/* The worker stops, and its last connection is freed. */
	void (*on_empty)(void *arg);
	void *on_empty_arg;
};

void client_list_init(struct worker *w);
void client_list_fini(struct worker *w);
/* A connection was freed: if the worker stops and it was the last one, on_empty is called. */
void client_list_check_empty(struct worker *w);

#endif
