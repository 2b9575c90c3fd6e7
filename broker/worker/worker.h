/* A worker: one thread's share of the broker.  Its home (mailbox, timers, turn), the connections
 * and sessions that live here, the live subscribers of each filter, and what it needs of the shared
 * state.  DESIGN.md section 3. Thread: its own; `counters` are read by others. */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "client/conn.h"
#include "journal/journal.h"
#include "session/session.h"
#include "tree/retain.h"
#include "tree/route.h"
#include "tree/route_match.h"
#include "worker/config_snapshot.h"
#include "worker/memory_quota.h"

struct server;
struct loop;
struct listener;

enum flow_state {
	FLOW_OPEN,
	FLOW_STALLED, /* above the high mark; counted in worker->stalled */
	FLOW_WAKING,  /* `low` is on its way back, still counted */
};

/* Bytes on their way from one executor to another: above the high mark the sender stops reading
 * from those who publish. */
struct flow {
	struct task low; /* the fact that goes back: there is space again */
	struct worker *from;
	_Atomic size_t bytes;
	_Atomic int state; /* enum flow_state */
} __attribute__((aligned(64)));
#define FLOW_HIGH ((size_t)8 << 20)
#define FLOW_LOW  ((size_t)2 << 20)

/* What a worker counts; stats_take adds up those of all workers. */
struct counters {
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

static inline void uncount(_Atomic uint64_t *counter, uint64_t n)
{
	count_by(counter, (uint64_t)0 - n);
}

/* The bytes of the PUBLISH encoded last: equal for every subscriber with the same options. */
struct encoded {
	struct msg *msg; /* borrowed; NULL: empty */
	enum mqtt_version version;
	uint8_t qos;
	bool retain;
	uint32_t expiry_s;
	size_t packet_id_at;
	struct buf bytes;
};

/* The last answer about receiving the message at hand: the next subscriber's is often the same. */
struct receive_answer {
	const struct msg *msg;             /* NULL: none */
	const struct acl_subject *subject; /* whose it was; borrowed while it is at hand */
	struct acl_verdict verdict;
};

struct batch;

/* Connections are being checked against a new configuration (admission.h). */
struct admission {
	struct conn *next; /* the first that was not checked yet */
	struct session *next_session;
	void (*done)(void *arg); /* NULL: all are */
	void *arg;
};

struct worker {
	struct executor executor;
	struct server *server;
	struct loop *loop; /* NULL: driven by a simulation */
	struct config_snapshot *snapshot;
	struct table sessions; /* by user key and client id */
	struct table sessions_by_id;
	struct session *all_sessions; /* utlist DL, the oldest first */
	struct session *working;      /* session_work.c; utlist DL */
	struct session *ended;        /* the same */
	struct table filters; /* by id: the first of its live subscribers here (utlist DL) */
	struct conn *conns;   /* utlist DL, in order of arrival here */
	struct half_open half_open;
	struct admission admission;
	struct session *memory_waits; /* memory_wait.c */
	struct timer memory_timer;
	unsigned memory_wait_count;
	struct conn *dirty;
	struct conn *yielding; /* yield.c; utlist DL */
	uint64_t turn;         /* number of the present one */
	uint64_t work;         /* done so far, in steps of a fraction of a microsecond */
	unsigned turn_steps;   /* of work that a connection may cause in a turn */
	struct conn *review;   /* their input limit is applied at the end of the turn */
	struct conn *leaving;  /* move to another executor at the end of the turn */
	struct buf spare[128]; /* output buffers to use again */
	size_t spare_bytes;
	struct listener **listeners; /* by slot, LISTENER_IDS_MAX of them */
	struct route_match match;
	struct merge *merges; /* scratch of deliver.c */
	size_t merge_count, merge_cap;
	uint64_t merge_serial;
	uint64_t *ids; /* scratch of handover.c: filter ids of one executor */
	size_t id_cap;
	struct encoded encoded;
	struct receive_answer receive_answer;
	struct batch **outbox; /* one per home: built during the turn */
	struct flow *flows;    /* to each executor */
	size_t own_in_flight;  /* batches of ours in our own mailbox */
	struct journal_group
	    *pending_records; /* keep.c: written down since the last group; NULL: none */
	uint64_t received_ms; /* when the packet at hand came */
	uint64_t next_session;
	uint64_t next_arrival;
	struct acl_subject *writer_subject; /* of the last writer checked during a replay */
	struct origin *writer_origin;
	uint64_t writer_generation;
	struct log_limit refusal_limit, dropped_limit, share_limit, quota_limit, memory_limit;
	struct quota_room room;
	struct counters counters;
	unsigned spare_count;
	unsigned stalled; /* flows that are not open */
	bool fan_out;     /* the message at hand goes to several: encode once */
	bool outbox_kept; /* the outbox has messages of queues, which went ahead of the disk */
	bool records_urgent;
	bool is_durable; /* the journal is durable */
	bool page_asked; /* by a session for which there was hardly memory: one at a time */
	bool stopping;
	struct step *stop_step; /* to answer when the last connection has gone */
};

/* See charge.h: here, for each message in flight costs two of them. */
static inline void charge_add(struct worker *w, struct charge *c, uint64_t bytes)
{
	c->bytes += bytes;
	payer_add(c->payer, w->executor.index, bytes);
	count_by(&w->counters.memory_bytes, bytes);
}

static inline void charge_sub(struct worker *w, struct charge *c, uint64_t bytes)
{
	REQUIRE(bytes <= c->bytes);
	charge_add(w, c, (uint64_t)0 - bytes);
}

/* `loop` is set later, by the thread that runs it. */
struct worker *worker_new(struct server *server, unsigned index, struct config_snapshot *snapshot);
void worker_free(struct worker *w);

static inline struct worker *worker_here(void)
{
	return executor_current()->arg;
}

#define REQUIRE_OWNER(object) REQUIRE(executor_current() == &(object)->worker->executor)

/* Mark for the end of the turn. */
void worker_mark_dirty(struct worker *w, struct conn *c);
/* Apply its input limit at the end of the turn: answers have left, or a delivery is on its way. */
void worker_review(struct worker *w, struct conn *c);
struct buf worker_take_buf(struct worker *w);
void worker_give_buf(struct worker *w, struct buf *b);

/* The journal has space again (journal_space_fn). */
void worker_on_space(void *executor_arg);
/* Pause everybody who publishes while some flow is above its mark. */
void worker_stall(struct worker *w, struct conn *c);

/* About four milliseconds. */
#define WORKER_TURN_STEPS 16384

const struct conf_limits *worker_limits(const struct worker *w, const struct conn *c);
const struct conf_listener *worker_listener(const struct worker *w, unsigned slot);

#endif
