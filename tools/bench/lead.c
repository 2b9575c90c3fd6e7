/* The steps in their order, what is measured around and in them, and the sums afterwards. */
#include "lead.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/require.h"
#include "program/command_line.h"
#include "publisher.h"
#include "run_steps.h"

#define SECOND_NS   UINT64_C(1000000000)
#define LOOK_NS     5000000
#define HEAD_NS     20000000 /* between a start and the first thing that is due */
#define STUCK_NS    (30 * SECOND_NS)
#define REPLAYS_MAX 1000

struct snapshot {
	uint64_t at_ns, sent, received, acked, wanted, waiting, opened, dials, connects, fails;
	struct usage_process usage;
};

struct leader {
	const struct lead_options *options;
	struct results *results;
	struct bench_run run;
	struct snapshot shown; /* at the last line of progress */
	uint64_t begun_ns;
	size_t started;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signum)
{
	(void)signum;
	interrupted = 1;
}

static uint64_t load(_Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static void take_counts(struct leader *m, struct snapshot *s)
{
	*s = (struct snapshot){.at_ns = clock_monotonic_ns()};
	for (unsigned i = 0; i < m->run.thread_count; i++) {
		struct run_counters *c = &m->run.threads[i].counters;

		s->sent += load(&c->sent);
		s->received += load(&c->received);
		s->acked += load(&c->acked);
		s->wanted += load(&c->wanted);
		s->waiting += load(&c->waiting);
		s->opened += load(&c->opened);
		s->dials += load(&c->dials);
		s->connects += load(&c->connects);
		s->fails += load(&c->connect_fails);
	}
}

/* With what the broker used until now; `settled`: when it has come to rest. */
static void take_snapshot(struct leader *m, struct snapshot *s, bool settled)
{
	pid_t broker = m->options->broker;
	struct usage_process usage = {0};

	if (broker != 0 && !(settled ? usage_read_settled : usage_read)(broker, &usage))
		run_fail(&m->run, "the process %d, given by --pid, is gone or may not be looked at",
		         (int)broker);
	take_counts(m, s);
	s->usage = usage;
}

/* --- progress --- */

static double a_second(uint64_t now, uint64_t before, uint64_t ns)
{
	return (double)(now - before) * 1e9 / (double)ns;
}

static void show_progress(struct leader *m)
{
	struct snapshot now;
	uint64_t ns, latency_ns = 0;

	take_counts(m, &now);
	ns = now.at_ns - m->shown.at_ns;
	if (!m->options->progress || ns < SECOND_NS)
		return;
	for (unsigned i = 0; i < m->run.thread_count; i++) {
		uint64_t one = atomic_exchange_explicit(&m->run.threads[i].counters.latency_ns, 0,
		                                        memory_order_relaxed);

		latency_ns = one > latency_ns ? one : latency_ns;
	}
	fprintf(stderr,
	        "%5.0f s  clients %" PRIu64 "  sent %.0f/s  received %.0f/s  longest %.2f ms",
	        (double)(now.at_ns - m->begun_ns) / 1e9, now.opened,
	        a_second(now.sent, m->shown.sent, ns),
	        a_second(now.received, m->shown.received, ns), (double)latency_ns / 1e6);
	if (now.waiting > 0)
		fprintf(stderr, "  held up %" PRIu64, now.waiting);
	if (workload_has_storm(m->options->workload))
		fprintf(stderr, "  connects %.0f/s, failed %" PRIu64,
		        a_second(now.connects, m->shown.connects, ns), now.fails);
	fputc('\n', stderr);
	m->shown = now;
}

static void pause_a_little(struct leader *m)
{
	static const struct timespec pause = {.tv_nsec = LOOK_NS};

	(void)nanosleep(&pause, NULL);
	show_progress(m);
}

/* --- steps --- */

static bool goes_on(struct leader *m)
{
	return !atomic_load(&m->run.failed) && interrupted == 0;
}

static void begin_step(struct leader *m, enum run_step kind)
{
	REQUIRE(m->started == m->run.thread_count || kind == STEP_END);
	atomic_store(&m->run.arrived, 0);
	atomic_store(&m->run.stop, false);
	for (size_t i = 0; i < m->started; i++)
		atomic_store(&m->run.threads[i].counters.idle, false);
	m->run.step_kind = kind;
	atomic_fetch_add(&m->run.step, 1);
	for (size_t i = 0; i < m->started; i++)
		link_pool_wake(&m->run.threads[i].pool);
}

static void end_step(struct leader *m)
{
	while (atomic_load(&m->run.arrived) < m->started) {
		if (interrupted != 0) {
			atomic_store(&m->run.stop, true);
			for (size_t i = 0; i < m->started; i++)
				link_pool_wake(&m->run.threads[i].pool);
		}
		pause_a_little(m);
	}
}

static void do_step(struct leader *m, enum run_step kind)
{
	if (!goes_on(m) && kind != STEP_END)
		return;
	begin_step(m, kind);
	end_step(m);
}

static void stop_traffic(struct leader *m)
{
	atomic_store(&m->run.stop, true);
	for (size_t i = 0; i < m->started; i++)
		link_pool_wake(&m->run.threads[i].pool);
	end_step(m);
}

static int64_t growth(const struct snapshot *before, const struct snapshot *after)
{
	return (int64_t)(after->usage.resident_bytes - before->usage.resident_bytes);
}

static void connect_all(struct leader *m)
{
	const struct workload *w = m->options->workload;
	struct snapshot before, after;

	do_step(m, STEP_CONNECT);
	if (w->idle > 0) {
		take_snapshot(m, &before, true);
		do_step(m, STEP_IDLE);
		take_snapshot(m, &after, true);
		m->results->idle_bytes = growth(&before, &after);
	}
	if (w->subscribers == 0)
		return;
	if (w->filters > 1)
		take_snapshot(m, &before, true);
	do_step(m, STEP_SUBSCRIBE);
	if (w->filters > 1) {
		take_snapshot(m, &after, true);
		m->results->subscribe_bytes = growth(&before, &after);
		m->results->subscribe_cpu_ns = after.usage.cpu_ns - before.usage.cpu_ns;
	}
	if (w->away)
		do_step(m, STEP_AWAY);
}

/* --- traffic --- */

/* Has every thread come to all that was due? One that waited for a core has not. */
static bool is_begun(struct leader *m)
{
	for (unsigned i = 0; i < m->run.thread_count; i++) {
		if (!atomic_load_explicit(&m->run.threads[i].counters.idle, memory_order_relaxed))
			return false;
	}
	return true;
}

/* Has everything come that must? Where subscribers of one publisher are slow and of another are
 * not, the counts alone do not tell. */
static bool is_complete(struct leader *m, const struct snapshot *s)
{
	const struct workload *w = m->options->workload;

	if (!is_begun(m) || s->waiting > 0 || (w->qos > 0 && s->acked < s->sent) ||
	    s->connects + s->fails < s->dials)
		return false;
	if (w->publishers == 0 || w->away)
		return true;
	if (w->layout == LAYOUT_PAIRS && w->slow_subscribers > 0)
		return false;
	return s->wanted >= s->sent * workload_copies(w, 0);
}

/* Wait for what is missing: until until_ns, or for as long as something comes. */
static void drain(struct leader *m, uint64_t until_ns)
{
	struct snapshot s, last;

	take_counts(m, &last);
	for (s = last; goes_on(m) && !is_complete(m, &s); take_counts(m, &s)) {
		if (s.wanted + s.acked > last.wanted + last.acked)
			last = s;
		if (until_ns != 0 ? s.at_ns >= until_ns
		                  : s.at_ns >= last.at_ns + m->options->workload->drain * 1000000)
			break;
		pause_a_little(m);
	}
}

static void note_measured(struct leader *m, const struct snapshot *from,
                          const struct snapshot *until)
{
	struct results *r = m->results;

	r->seconds = (double)(until->at_ns - from->at_ns) / 1e9;
	REQUIRE(until->sent >= from->sent && until->connects >= from->connects);
	r->sent = until->sent - from->sent;
	r->received = until->received - from->received;
	r->connects = until->connects - from->connects;
	r->cpu_ns = until->usage.cpu_ns - from->usage.cpu_ns;
	r->resident_bytes = until->usage.resident_bytes;
	r->traffic_bytes = growth(from, until);
}

static void sleep_until(struct leader *m, uint64_t until_ns)
{
	while (goes_on(m)) {
		uint64_t now_ns = clock_monotonic_ns();
		struct timespec left;

		if (now_ns >= until_ns)
			return;
		if (until_ns - now_ns > LOOK_NS) {
			pause_a_little(m);
			continue;
		}
		left = (struct timespec){.tv_nsec = (long)(until_ns - now_ns)};
		(void)nanosleep(&left, NULL);
	}
}

static void run_for_a_time(struct leader *m)
{
	const struct workload *w = m->options->workload;
	struct snapshot from, until;
	struct run_phase *phase = &m->run.phase;

	*phase = (struct run_phase){.start_ns = clock_monotonic_ns() + HEAD_NS,
	                            .has_traffic = w->publishers > 0};
	phase->from_ns = phase->start_ns + (w->ramp + w->warm_up) * 1000000;
	phase->until_ns = phase->from_ns + w->duration * 1000000;
	begin_step(m, STEP_TRAFFIC);
	sleep_until(m, phase->from_ns);
	take_snapshot(m, &from, false);
	sleep_until(m, phase->until_ns);
	take_snapshot(m, &until, w->away);
	note_measured(m, &from, &until);
	drain(m, phase->until_ns + w->drain * 1000000);
	stop_traffic(m);
}

/* Until as many have been sent or have connected. */
static void wait_for_counts(struct leader *m, const struct snapshot *from)
{
	const struct run_phase *phase = &m->run.phase;
	const struct workload *w = m->options->workload;
	uint64_t messages =
	    workload_is_closed(w) ? phase->messages / w->bunch * w->bunch : phase->messages;
	struct snapshot s, last = *from;

	for (take_counts(m, &s); goes_on(m); take_counts(m, &s)) {
		if (s.sent - from->sent >= messages &&
		    s.connects + s.fails - from->connects - from->fails >= phase->connects)
			break;
		if (s.sent + s.acked + s.wanted + s.connects + s.fails >
		    last.sent + last.acked + last.wanted + last.connects + last.fails)
			last = s;
		if (s.at_ns > last.at_ns + STUCK_NS)
			run_fail(&m->run,
			         "for 30 seconds nothing has been sent, received or connected");
		pause_a_little(m);
	}
	drain(m, 0);
}

/* A closed loop does not wait for the first thing that is due. */
static bool begins_at_once(const struct leader *m)
{
	const struct workload *w = m->options->workload;

	/* mutant: bench_closed_start */
	return w->publishers > 0 ? workload_is_closed(w) : workload_has_closed_storm(w);
}

static void run_counted(struct leader *m, uint64_t messages, uint64_t connects, bool is_measured)
{
	struct run_phase *phase = &m->run.phase;
	struct snapshot from, until;

	take_snapshot(m, &from, true);
	*phase = (struct run_phase){.start_ns = clock_monotonic_ns() + HEAD_NS,
	                            .until_ns = UINT64_MAX,
	                            .messages = messages,
	                            .connects = connects,
	                            .has_traffic = messages > 0};
	phase->from_ns = is_measured ? phase->start_ns - HEAD_NS : UINT64_MAX;
	if (!goes_on(m))
		return;
	from.at_ns = begins_at_once(m) ? clock_monotonic_ns() : phase->start_ns;
	begin_step(m, STEP_TRAFFIC);
	wait_for_counts(m, &from);
	take_counts(m, &until);
	stop_traffic(m);
	if (is_measured) {
		uint64_t at_ns = until.at_ns;

		take_snapshot(m, &until, true);
		until.at_ns = at_ns;
		note_measured(m, &from, &until);
	}
}

static void run_traffic(struct leader *m)
{
	const struct workload *w = m->options->workload;

	if (!goes_on(m))
		return;
	if (w->messages == 0 && w->connects == 0) {
		run_for_a_time(m);
		return;
	}
	if (w->warm_up_count > 0)
		run_counted(m, w->messages > 0 ? w->warm_up_count : 0,
		            w->connects > 0 ? w->warm_up_count : 0, false);
	run_counted(m, w->messages, w->connects, true);
}

/* --- replay --- */

static int compare_numbers(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t median(uint64_t *numbers, size_t count)
{
	REQUIRE(count > 0);
	qsort(numbers, count, sizeof(*numbers), compare_numbers);
	return numbers[count / 2];
}

static void replay(struct leader *m)
{
	uint64_t cpu_ns[REPLAYS_MAX], wall_ns[REPLAYS_MAX];
	uint64_t count = m->options->workload->replays;

	for (uint64_t i = 0; i < count; i++) {
		struct snapshot before, after;

		do_step(m, STEP_REPLAY_CONNECT);
		take_snapshot(m, &before, true);
		wall_ns[i] = clock_monotonic_ns();
		do_step(m, STEP_REPLAY);
		wall_ns[i] = clock_monotonic_ns() - wall_ns[i];
		take_snapshot(m, &after, true);
		cpu_ns[i] = after.usage.cpu_ns - before.usage.cpu_ns;
	}
	if (count == 0 || !goes_on(m))
		return;
	m->results->replay_cpu_ns = median(cpu_ns, count);
	m->results->replay_wall_ns = median(wall_ns, count);
}

/* --- sums --- */

static void add_thread(struct leader *m, struct run_thread *t)
{
	struct results *r = m->results;
	double busy = r->seconds > 0 ? (double)t->usage.cpu_ns / 1e9 / r->seconds : 0;
	double waited = r->seconds > 0 ? (double)t->usage.waited_ns / 1e9 / r->seconds : 0;

	histogram_merge(&r->latency, &t->latency);
	histogram_merge(&r->ack, &t->ack);
	histogram_merge(&r->late, &t->late);
	histogram_merge(&r->connect, &t->connect);
	r->flow.unique += t->flow.unique;
	r->flow.duplicates += t->flow.duplicates;
	r->flow.disordered += t->flow.disordered;
	r->refused_acks += t->refused_acks;
	r->foreign += t->foreign;
	r->slow_received += t->slow_received;
	r->full_window += t->full_window;
	r->full_socket += t->full_socket;
	r->handshakes += t->pool.handshakes;
	r->resumed += t->pool.resumed;
	r->check.due += t->due;
	r->check.begun += t->begun;
	r->check.busy = busy > r->check.busy ? busy : r->check.busy;
	r->check.waited = waited > r->check.waited ? waited : r->check.waited;
	for (size_t i = 0; i < t->publisher_count && !m->options->workload->away; i++)
		r->expected +=
		    publisher_sent(t, i) *
		    workload_copies(m->options->workload, i * m->run.thread_count + t->index);
}

static void add_up(struct leader *m)
{
	struct results *r = m->results;
	struct snapshot s;

	take_counts(m, &s);
	r->sent_all = s.sent;
	r->acked_all = s.acked;
	r->unsent = s.waiting;
	r->connects_all = s.connects;
	r->connect_fails = s.fails;
	r->has_usage = m->options->broker != 0;
	r->interrupted = interrupted != 0;
	for (unsigned i = 0; i < m->run.thread_count; i++)
		add_thread(m, &m->run.threads[i]);
	/* A message that the broker refused is none that must come. */
	if (m->options->workload->publishers > 0)
		r->expected -=
		    r->refused_acks * workload_copies(m->options->workload, 0) <= r->expected
			? r->refused_acks * workload_copies(m->options->workload, 0)
			: r->expected;
}

static void start_threads(struct leader *m)
{
	for (unsigned i = 0; i < m->run.thread_count; i++)
		run_steps_init(&m->run.threads[i], &m->run, i);
	while (m->started < m->run.thread_count && !atomic_load(&m->run.failed)) {
		struct run_thread *t = &m->run.threads[m->started];
		int rc = pthread_create(&t->thread, NULL, run_steps_main, t);

		if (rc != 0)
			run_fail(&m->run, "cannot start a thread: %s", strerror(rc));
		else
			m->started++;
	}
}

void lead(const struct lead_options *o, struct results *r)
{
	struct sigaction action = {.sa_handler = on_interrupt};
	struct leader m = {.options = o, .results = r, .begun_ns = clock_monotonic_ns()};

	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	m.shown.at_ns = m.begun_ns;
	m.run.workload = o->workload;
	m.run.settings = o->settings;
	m.run.id = (uint32_t)random_u64();
	m.run.thread_count = (unsigned)o->workload->threads;
	m.run.threads = xcalloc(m.run.thread_count, sizeof(*m.run.threads));
	(void)pthread_mutex_init(&m.run.lock, NULL);
	start_threads(&m);
	connect_all(&m);
	run_traffic(&m);
	replay(&m);
	do_step(&m, STEP_END);
	for (size_t i = 0; i < m.started; i++)
		pthread_join(m.run.threads[i].thread, NULL);
	add_up(&m);
	if (m.run.failure[0] != '\0')
		r->failure = xstrdup(m.run.failure);
	for (unsigned i = 0; i < m.run.thread_count; i++)
		run_steps_fini(&m.run.threads[i]);
	free(m.run.threads);
	(void)pthread_mutex_destroy(&m.run.lock);
}
