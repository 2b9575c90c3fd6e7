/* The broker's core in one thread: its workers are driven in an order drawn from a seed, on memory
 * streams, with a clock and a randomness of the world's own.  One world at a time.  DESIGN.md
 * section 2. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "server/config_apply.h"
#include "support/memory_stream.h"
#include "support/store_memory.h"
#include "worker/shared.h"

struct client;
struct wire;
struct stop;

/* What a test wants; texts left out are those of world.c: everybody may do everything. */
struct world_settings {
	uint64_t seed;
	unsigned workers;
	const char *conf, *acl, *users;
	unsigned seeds; /* how many a scenario runs; 0: as many as usual */
	bool held;      /* a journal on tables in memory, which keeps: its turns come late */
	bool hashes;    /* passwords are checked, late and in any order */
};

struct world {
	uint64_t seed;
	uint64_t random_state, broker_random_state;
	uint64_t now_ms;
	unsigned workers;
	unsigned next_workers; /* after the next restart or crash; 0: as many as now */
	struct config_snapshot
	    *next_snapshot;          /* of the next broker; NULL: that of the one before */
	struct world_settings texts; /* conf is the caller's and stays */
	struct shared *server;
	struct sweep *sweep;     /* NULL: none */
	struct journal *journal; /* the server's */
	bool silent;             /* the log goes nowhere */
	bool held;
	bool no_hashes;            /* passwords wait until a test says otherwise */
	bool hold;                 /* the journal's turns come only when a test says so */
	unsigned fail_one_in;      /* of its turns by chance, so many find no space; 0: none */
	struct store_image *image; /* what it keeps; NULL: nothing */
	unsigned frozen;           /* a bit per home whose thread stands still */
	unsigned
	    reading; /* a bit per home whose turn takes long: it reads, and its end never comes */
	bool wires_stay; /* a test holds wires of its own: none is freed before the end */
	struct config_snapshot *newest; /* policy of all */
	uint64_t turns;                 /* what one thread did between two others, so far */
	struct executor main_executor;
	struct stop *stop;
	struct client *clients; /* utlist LL */
	struct wire *wires;     /* every connection there ever was; utlist LL */
};

struct world *world_new(const struct world_settings *settings);
/* The orderly stop of the broker, wherever it stands, and everything freed. */
void world_free(struct world *w);

/* Work that goes over several turns does so there even where it is little. */
bool world_has_small_slices(const struct world *w);

/* The log goes nowhere, as long as this process lives. */
void world_be_silent(struct world *w);
/* Below `below`, which is not 0. */
uint64_t world_random(struct world *w, uint64_t below);

/* Let things happen, in a random order. */
void world_steps(struct world *w, unsigned count);
/* Until nothing moves any more; time stands still. */
void world_run(struct world *w);
/* Time goes on; every timer fires at its moment. */
void world_advance(struct world *w, uint64_t ms);

/* The next time at which something happens by itself: a timer, or what the journal has waits no
 * longer. */
uint64_t world_next_timer(struct world *w);
uint64_t world_next_due(struct world *w);
/* The next broker will find other texts. */
void world_prepare(struct world *w, const struct world_settings *texts);
/* Other texts are in force, worker by worker; NULL: those of world.c. `done` when all have them. */
void world_reload(struct world *w, const struct world_settings *texts, config_apply_done_fn *done,
                  void *arg);

/* One turn of the journal: one commit. False: there was nothing to do, or it could not be done. */
bool world_commit(struct world *w);
/* Do packets of clients wait for room in the store? */
bool world_has_deferred(const struct world *w);
/* The broker dies, and another starts on what was committed. Its clients see a broken connection.
 */
void world_crash(struct world *w);
/* It is stopped as one should, and another starts. Its clients hear of it. */
void world_restart(struct world *w);

/* A connection that arrives at a random worker. */
struct wire *world_connect(struct world *w, const char *name, const char *certificate_name);
struct memory_peer *wire_peer(const struct wire *wire);

#endif
