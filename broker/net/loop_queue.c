/* The queues of a loop. What many streams may want at the same time gets a bounded part of each
 * turn, so that it does not delay the traffic of the others. */
#include "net/loop_queue.h"

#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/require.h"

/* Work of a place that may take no longer than this in a turn; 0: no limit. */
static const uint64_t ns_per_turn[LOOP_PLACES] = {
    [LOOP_INPUT] = 500000, [LOOP_OUTPUT] = 500000,   [LOOP_HANDSHAKE] = 250000,
    [LOOP_LATER] = 500000, [LOOP_UNPROVEN] = 100000, [LOOP_LEAVING] = 250000,
    [LOOP_ENDED] = 250000,
};
/* Nor all of these places together: one job of each runs in any case. */
#define ALL_NS UINT64_C(600000)

void loop_queue_remove(struct loop_queue *q, struct loop_job *job)
{
	if (job->place == LOOP_NOT_QUEUED)
		return;
	REQUIRE(q->counts[job->place] > 0);
	DL_DELETE(q->jobs[job->place], job);
	q->counts[job->place]--;
	job->place = LOOP_NOT_QUEUED;
}

void loop_queue_add(struct loop_queue *q, struct loop_job *job, enum loop_place place)
{
	REQUIRE(place != LOOP_NOT_QUEUED && job->run != NULL);
	if (job->place == place)
		return;
	loop_queue_remove(q, job);
	DL_APPEND(q->jobs[place], job);
	q->counts[place]++;
	job->place = (uint8_t)place;
}

size_t loop_queue_count(const struct loop_queue *q, enum loop_place place)
{
	return q->counts[place];
}

bool loop_queue_is_empty(const struct loop_queue *q)
{
	size_t count = 0;

	for (unsigned place = LOOP_READY; place < LOOP_PLACES; place++)
		count += q->counts[place];
	return count == 0;
}

/* Of each place the jobs that wait now, or those for which its time suffices, but one at least. */
void loop_queue_run(struct loop_queue *q)
{
	size_t counts[LOOP_PLACES];
	uint64_t begin_ns = clock_monotonic_ns();

	memcpy(counts, q->counts, sizeof(counts));
	for (unsigned place = LOOP_READY; place < LOOP_PLACES; place++) {
		uint64_t limit_ns = ns_per_turn[place];
		uint64_t until_ns =
		    limit_ns > 0 && counts[place] > 0 ? clock_monotonic_ns() + limit_ns : 0;
		struct loop_job *job;

		/* mutant: queues_share_a_turn */
		if (until_ns > begin_ns + ALL_NS)
			until_ns = begin_ns + ALL_NS;
		for (size_t left = counts[place]; left > 0; left--) {
			job = q->jobs[place];
			if (job == NULL)
				break;
			loop_queue_remove(q, job);
			job->run(job, (enum loop_place)place);
			if (limit_ns > 0 && left > 1 && clock_monotonic_ns() >= until_ns)
				break;
		}
	}
}
