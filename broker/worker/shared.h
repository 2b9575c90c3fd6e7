/* What all workers share: the trees, the journal, the authenticator, counts.  Thread: any; made
 * and freed on main. */
#ifndef WORKER_SHARED_H
#define WORKER_SHARED_H

#include "auth/authenticator.h"
#include "base/keyed_counter.h"
#include "journal/journal.h"
#include "tree/retain.h"
#include "tree/route.h"
#include "worker/config_snapshot.h"
#include "worker/message_rates.h"
#include "worker/payer.h"

struct worker;

/* Of one listener. */
enum listener_tls { LISTENER_TLS_NONE, LISTENER_TLS_1_2, LISTENER_TLS_1_3, LISTENER_TLS_COUNT };
struct listener_counts {
	_Atomic uint64_t clients; /* connected now */
	_Atomic uint64_t clients_by_tls[LISTENER_TLS_COUNT];
	_Atomic uint64_t accepted, refused; /* CONNECTs */
};

/* Main's. */
struct reload_counts {
	_Atomic uint64_t complete, partial, failed;
	_Atomic uint64_t last_failed; /* 1: the last one did not apply everything */
	_Atomic uint64_t last_ms;     /* wall clock; 0: there was none */
};

struct shared {
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
	struct listener_counts *listeners; /* by slot */
	struct reload_counts reloads;
	struct keyed_counter user_sessions;       /* kept ones, by user key */
	struct keyed_counter user_connections;    /* accepted ones, by user key */
	struct keyed_counter address_connections; /* by stream_peer_key */
	struct message_rates script_rates;        /* of those who publish by HTTP */
	struct payers payers;                     /* of memory: users and addresses */
	/* What is known of ids that users had; main's, workers ask that of their snapshot. */
	struct user_ids *user_ids;
	size_t restored_users; /* main's: not logged yet */
	_Atomic uint64_t set_aside_users;
	_Atomic int64_t certificate_until_s; /* of ours, the first to end; 0: there is none */
	_Atomic uint64_t store_share; /* of one user, by the configuration in force; 0: any */
	_Atomic uint32_t waits;       /* publishers whose messages wait on some worker */
};

/* Deliveries of a publisher begin to wait; or have ended to. Thread: any. */
static inline void shared_begin_wait(struct shared *s)
{
	atomic_fetch_add_explicit(&s->waits, 1, memory_order_relaxed);
}

static inline void shared_end_wait(struct shared *s)
{
	uint32_t before = atomic_fetch_sub_explicit(&s->waits, 1, memory_order_relaxed);

	REQUIRE(before > 0);
}

static inline bool shared_waits(const struct shared *s)
{
	return atomic_load_explicit(&s->waits, memory_order_relaxed) > 0;
}

/* Without workers: server/workers.c adds them. Takes over the journal. */
struct shared *shared_new(unsigned workers, struct journal *journal);
/* NULL is fine. The workers are freed already. */
void shared_free(struct shared *s);

/* The worker that owns a client id. */
struct worker *shared_owner_of(struct shared *s, struct slice client_id);

/* One more client is connected. */
void shared_count_connection(struct shared *s);

/* Count one more stored session of this user, if fewer than `max` are counted; given back with
 * shared_session_give. */
bool shared_session_take(struct shared *s, struct slice user_key, uint32_t max);
void shared_session_give(struct shared *s, struct slice user_key);
uint32_t shared_session_count(struct shared *s, struct slice user_key);

#endif
