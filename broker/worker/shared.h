/* The broker as a whole: what all workers share, and the order of everything: start, stop.  Thread:
 * main's, except the counts. */
#ifndef WORKER_SHARED_H
#define WORKER_SHARED_H

#include "auth/authenticator.h"
#include "base/keyed_counter.h"
#include "journal/journal.h"
#include "tree/retain.h"
#include "tree/route.h"
#include "worker/config_snapshot.h"
#include "worker/payer.h"
#include "worker/worker.h"

struct sweep;
struct sys;

struct server {
	struct route *route;
	struct retain *retain;
	struct journal *journal;
	struct authenticator
	    *authenticator; /* NULL: no password can be checked (simulation gives its own) */
	struct worker **workers;
	unsigned worker_count;
	_Atomic uint64_t connections;
	_Atomic uint64_t connections_most; /* that there ever were at one time */
	_Atomic uint64_t unauthenticated;
	_Atomic uint64_t *listener_connections;   /* per listener */
	struct keyed_counter user_sessions;       /* kept ones, by user key */
	struct keyed_counter user_connections;    /* accepted ones, by user key */
	struct keyed_counter address_connections; /* by stream_peer_key */
	struct payers payers;                     /* of memory: users and addresses */
	_Atomic uint64_t store_share;             /* of one user, by the policy in force; 0: any */
	struct sys *sys;                          /* NULL: nobody publishes $SYS */
	struct sweep *sweep;                      /* NULL: what expired stays until asked for */
};

/* The shared state and the workers, without threads and sockets: a simulation drives these itself.
 * Takes its own reference of policy; takes over the journal. */
struct server *server_new(struct config_snapshot *snapshot, unsigned workers,
                          struct journal *journal);
void server_free(struct server *s);

/* The home of a client id. */
struct worker *server_owner_of(struct server *s, struct slice client_id);

/* One more client is connected. */
void server_count_connection(struct server *s);

/* May this user keep one more session? Counted when true; give back with server_session_gone. */
bool server_session_kept(struct server *s, struct slice user_key, uint32_t max);
void server_session_gone(struct server *s, struct slice user_key);

/* Run until SIGTERM or SIGINT: threads, listeners, stop in the order of DESIGN.md section 6.
 * Returns the exit status: 0; 2 where a listener could not be had; 1 for what the machine refused.
 */
int server_run(struct config_snapshot *snapshot, struct tls_tickets *tickets);

#endif
