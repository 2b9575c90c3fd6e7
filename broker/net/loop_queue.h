/* What streams have to do once per turn of their loop, besides waiting for the kernel: queues of
 * jobs, which run in the order of `enum loop_place`. Thread: the loop's. */
#ifndef NET_LOOP_QUEUE_H
#define NET_LOOP_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum loop_place {
	LOOP_NOT_QUEUED,
	/* Goes on with what was read already. */
	LOOP_READY,
	/* Reads what the poll had no time for. Some run in each turn, in the order of arrival. */
	LOOP_INPUT,
	/* The kernel takes more of its output. The same. */
	LOOP_OUTPUT,
	/* A step of a handshake. Some run in each turn, in the order of arrival. */
	LOOP_HANDSHAKE,
	/* Had its share of the last turn and has more. Some run in each turn. */
	LOOP_LATER,
	/* Bytes of a peer from whom no whole packet has come. Some run in each turn, in the order
	 * of arrival: however many there are, those who have logged in wait no longer. */
	LOOP_UNPROVEN,
	/* Reads what a peer has sent before it closed its connection. Some run in each turn: where
	 * very many close at once, the others do not wait. */
	LOOP_LEAVING,
	/* Tells the owner that the stream has ended: that may publish a will. The same. */
	LOOP_ENDED,
	LOOP_PLACES,
};

struct loop_job;
/* `place`: the queue it was taken from. It may be freed, or queued again for the next turn. */
typedef void loop_job_fn(struct loop_job *job, enum loop_place place);

/* Embedded in a stream; zero-initialised except for `run`. */
struct loop_job {
	struct loop_job *prev, *next;
	loop_job_fn *run;
	uint8_t place;
};

/* Zero-initialised is empty. */
struct loop_queue {
	struct loop_job *jobs[LOOP_PLACES];
	size_t counts[LOOP_PLACES];
};

/* To the end of that queue; a job is in one queue at most. */
void loop_queue_add(struct loop_queue *q, struct loop_job *job, enum loop_place place);
void loop_queue_remove(struct loop_queue *q, struct loop_job *job);
size_t loop_queue_count(const struct loop_queue *q, enum loop_place place);
bool loop_queue_is_empty(const struct loop_queue *q);
/* Run the jobs that are queued now: what they add waits for the next call. */
void loop_queue_run(struct loop_queue *q);

#endif
