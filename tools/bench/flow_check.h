/* Did every message of one publisher come to one subscriber (or one group of them), once and in
 * order?  By its sequence numbers, with a window of the last ones, so that a late one is told from
 * one that came twice.  Pure.  Thread: the owner's. */
#ifndef BENCH_FLOW_CHECK_H
#define BENCH_FLOW_CHECK_H

#include <stdint.h>

/* The last FLOW_WINDOW numbers are remembered. */
#define FLOW_WINDOW 1024u

struct flow_check {
	uint32_t next; /* the highest that came, and one */
	uint64_t seen[FLOW_WINDOW / 64];
};

struct flow_counts {
	uint64_t unique;     /* came at least once */
	uint64_t duplicates; /* came again */
	uint64_t disordered; /* came after a later one */
};

void flow_check_note(struct flow_check *f, uint32_t sequence, struct flow_counts *counts);

#endif
