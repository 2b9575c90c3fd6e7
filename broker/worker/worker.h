/* A worker: one thread's share of the broker.  Here is what every folder above uses: the executor
 * (mailbox, timers, turn), the configuration in force, counters, and the way to what all workers
 * share.  Each folder above has its own part behind a pointer.  Thread: its own; `counters` are
 * read by others. */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include <stdatomic.h>

#include "auth/login.h"
#include "base/executor.h"
#include "base/latency.h"
#include "base/log.h"
#include "base/require.h"
#include "tree/route_match.h"
#include "worker/config_snapshot.h"
#include "worker/quota_rule.h"

struct client_list;
struct control_topics;
struct http_server;
struct loop;
struct ordered_work;
struct record_batch;
struct router;
struct session_table;
struct session_upcalls;
struct shared;
struct worker_output;

/* Why a message is dropped: an index of dropped_by_reason. */
enum drop_reason {
#define DROP(id, name, text) DROP_##id,
#include "worker/drop_reasons.def"
#undef DROP
	DROP_REASONS
};

/* Indexes of denied_by_action, which are session/session_report.h:denial_kind, and of
 * closed_by_reason. */
#define DENIED_ACTIONS    5
#define CLOSE_REASONS_MAX 32
/* Bits of session/client_link.h:pause_reason. */
#define PAUSE_REASONS 10

/* What a worker counts; stats_take adds up those of all workers. */
struct counters {
#define COUNTER_SET(member, size)            _Atomic uint64_t member[size];
#define COUNTER(member, topic, status, text) _Atomic uint64_t member;
#include "worker/figures.def"
};

/* One writer: no read-modify-write needed. */
static inline void count_by(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
	                      memory_order_relaxed);
}

static inline void count(_Atomic uint64_t *counter)
{
	count_by(counter, 1);
}

/* A packet, and its bytes on the wire. */
static inline void count_packet_received(struct counters *counters, unsigned type, size_t bytes)
{
	count(&counters->received_by_type[type]);
	count_by(&counters->received_bytes_by_type[type], bytes);
}

static inline void count_packet_sent(struct counters *counters, unsigned type, size_t bytes)
{
	count(&counters->sent_by_type[type]);
	count_by(&counters->sent_bytes_by_type[type], bytes);
}

static inline void count_drop(struct counters *counters, enum drop_reason why)
{
	count(&counters->dropped_by_reason[why]);
}

static inline void uncount(_Atomic uint64_t *counter, uint64_t n)
{
	count_by(counter, (uint64_t)0 - n);
}

/* What is done in order, a slice in each turn (ordered_work.h). */
enum ordered_kind {
	ORDERED_POSITIONS,
	ORDERED_PUBLISHES,
	ORDERED_KINDS,
};

struct worker {
	struct executor executor;
	struct shared *shared;
	struct loop *loop; /* NULL: driven by a simulation */
	struct config_snapshot *snapshot;
	/* What each folder above has of a worker, and what sessions ask of those above them. */
	struct record_batch *records;   /* durability/record_batch.h */
	struct session_table *sessions; /* session/session.h */
	struct worker_output *output;   /* session/client_link.h */
	struct router *router;          /* routing/router.h */
	struct client_list *clients;    /* client/client_list.h */
	struct http_server *http;       /* http/http_server.h */
	struct control_topics *control; /* admin/control/control_topic.h; NULL: there is none */
	const struct session_upcalls *upcalls;
	uint64_t turn;       /* number of the present one */
	uint64_t work;       /* done so far, in steps of a fraction of a microsecond */
	uint64_t work_until; /* at which what can wait is left to the next turn */
	struct ordered_work *ordered[ORDERED_KINDS]; /* that waits (ordered_work.h); utlist DL */
	unsigned turn_steps; /* of work that a connection may cause in a turn */
	struct log_limit quota_limit, memory_limit;
	struct quota_space space;
	struct counters counters;
	bool is_durable; /* the journal is durable */
	bool delivering; /* a message is given to sessions here: nothing closes (T4) */
	bool stopping;
};

/* The part that all folders use; `loop` is set later, by the thread that runs it. */
void worker_init(struct worker *w, struct shared *shared, unsigned index,
                 struct config_snapshot *snapshot, executor_turn_end_fn *turn_end);
void worker_fini(struct worker *w);

static inline struct worker *worker_here(void)
{
	return executor_current()->arg;
}

#define REQUIRE_OWNER(object) REQUIRE(executor_current() == &(object)->worker->executor)

/* About four milliseconds. */
#define WORKER_TURN_STEPS 16384

/* A turn begins: all connections together may cause so much, about four milliseconds, before what
 * can wait has to. */
static inline void worker_begin_turn(struct worker *w)
{
	w->work_until = w->work + w->turn_steps;
}

static inline bool worker_turn_is_used(const struct worker *w)
{
	return w->work >= w->work_until;
}

/* The limits of a listener; those of the whole broker where it is gone. */
const struct conf_limits *worker_limits(const struct worker *w, unsigned listener);
const struct conf_listener *worker_listener(const struct worker *w, unsigned slot);

#endif
