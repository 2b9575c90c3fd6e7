/* The queues of a loop. Handshakes, and streams that have more than their share, get a bounded part
 * of each turn, so that they do not delay the traffic of the others. */
#include "net/loop_queue.h"

#include "base/clock.h"
#include "base/require.h"

/* Work of a place that may take no longer than this in a turn; 0: no limit. */
static const uint64_t ns_per_turn[LOOP_PLACES] = {
    [LOOP_HANDSHAKE] = 2000000,
    [LOOP_LATER] = 1000000,
};

void loop_queue_init(struct loop_queue *q)
{
	for (size_t i = 0; i < LOOP_PLACES; i++) {
		TAILQ_INIT(&q->jobs[i]);
		q->counts[i] = 0;
	}
}

void loop_queue_remove(struct loop_queue *q, struct loop_job *job)
{
	if (job->place == LOOP_NOT_QUEUED)
		return;
	TAILQ_REMOVE(&q->jobs[job->place], job, entry);
	q->counts[job->place]--;
	job->place = LOOP_NOT_QUEUED;
}

void loop_queue_add(struct loop_queue *q, struct loop_job *job, enum loop_place place)
{
	REQUIRE(place != LOOP_NOT_QUEUED && job->run != NULL);
	if (job->place == place)
		return;
	loop_queue_remove(q, job);
	TAILQ_INSERT_TAIL(&q->jobs[place], job, entry);
	q->counts[place]++;
	job->place = (uint8_t)place;
}

size_t loop_queue_count(const struct loop_queue *q, enum loop_place place)
{
	return q->counts[place];
}

bool loop_queue_is_empty(const struct loop_queue *q)
{
	return q->counts[LOOP_READY] + q->counts[LOOP_HANDSHAKE] + q->counts[LOOP_LATER] +
	           q->counts[LOOP_ENDED] ==
	       0;
}

/* The first `count` jobs, or those for which the time suffices, but one at least. */
static void run_place(struct loop_queue *q, enum loop_place place, size_t count)
{
	uint64_t limit_ns = ns_per_turn[place];
	uint64_t until_ns = limit_ns > 0 ? clock_monotonic_ns() + limit_ns : 0;
	struct loop_job *job;

	for (; count > 0 && (job = TAILQ_FIRST(&q->jobs[place])) != NULL; count--) {
		loop_queue_remove(q, job);
		job->run(job, place);
		if (limit_ns > 0 && count > 1 && clock_monotonic_ns() >= until_ns)
			return;
	}
}

void loop_queue_run(struct loop_queue *q)
{
	size_t counts[LOOP_PLACES];

	for (size_t i = 0; i < LOOP_PLACES; i++)
		counts[i] = q->counts[i];
	for (size_t i = LOOP_READY; i < LOOP_PLACES; i++) {
		if (counts[i] > 0)
			run_place(q, (enum loop_place)i, counts[i]);
	}
}
