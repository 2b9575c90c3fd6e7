/* A thread of the generator: its clients, its part of each step, and what it does meanwhile. */
#include "run_steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/require.h"
#include "publisher.h"
#include "storm.h"
#include "subscriber.h"

#define TICK_NS          50000000 /* of slow readers */
#define TICKS_KEEP_ALIVE 4        /* the shortest keep alive is a second, and half of one more */
#define PROGRESS_NS      UINT64_C(30000000000)

/* --- idle clients --- */

static void on_idle_open(struct link *l)
{
	struct run_thread *t = run_thread_of(l);

	REQUIRE(t->opening > 0);
	t->opening--;
	count_up(&t->counters.opened, 1);
}

static void on_idle_message(struct link *l, const struct publish *message)
{
	(void)l;
	(void)message;
}

static const struct link_events idle_events = {
    .on_open = on_idle_open,
    .on_message = on_idle_message,
    .on_closed = run_on_closed,
};

/* Those that are measured come after the first ones, who pay for what exists once. */
static uint64_t idle_before(const struct workload *w)
{
	return w->idle > 0 ? w->warm_up_count : 0;
}

static void idle_new(struct run_thread *t)
{
	const struct workload *w = t->run->workload;
	uint64_t all = w->idle + idle_before(w), threads = t->run->thread_count;

	t->idle_count = (size_t)((all + threads - 1 - t->index) / threads);
	t->idle = xcalloc(t->idle_count + 1, sizeof(*t->idle));
	for (size_t i = 0; i < t->idle_count; i++) {
		link_init(&t->idle[i], &t->pool, &idle_events, false);
		(void)snprintf(t->idle[i].id, sizeof(t->idle[i].id), "vb%08x-i%u-%u", t->run->id,
		               t->index % 100, (unsigned)(i % 10000000));
	}
}

/* --- what goes on all the time --- */

static void tick(struct run_thread *t, uint64_t now_ns)
{
	double seconds = t->tick_ns == 0 ? 0 : (double)(now_ns - t->tick_ns + TICK_NS) / 1e9;

	t->tick_ns = now_ns + TICK_NS;
	if (t->run->workload->slow_subscribers > 0)
		subscriber_read_slowly(t, seconds);
	if (++t->ticks % TICKS_KEEP_ALIVE != 0)
		return;
	for (size_t i = 0; i < t->publisher_count; i++)
		link_keep_alive(publisher_link(t, i));
	for (size_t i = 0; i < t->subscriber_count; i++)
		link_keep_alive(subscriber_link(t, i));
	for (size_t i = 0; i < t->idle_opened; i++)
		link_keep_alive(&t->idle[i]);
}

/* --- steps --- */

/* Dial, a few at a time, so that the broker's queue of connections is not what is measured. */
static void open_links(struct run_thread *t, struct link *(*at)(struct run_thread *t, size_t i),
                       size_t from, size_t until)
{
	uint64_t progress_ns = clock_monotonic_ns();
	size_t started = from, opening;

	while ((started < until || t->opening > 0) && run_goes_on(t->run)) {
		while (started < until && t->opening < t->run->workload->connects_at_once &&
		       run_goes_on(t->run)) {
			t->opening++;
			link_start(at(t, started++));
		}
		REQUIRE(started >= from && started <= until);
		opening = t->opening;
		run_serve(t, UINT64_MAX);
		if (t->opening < opening)
			progress_ns = clock_monotonic_ns();
		else if (clock_monotonic_ns() > progress_ns + PROGRESS_NS)
			run_fail(t->run, "the broker let nobody in for 30 seconds");
	}
}

static struct link *idle_link(struct run_thread *t, size_t i)
{
	return &t->idle[i];
}

static void open_idle(struct run_thread *t, size_t count)
{
	size_t from = t->idle_opened;

	REQUIRE(from <= t->idle_count);
	if (count > t->idle_count)
		count = t->idle_count;
	open_links(t, idle_link, from, count);
	t->idle_opened = count;
}

static void step_connect(struct run_thread *t)
{
	uint64_t before = idle_before(t->run->workload), threads = t->run->thread_count;

	open_links(t, subscriber_link, 0, t->subscriber_count);
	open_links(t, publisher_link, 0, t->publisher_count);
	open_idle(t, (size_t)((before + threads - 1 - t->index) / threads));
}

static void step_idle(struct run_thread *t)
{
	open_idle(t, t->idle_count);
}

static void step_traffic(struct run_thread *t)
{
	struct usage_thread before, after;
	const struct run_phase *phase = &t->run->phase;
	bool inside = false;

	storm_start(t);
	if (phase->has_traffic)
		publisher_start_all(t);
	while (run_goes_on(t->run)) {
		uint64_t next_ns = publisher_send_due(t), storm_ns = storm_connect_due(t);

		if (next_ns == UINT64_MAX && storm_ns == UINT64_MAX)
			atomic_store_explicit(&t->counters.idle, true, memory_order_relaxed);
		run_serve(t, next_ns < storm_ns ? next_ns : storm_ns);
		if (!inside && t->pool.now_ns >= phase->from_ns) {
			usage_read_thread(&before);
			inside = true;
		}
		if (inside && t->usage.cpu_ns == 0 && t->pool.now_ns >= phase->until_ns) {
			usage_read_thread(&after);
			t->usage.cpu_ns = after.cpu_ns - before.cpu_ns;
			t->usage.waited_ns = after.waited_ns - before.waited_ns;
		}
	}
	if (inside && t->usage.cpu_ns == 0) {
		usage_read_thread(&after);
		t->usage.cpu_ns = after.cpu_ns - before.cpu_ns;
		t->usage.waited_ns = after.waited_ns - before.waited_ns;
	}
	if (phase->has_traffic)
		publisher_stop_all(t);
}

static void leave_politely(struct link *l)
{
	if (l->state == LINK_OPEN)
		link_leave(l);
}

/* Nobody waits for the broker to close. */
static void step_end(struct run_thread *t)
{
	for (size_t i = 0; i < t->publisher_count; i++)
		leave_politely(publisher_link(t, i));
	for (size_t i = 0; i < t->subscriber_count; i++)
		leave_politely(subscriber_link(t, i));
	for (size_t i = 0; i < t->idle_opened; i++)
		leave_politely(&t->idle[i]);
	run_serve(t, 0);
}

static void (*const steps[])(struct run_thread *t) = {
    [STEP_CONNECT] = step_connect,
    [STEP_IDLE] = step_idle,
    [STEP_SUBSCRIBE] = subscriber_subscribe_all,
    [STEP_AWAY] = subscriber_leave_all,
    [STEP_TRAFFIC] = step_traffic,
    [STEP_REPLAY_CONNECT] = subscriber_replay_connect,
    [STEP_REPLAY] = subscriber_replay,
    [STEP_END] = step_end,
};

_Static_assert(ARRAY_LEN(steps) == STEP_END + 1, "a step has a function");

void *run_steps_main(void *arg)
{
	struct run_thread *t = arg;
	struct bench_run *r = t->run;
	unsigned done = 0, kind = STEP_CONNECT;

	/* Else the kernel lets a thread sleep 50 us longer than it wants to. */
	(void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	do {
		while (atomic_load(&r->step) == done)
			run_serve(t, UINT64_MAX);
		done++;
		kind = r->step_kind;
		REQUIRE(kind < ARRAY_LEN(steps) && steps[kind] != NULL);
		steps[kind](t);
		atomic_fetch_add(&r->arrived, 1);
	} while (kind != STEP_END);
	return NULL;
}

/* --- its life --- */

void run_steps_init(struct run_thread *t, struct bench_run *r, unsigned index)
{
	REQUIRE(index < r->thread_count);
	t->run = r;
	t->index = index;
	t->tick = tick;
	t->prng.state = r->workload->seed + ((uint64_t)index << 40);
	if (!link_pool_init(&t->pool, r->settings))
		run_fail(r, "no descriptors, or no TLS, for a thread: see ulimit -n");
	histogram_init(&t->latency, HISTOGRAM_FINE);
	histogram_init(&t->ack, HISTOGRAM_FINE);
	histogram_init(&t->late, HISTOGRAM_FINE);
	histogram_init(&t->connect, HISTOGRAM_FINE);
	publisher_new_all(t);
	subscriber_new_all(t);
	storm_new(t);
	idle_new(t);
}

void run_steps_fini(struct run_thread *t)
{
	publisher_free_all(t);
	subscriber_free_all(t);
	storm_free(t);
	for (size_t i = 0; i < t->idle_count; i++)
		link_fini(&t->idle[i]);
	free(t->idle);
	histogram_fini(&t->latency);
	histogram_fini(&t->ack);
	histogram_fini(&t->late);
	histogram_fini(&t->connect);
	link_pool_fini(&t->pool);
}
