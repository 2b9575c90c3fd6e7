/* Connects: TLS handshake, CONNECT, CONNACK, DISCONNECT, and again, at a rate or so many at a time.
 * One that is due when all are on their way waits, and its time counts from when it was due. */
#include "storm.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/require.h"

/* At a rate, at most so many of a thread are on their way. */
enum { STORM_MAX = 4000 };

struct stormer {
	struct link link; /* first */
	struct run_thread *thread;
	uint64_t due_ns;
	struct stormer *next; /* free */
};

struct storm {
	struct stormer **all;
	size_t count, cap, max;
	struct stormer *unused;
	struct schedule schedule;
	bool is_closed;           /* no rate: as many at a time as are allowed */
	uint64_t started, target; /* target: of connects, UINT64_MAX: until the end */
};

static void on_open(struct link *l)
{
	struct stormer *s = (struct stormer *)l;
	struct run_thread *t = s->thread;

	if (run_is_measured(t->run, s->due_ns))
		histogram_add(&t->connect, t->pool.now_ns - s->due_ns);
	count_up(&t->counters.connects, 1);
	link_leave(l);
}

static void on_message(struct link *l, const struct publish *message)
{
	(void)l;
	(void)message;
}

static void on_closed(struct link *l, const char *why)
{
	struct stormer *s = (struct stormer *)l;
	struct storm *storm = s->thread->storm;

	if (why != NULL) {
		count_up(&s->thread->counters.connect_fails, 1);
		/* All of them fail for one reason: then there is nothing to measure. */
		if (atomic_load_explicit(&s->thread->counters.connects, memory_order_relaxed) == 0)
			run_fail(s->thread->run, "a client could not connect: %s", why);
	}
	s->next = storm->unused;
	REQUIRE(l->state == LINK_NONE);
	storm->unused = s;
}

static const struct link_events events = {
    .on_open = on_open,
    .on_message = on_message,
    .on_closed = on_closed,
};

void storm_new(struct run_thread *t)
{
	const struct workload *w = t->run->workload;
	struct storm *storm;

	if (!workload_has_storm(w))
		return;
	storm = t->storm = xzalloc(sizeof(*storm));
	storm->is_closed = workload_has_closed_storm(w);
	storm->max = storm->is_closed ? w->connects_at_once : STORM_MAX;
}

void storm_free(struct run_thread *t)
{
	if (t->storm == NULL)
		return;
	for (size_t i = 0; i < t->storm->count; i++) {
		link_fini(&t->storm->all[i]->link);
		free(t->storm->all[i]);
	}
	free(t->storm->all);
	free(t->storm);
}

static struct stormer *take_unused(struct run_thread *t)
{
	struct storm *storm = t->storm;
	struct stormer *s = storm->unused;

	if (s != NULL) {
		storm->unused = s->next;
		return s;
	}
	if (storm->count == storm->max)
		return NULL;
	if (storm->count == storm->cap) {
		storm->cap = storm->cap == 0 ? 16 : storm->cap * 2;
		storm->all = xrealloc_array(storm->all, storm->cap, sizeof(*storm->all));
	}
	s = storm->all[storm->count] = xzalloc(sizeof(*s));
	s->thread = t;
	link_init(&s->link, &t->pool, &events, false);
	(void)snprintf(s->link.id, sizeof(s->link.id), "vb%08x-c%u-%u", t->run->id, t->index % 100,
	               (unsigned)storm->count++ % 10000);
	return s;
}

void storm_start(struct run_thread *t)
{
	const struct workload *w = t->run->workload;
	uint64_t all = t->run->phase.connects, threads = t->run->thread_count;
	struct storm *storm = t->storm;

	if (storm == NULL)
		return;
	REQUIRE(threads > 0 && t->index < threads);
	storm->started = 0;
	storm->target = all == 0 ? UINT64_MAX : all / threads + (t->index < all % threads);
	if (!storm->is_closed)
		schedule_init(
		    &storm->schedule,
		    &(struct schedule_options){.arrivals = (enum arrivals)w->arrivals,
		                               .rate = w->connect_rate / (double)threads,
		                               .count = 1,
		                               .ramp_s = (double)w->ramp / 1000,
		                               .offset = (double)t->index / (double)threads,
		                               .seed = w->seed ^ (UINT64_C(1) << 32) ^ t->index});
}

static void start_one(struct run_thread *t, struct stormer *s, uint64_t due_ns, uint64_t now_ns)
{
	bool is_measured = run_is_measured(t->run, due_ns);

	REQUIRE(due_ns <= now_ns && s->link.state == LINK_NONE);
	s->due_ns = due_ns;
	t->storm->started++;
	count_up(&t->counters.dials, 1);
	t->due += is_measured;
	t->begun += is_measured;
	if (is_measured && !t->storm->is_closed)
		histogram_add(&t->late, now_ns - due_ns);
	link_start(&s->link);
}

uint64_t storm_connect_due(struct run_thread *t)
{
	struct storm *storm = t->storm;
	const struct run_phase *phase = &t->run->phase;

	while (storm != NULL && storm->started < storm->target) {
		uint64_t now_ns = clock_monotonic_ns();
		uint64_t due_ns =
		    storm->is_closed ? now_ns : phase->start_ns + storm->schedule.due_ns;
		struct stormer *s;

		if (phase->connects == 0 && due_ns >= phase->until_ns)
			break;
		if (due_ns > now_ns)
			return due_ns;
		s = take_unused(t);
		if (s == NULL)
			break;
		start_one(t, s, due_ns, now_ns);
		if (!storm->is_closed)
			schedule_advance(&storm->schedule);
	}
	return UINT64_MAX;
}
