/* Publishers.  A message that is due but cannot be sent, since the window or the socket is full,
 * waits with the time at which it was due: the broker's slowness is measured, not left out. */
#include "publisher.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/require.h"
#include "stamp.h"

enum { TOPIC_SIZE = 160, IN_FLIGHT_MAX = 1000 };

struct in_flight {
	uint64_t due_ns;
	uint32_t sequence;
};

/* Times at which messages were due that wait, oldest first. */
struct waiting {
	uint64_t *due_ns;
	size_t first, count, cap; /* cap: a power of two */
};

struct publisher {
	struct link link; /* first */
	struct run_thread *thread;
	size_t number; /* of all */
	uint32_t sequence;
	struct waiting waiting;
	struct in_flight *in_flight; /* by packet identifier - 1 */
	uint32_t window, unacked;
	uint16_t packet_id;    /* the last one */
	uint64_t bunches_left; /* rate max: of those that are counted */
	uint32_t *arrivals;    /* rate max: of each bunch that is on its way */
};

static void put_topic(const struct bench_run *r, size_t number, uint64_t topic, char *out,
                      size_t size)
{
	const struct workload *w = r->workload;

	if (w->topics == 1)
		(void)snprintf(out, size, "%s/p%zu", w->topic.text, number);
	else
		(void)snprintf(out, size, "%s/p%zu/room%u/device%u", w->topic.text, number,
		               (unsigned)(topic / 100), (unsigned)(topic % 100));
}

/* --- what waits --- */

static void push_waiting(struct publisher *p, uint64_t due_ns)
{
	struct waiting *w = &p->waiting;

	if (w->count == w->cap) {
		size_t cap = w->cap == 0 ? 64 : w->cap * 2;
		uint64_t *larger = xcalloc(cap, sizeof(*larger));

		for (size_t i = 0; i < w->count; i++)
			larger[i] = w->due_ns[(w->first + i) & (w->cap - 1)];
		free(w->due_ns);
		w->due_ns = larger;
		w->first = 0;
		w->cap = cap;
	}
	w->due_ns[(w->first + w->count++) & (w->cap - 1)] = due_ns;
	count_up(&p->thread->counters.waiting, 1);
}

static uint64_t pop_waiting(struct publisher *p)
{
	struct waiting *w = &p->waiting;
	uint64_t due_ns;

	REQUIRE(w->count > 0 && w->first < w->cap);
	due_ns = w->due_ns[w->first];

	w->first = (w->first + 1) & (w->cap - 1);
	w->count--;
	count_up(&p->thread->counters.waiting, (uint64_t)-1);
	return due_ns;
}

/* --- sending --- */

static const char *refusal(enum mqtt_result result)
{
	return result == MQTT_TOO_LARGE      ? "it is larger than its Maximum Packet Size"
	       : result == MQTT_QOS_TOO_HIGH ? "its Maximum QoS is lower"
	       : result == MQTT_NO_RETAINING ? "it retains nothing"
	                                     : "the connection is not open";
}

static void put_message(struct publisher *p, uint64_t due_ns)
{
	struct run_thread *t = p->thread;
	const struct workload *w = t->run->workload;
	struct stamp stamp = {.run = t->run->id,
	                      .publisher = (uint32_t)p->number,
	                      .sequence = p->sequence,
	                      .due_ns = due_ns};
	char topic[TOPIC_SIZE];
	struct publish_out out = {.qos = (uint8_t)w->qos, .retain = w->retain};
	enum mqtt_result result;

	REQUIRE(p->link.state == LINK_OPEN);
	put_topic(t->run, p->number, p->sequence % w->topics, topic, sizeof(topic));
	stamp_write(t->payload, &stamp);
	out.topic = slice_of_str(topic);
	out.payload = slice_of(t->payload, workload_draw_size(w, &t->prng));
	if (w->qos > 0)
		p->in_flight[p->sequence % w->window] =
		    (struct in_flight){.due_ns = due_ns, .sequence = p->sequence};
	result = mqtt_protocol_publish(&p->link.protocol, &out, p->sequence);
	if (result != MQTT_DONE) {
		run_fail(t->run, "the broker does not take such a message: %s", refusal(result));
		return;
	}
	link_touch(&p->link);
	p->sequence++;
	count_up(&t->counters.sent, 1);
}

static bool may_send(struct publisher *p)
{
	const struct workload *w = p->thread->run->workload;

	return p->link.state == LINK_OPEN && !link_is_full(&p->link) &&
	       (w->qos == 0 || mqtt_protocol_has_window(&p->link.protocol));
}

static void send_or_wait(struct publisher *p, uint64_t due_ns)
{
	if (p->waiting.count == 0 && may_send(p)) {
		put_message(p, due_ns);
		return;
	}
	if (link_is_full(&p->link))
		p->thread->full_socket++;
	else
		p->thread->full_window++;
	push_waiting(p, due_ns);
}

static void send_waiting(struct publisher *p)
{
	while (p->waiting.count > 0 && may_send(p))
		put_message(p, pop_waiting(p));
}

static void send_bunch(struct publisher *p, uint64_t due_ns)
{
	for (uint64_t i = 0; i < p->thread->run->workload->bunch; i++)
		send_or_wait(p, due_ns);
}

/* --- rate max: the next bunch follows one that has arrived --- */

static void send_next_bunch(struct publisher *p)
{
	const struct run_phase *phase = &p->thread->run->phase;
	uint64_t now_ns = clock_monotonic_ns();
	bool is_measured = run_is_measured(p->thread->run, now_ns);

	if (phase->messages > 0 ? p->bunches_left == 0 : now_ns >= phase->until_ns)
		return;
	p->bunches_left -= phase->messages > 0;
	p->thread->due += is_measured;
	p->thread->begun += is_measured;
	send_bunch(p, now_ns);
}

void publisher_note_arrival(struct run_thread *t, size_t i, uint32_t sequence)
{
	struct publisher *p = &t->publishers[i];
	const struct workload *w = t->run->workload;
	bool alone = w->away || workload_waits_for_acks(w);
	uint64_t parties = workload_copies(w, p->number) * !alone + (w->qos > 0);
	uint32_t *arrivals = &p->arrivals[sequence / w->bunch % IN_FLIGHT_MAX];

	REQUIRE(workload_is_closed(w) && i < t->publisher_count && sequence < p->sequence);
	if (++*arrivals < w->bunch * parties)
		return;
	*arrivals = 0;
	send_next_bunch(p);
}

/* --- acknowledgements --- */

static void on_answer(struct link *l, const struct mqtt_answer *answer)
{
	struct publisher *p = (struct publisher *)l;
	struct run_thread *t = p->thread;
	struct in_flight was = p->in_flight[answer->cookie % t->run->workload->window];

	t->refused_acks += answer->reason >= REASON_UNSPECIFIED;
	if (was.sequence == answer->cookie && run_is_measured(t->run, was.due_ns))
		histogram_add(&t->ack, t->pool.now_ns - was.due_ns);
	count_up(&t->counters.acked, 1);
	send_waiting(p);
	if (workload_is_closed(t->run->workload))
		publisher_note_arrival(t, (size_t)(p - t->publishers), (uint32_t)answer->cookie);
}

/* It subscribes to nothing. */
static void on_message(struct link *l, const struct publish *message)
{
	(void)message;
	((struct publisher *)l)->thread->foreign++;
}

static void on_open(struct link *l)
{
	struct publisher *p = (struct publisher *)l;

	p->thread->opening--;
	count_up(&p->thread->counters.opened, 1);
}

static void on_drained(struct link *l)
{
	send_waiting((struct publisher *)l);
}

static const struct link_events events = {
    .on_open = on_open,
    .on_message = on_message,
    .on_answer = on_answer,
    .on_closed = run_on_closed,
    .on_drained = on_drained,
};

/* --- all of a thread --- */

void publisher_new_all(struct run_thread *t)
{
	const struct workload *w = t->run->workload;
	uint32_t largest = workload_largest_size(w);

	t->publisher_count =
	    (w->publishers + t->run->thread_count - 1 - t->index) / t->run->thread_count;
	t->publishers = xcalloc(t->publisher_count + 1, sizeof(*t->publishers));
	REQUIRE(largest >= STAMP_BYTES);
	t->payload = xalloc(largest);
	for (uint32_t i = 0; i < largest; i++)
		t->payload[i] = (uint8_t)('a' + i % 26);
	for (size_t i = 0; i < t->publisher_count; i++) {
		struct publisher *p = &t->publishers[i];

		p->thread = t;
		p->number = i * t->run->thread_count + t->index;
		link_init(&p->link, &t->pool, &events, false);
		(void)snprintf(p->link.id, sizeof(p->link.id), "vb%08x-p%u", t->run->id,
		               (unsigned)p->number);
		if (w->qos > 0)
			p->in_flight = xcalloc(w->window, sizeof(*p->in_flight));
		if (workload_is_closed(w))
			p->arrivals = xcalloc(IN_FLIGHT_MAX, sizeof(*p->arrivals));
	}
}

void publisher_free_all(struct run_thread *t)
{
	for (size_t i = 0; i < t->publisher_count; i++) {
		struct publisher *p = &t->publishers[i];

		link_fini(&p->link);
		free(p->waiting.due_ns);
		free(p->in_flight);
		free(p->arrivals);
	}
	free(t->publishers);
	free(t->payload);
}

struct link *publisher_link(struct run_thread *t, size_t i)
{
	REQUIRE(i < t->publisher_count);
	return &t->publishers[i].link;
}

uint32_t publisher_sent(const struct run_thread *t, size_t i)
{
	REQUIRE(i < t->publisher_count);
	return t->publishers[i].sequence;
}

static void start_closed(struct run_thread *t)
{
	const struct workload *w = t->run->workload;
	uint64_t bunches = t->run->phase.messages / w->bunch;

	for (size_t i = 0; i < t->publisher_count; i++) {
		t->publishers[i].bunches_left =
		    bunches / t->publisher_count + (i < bunches % t->publisher_count);
		for (uint64_t n = 0; n < w->in_flight; n++)
			send_next_bunch(&t->publishers[i]);
	}
}

void publisher_start_all(struct run_thread *t)
{
	const struct workload *w = t->run->workload;
	struct schedule_options o = {.arrivals = (enum arrivals)w->arrivals,
	                             .count = t->publisher_count,
	                             .ramp_s = (double)w->ramp / 1000,
	                             .seed = w->seed + t->index};

	REQUIRE(w->bunch > 0);
	t->has_schedule = false;
	if (t->publisher_count == 0)
		return;
	if (workload_is_closed(w)) {
		start_closed(t);
		return;
	}
	t->has_schedule = true;
	o.rate = workload_rate(w) / (double)w->bunch * (double)t->publisher_count /
	         (double)w->publishers;
	o.offset = (double)t->index / t->run->thread_count;
	schedule_init(&t->schedule, &o);
}

/* Of those that are counted, the part of this thread. */
static uint64_t messages_of(const struct run_thread *t)
{
	uint64_t all = t->run->phase.messages, threads = t->run->thread_count;

	return all / threads + (t->index < all % threads);
}

/* Is the next one of the schedule beyond the end? */
static bool is_over(const struct run_thread *t)
{
	const struct run_phase *phase = &t->run->phase;
	const struct schedule *s = &t->schedule;

	return !t->has_schedule ||
	       (phase->messages > 0 ? s->number * t->run->workload->bunch >= messages_of(t)
	                            : phase->start_ns + s->due_ns >= phase->until_ns);
}

uint64_t publisher_send_due(struct run_thread *t)
{
	uint64_t due_ns, now_ns = clock_monotonic_ns();

	for (; !is_over(t); schedule_advance(&t->schedule)) {
		due_ns = t->run->phase.start_ns + t->schedule.due_ns;
		if (due_ns > now_ns)
			return due_ns;
		if (run_is_measured(t->run, due_ns)) {
			histogram_add(&t->late, now_ns - due_ns);
			t->due++;
			t->begun++;
		}
		/* mutant: times_count_from_when_it_was_due */
		send_bunch(&t->publishers[t->schedule.source], due_ns);
	}
	return UINT64_MAX;
}

void publisher_stop_all(struct run_thread *t)
{
	for (; !is_over(t); schedule_advance(&t->schedule))
		t->due += run_is_measured(t->run, t->run->phase.start_ns + t->schedule.due_ns);
	t->has_schedule = false;
}
