/* Subscribers: what they hear, when, and whether all of it came. */
#include "subscriber.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/require.h"
#include "publisher.h"
#include "stamp.h"

enum { FILTERS_OF_A_PACKET = 100, FILTER_SIZE = 160, UNACKED_MAX = 4 };

struct subscriber {
	struct link link; /* first */
	struct run_thread *thread;
	size_t number; /* of all */
	size_t flow;   /* of the first publisher that it hears */
	bool is_slow;
	double credit;     /* bytes that a slow one may read */
	uint64_t replayed; /* of retained messages */
	bool is_replay;
};

/* The flows of this thread: of a subscriber, or of a group. */
static size_t flow_of(const struct subscriber *s, uint32_t publisher)
{
	return s->thread->run->workload->layout == LAYOUT_PAIRS ? s->flow : s->flow + publisher;
}

static bool is_checked(const struct subscriber *s)
{
	return !s->is_slow || s->thread->run->workload->layout == LAYOUT_SHARED;
}

static void note_latency(struct run_thread *t, uint64_t due_ns)
{
	uint64_t ns = t->pool.now_ns > due_ns ? t->pool.now_ns - due_ns : 0;

	if (ns > atomic_load_explicit(&t->counters.latency_ns, memory_order_relaxed))
		atomic_store_explicit(&t->counters.latency_ns, ns, memory_order_relaxed);
	if (run_is_measured(t->run, due_ns))
		histogram_add(&t->latency, ns);
}

static void take_message(struct subscriber *s, const struct stamp *stamp)
{
	struct run_thread *t = s->thread;
	uint64_t unique = t->flow.unique;

	REQUIRE(stamp->publisher < t->run->workload->publishers);
	count_up(&t->counters.received, 1);
	if (s->is_slow)
		t->slow_received++;
	else
		note_latency(t, stamp->due_ns);
	if (!is_checked(s))
		return;
	flow_check_note(&t->flows[flow_of(s, stamp->publisher)], stamp->sequence, &t->flow);
	count_up(&t->counters.wanted, t->flow.unique - unique);
	if (workload_is_closed(t->run->workload) && !workload_waits_for_acks(t->run->workload))
		publisher_note_arrival(t, stamp->publisher, stamp->sequence);
}

/* Does a subscriber with this number hear that publisher? Else it is not of this run. */
static bool is_expected(const struct subscriber *s, const struct stamp *stamp)
{
	const struct bench_run *r = s->thread->run;

	return stamp->run == r->id && stamp->publisher < r->workload->publishers &&
	       (r->workload->layout != LAYOUT_PAIRS ||
	        stamp->publisher == s->number % r->workload->publishers);
}

static void on_message(struct link *l, const struct publish *message)
{
	struct subscriber *s = (struct subscriber *)l;
	struct run_thread *t = s->thread;
	struct stamp stamp;

	if (!stamp_read(message->payload, &stamp) || (!s->is_replay && !is_expected(s, &stamp)))
		t->foreign++;
	else if (s->is_replay)
		s->replayed += stamp.run == t->run->id && message->retain;
	else
		take_message(s, &stamp);
}

static void on_answer(struct link *l, const struct mqtt_answer *answer)
{
	struct subscriber *s = (struct subscriber *)l;

	REQUIRE(s->thread->subacks > 0);
	s->thread->subacks--;
	if (answer->reason >= REASON_UNSPECIFIED)
		run_fail(s->thread->run,
		         "the broker refused a subscription of %s: may this user subscribe to "
		         "%s/#?",
		         l->id, s->thread->run->workload->topic.text);
}

static void on_open(struct link *l)
{
	struct subscriber *s = (struct subscriber *)l;

	REQUIRE(s->thread->opening > 0);
	s->thread->opening--;
	count_up(&s->thread->counters.opened, 1);
}

static void on_closed(struct link *l, const char *why)
{
	if (why == NULL)
		((struct subscriber *)l)->thread->leaving--;
	else
		run_on_closed(l, why);
}

static const struct link_events events = {
    .on_open = on_open,
    .on_message = on_message,
    .on_answer = on_answer,
    .on_closed = on_closed,
};

/* --- all of a thread --- */

static size_t thread_of(const struct bench_run *r, size_t number)
{
	const struct workload *w = r->workload;

	/* A group is checked as a whole, and so it lives in one thread. */
	return w->layout == LAYOUT_SHARED ? number % w->groups % r->thread_count
	                                  : number % r->thread_count;
}

static size_t count_of(const struct run_thread *t)
{
	size_t count = 0;

	for (size_t i = 0; i < t->run->workload->subscribers; i++)
		count += thread_of(t->run, i) == t->index;
	return count;
}

static size_t flow_count(const struct run_thread *t)
{
	const struct workload *w = t->run->workload;

	switch ((enum workload_layout)w->layout) {
	case LAYOUT_PAIRS:
		return t->subscriber_count;
	case LAYOUT_ALL:
		return t->subscriber_count * w->publishers;
	case LAYOUT_SHARED:
		return w->groups * w->publishers;
	}
	return 0;
}

static void init_subscriber(struct run_thread *t, struct subscriber *s, size_t number, size_t place)
{
	const struct workload *w = t->run->workload;

	s->thread = t;
	s->number = number;
	s->flow = w->layout == LAYOUT_PAIRS ? place
	          : w->layout == LAYOUT_ALL ? place * w->publishers
	                                    : number % w->groups * w->publishers;
	s->is_slow = number >= w->subscribers - w->slow_subscribers;
	link_init(&s->link, &t->pool, &events, w->session_expiry > 0);
	s->link.slow = s->is_slow;
	(void)snprintf(s->link.id, sizeof(s->link.id), "vb%08x-s%u", t->run->id, (unsigned)number);
}

void subscriber_new_all(struct run_thread *t)
{
	size_t place = 0;

	t->subscriber_count = count_of(t);
	t->subscribers = xcalloc(t->subscriber_count + 1, sizeof(*t->subscribers));
	t->flows = xcalloc(flow_count(t) + 1, sizeof(*t->flows));
	for (size_t i = 0; i < t->run->workload->subscribers; i++) {
		if (thread_of(t->run, i) == t->index) {
			REQUIRE(place < t->subscriber_count);
			init_subscriber(t, &t->subscribers[place], i, place);
			place++;
		}
	}
}

void subscriber_free_all(struct run_thread *t)
{
	for (size_t i = 0; i < t->subscriber_count + 1; i++) {
		if (t->subscribers[i].thread != NULL)
			link_fini(&t->subscribers[i].link);
	}
	free(t->subscribers);
	free(t->flows);
}

struct link *subscriber_link(struct run_thread *t, size_t i)
{
	REQUIRE(i < t->subscriber_count);
	return &t->subscribers[i].link;
}

/* --- subscriptions --- */

static void first_filter(const struct subscriber *s, char out[FILTER_SIZE])
{
	const struct bench_run *r = s->thread->run;
	const struct workload *w = r->workload;

	if (w->layout == LAYOUT_SHARED)
		(void)snprintf(out, FILTER_SIZE, "$share/vb%08x-g%u/%s/#", r->id,
		               (unsigned)(s->number % w->groups), w->topic.text);
	else if (w->layout == LAYOUT_ALL || w->publishers == 0)
		(void)snprintf(out, FILTER_SIZE, "%s/#", w->topic.text);
	else
		(void)snprintf(out, FILTER_SIZE, "%s/p%zu%s", w->topic.text,
		               s->number % w->publishers, w->topics > 1 ? "/#" : "");
}

/* A house: rooms of a hundred devices, of which none ever says anything. */
static void other_filter(const struct subscriber *s, uint64_t n, char out[FILTER_SIZE])
{
	const struct workload *w = s->thread->run->workload;
	uint64_t device = s->number * w->filters + n;

	(void)snprintf(out, FILTER_SIZE, "%s/room%u/device%u", w->topic.text,
	               (unsigned)(device / 100), (unsigned)(device % 100));
}

static void put_subscribe(struct subscriber *s, const struct subscribe_entry *entries, size_t count)
{
	if (mqtt_protocol_subscribe(&s->link.protocol, entries, count, SLICE_EMPTY, 0) != MQTT_DONE)
		run_fail(s->thread->run, "%s cannot subscribe", s->link.id);
	s->thread->subacks++;
	link_touch(&s->link);
}

static void subscribe_some(struct subscriber *s, uint64_t from, uint64_t count)
{
	char text[FILTERS_OF_A_PACKET][FILTER_SIZE];
	struct subscribe_entry entries[FILTERS_OF_A_PACKET] = {0};

	for (uint64_t i = 0; i < count; i++) {
		if (from + i == 0)
			first_filter(s, text[i]);
		else
			other_filter(s, from + i, text[i]);
		entries[i].filter = slice_of_str(text[i]);
		entries[i].options.qos = (uint8_t)s->thread->run->workload->qos;
	}
	put_subscribe(s, entries, count);
}

void subscriber_subscribe_all(struct run_thread *t)
{
	uint64_t all = t->run->workload->filters;

	for (size_t i = 0; i < t->subscriber_count; i++) {
		for (uint64_t done = 0; done < all && run_goes_on(t->run);) {
			uint64_t count =
			    all - done < FILTERS_OF_A_PACKET ? all - done : FILTERS_OF_A_PACKET;

			subscribe_some(&t->subscribers[i], done, count);
			done += count;
			while (t->subacks > UNACKED_MAX && run_goes_on(t->run))
				run_serve(t, UINT64_MAX);
		}
	}
	while (t->subacks > 0 && run_goes_on(t->run))
		run_serve(t, UINT64_MAX);
}

void subscriber_leave_all(struct run_thread *t)
{
	for (size_t i = 0; i < t->subscriber_count; i++) {
		t->leaving++;
		link_leave(&t->subscribers[i].link);
	}
	while (t->leaving > 0 && run_goes_on(t->run))
		run_serve(t, UINT64_MAX);
}

void subscriber_read_slowly(struct run_thread *t, double seconds)
{
	const struct workload *w = t->run->workload;

	for (size_t i = 0; i < t->subscriber_count; i++) {
		struct subscriber *s = &t->subscribers[i];

		if (!s->is_slow || s->link.state != LINK_OPEN)
			continue;
		/* What it may read in a second is the most that it saves up. */
		s->credit += (double)w->slow_bytes * seconds;
		if (s->credit > (double)w->slow_bytes)
			s->credit = (double)w->slow_bytes;
		if (s->credit >= 1) {
			link_read_slowly(&s->link, (size_t)s->credit);
			s->credit -= (double)(size_t)s->credit;
		}
	}
}

/* --- replay of what is retained: one more subscriber, new each time --- */

void subscriber_replay_connect(struct run_thread *t)
{
	struct subscriber *s = &t->subscribers[t->subscriber_count];

	if (t->index != 0)
		return;
	if (s->thread != NULL)
		link_fini(&s->link);
	*s = (struct subscriber){.thread = t, .is_replay = true};
	link_init(&s->link, &t->pool, &events, false);
	(void)snprintf(s->link.id, sizeof(s->link.id), "vb%08x-r", t->run->id);
	t->opening++;
	link_start(&s->link);
	while (t->opening > 0 && run_goes_on(t->run))
		run_serve(t, UINT64_MAX);
}

void subscriber_replay(struct run_thread *t)
{
	struct subscriber *s = &t->subscribers[t->subscriber_count];
	const struct workload *w = t->run->workload;
	char filter[FILTER_SIZE];
	struct subscribe_entry entry = {0};
	uint64_t wanted = 0;

	if (t->index != 0)
		return;
	for (size_t i = 0; i < w->publishers; i++) {
		const struct run_thread *of = &t->run->threads[i % t->run->thread_count];
		uint64_t sent = publisher_sent(of, i / t->run->thread_count);

		wanted += sent < w->topics ? sent : w->topics;
	}
	(void)snprintf(filter, sizeof(filter), "%s/#", w->topic.text);
	entry.filter = slice_of_str(filter);
	put_subscribe(s, &entry, 1);
	while ((s->replayed < wanted || t->subacks > 0) && run_goes_on(t->run))
		run_serve(t, UINT64_MAX);
	t->leaving++;
	link_leave(&s->link);
	while (t->leaving > 0 && run_goes_on(t->run))
		run_serve(t, UINT64_MAX);
}
