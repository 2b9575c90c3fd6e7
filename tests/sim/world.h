/* The broker's core in one thread: its workers are driven in an order drawn from a seed, on
 * memory streams, with a simulated clock and random source. One world at a time. DESIGN.md
 * section 2. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "server/config_apply.h"
#include "support/memory_stream.h"
#include "support/store_memory.h"
#include "worker/shared.h"
#include "worker/worker.h"

struct client;
struct wire;
struct stop;

/* What a test asks for; texts that are NULL are those of world.c, which permit everything. */
struct world_settings {
	uint64_t seed;
	unsigned workers;
	const char *conf, *acl, *users;
	unsigned seeds; /* how many a scenario runs; 0: as many as usual */
	bool durable;   /* a journal on tables in memory, which is durable: its turns are delayed */
	bool hashes;    /* passwords are checked, with delay and in any order */
	bool attaches_later; /* sessions are attached with delay, and in any order */
};

/* The wall clock when the monotonic one was 0. */
#define WORLD_WALL_MS ((int64_t)1800000000000)

struct world {
	uint64_t seed;
	uint64_t random_state, broker_random_state;
	uint64_t now_ms;
	unsigned workers;
	unsigned next_workers; /* after the next restart or crash; 0: as many as now */
	/* what the wall clock is wrong by, and will be after the next restart or crash */
	int64_t clock_wrong_ms, next_clock_wrong_ms;
	struct config_snapshot
	    *next_snapshot;          /* of the next broker; NULL: those of the previous one */
	struct world_settings texts; /* the caller keeps conf */
	struct shared *server;
	struct expire_retained *expire_retained; /* NULL: none */
	struct journal *journal;                 /* the server's */
	bool silent;                             /* the log is discarded */
	bool durable;
	bool no_hashes; /* passwords wait until a test says otherwise */
	bool attaches_later;
	bool no_attaches;          /* sessions wait until a test says otherwise */
	bool journal_paused;       /* the journal's turns happen only when a test says so */
	unsigned fail_one_in;      /* of its turns, at random, so many find no space; 0: none */
	struct store_image *image; /* what it stores; NULL: nothing */
	unsigned frozen;           /* a bit per worker whose thread stands still */
	unsigned
	    reading; /* a bit per worker whose turn takes long: it reads, and its end never comes */
	bool wires_stay; /* a test holds wires of its own: none is freed before the end */
	struct config_snapshot *newest; /* policy of all */
	config_apply_done_fn *applied;  /* of the reload under way */
	void *applied_arg;
	uint64_t turns; /* number of steps so far */
	struct executor main_executor;
	struct stop *stop;
	struct client *clients; /* utlist LL */
	struct wire *wires;     /* every connection there ever was; utlist LL */
};

struct world *world_new(const struct world_settings *settings);
/* Stop the broker in order, at any moment, and free everything. */
void world_free(struct world *w);

/* Work that takes several turns does so even if there is little of it. */
bool world_has_small_slices(const struct world *w);

/* The log is discarded, as long as this process lives. */
void world_be_silent(struct world *w);
/* Below `below`, which is not 0. */
uint64_t world_random(struct world *w, uint64_t below);

/* Let steps happen, in a random order. */
void world_steps(struct world *w, unsigned count);
/* Until nothing moves any more; time stands still. */
void world_run(struct world *w);
/* Time advances; every timer fires at its moment. */
void world_advance(struct world *w, uint64_t ms);

/* The process stands still, and its clients do not. */
void world_stop_threads(struct world *w, uint64_t ms);
/* Each thread ends its turn and polls, as a loop does. */
void world_resume_threads(struct world *w);
/* Both. */
void world_pause(struct world *w, uint64_t ms);

/* The next time at which something happens by itself: a timer, or the end of the journal's
 * delay. */
uint64_t world_next_timer(struct world *w);
uint64_t world_next_due(struct world *w);
/* The next broker will find other texts. */
void world_prepare(struct world *w, const struct world_settings *texts);
/* Other texts are applied, worker by worker; NULL: those of world.c. `done` when all have them. */
void world_reload(struct world *w, const struct world_settings *texts, config_apply_done_fn *done,
                  void *arg);

/* One turn of the journal: one commit. False if there was nothing to do, or it failed. */
bool world_commit(struct world *w);
/* Do packets of clients wait for space in the store? */
bool world_has_deferred(const struct world *w);
/* The broker crashes, and another starts on what was committed. Its clients see a broken
 * connection. */
void world_crash(struct world *w);
/* It is stopped in order, and another starts. Its clients are told. */
void world_restart(struct world *w);

/* A connection that arrives at a random worker. */
struct wire *world_connect(struct world *w, const char *name, const char *certificate_name);
struct memory_peer *wire_peer(const struct wire *wire);

/* Messages that a worker dropped, for whatever reason. */
static inline uint64_t count_dropped(const struct worker *w)
{
	uint64_t dropped = 0;

	for (size_t i = 0; i < DROP_REASONS; i++)
		dropped += atomic_load(&w->counters.dropped_by_reason[i]);
	return dropped;
}

#endif
