/* A sliding window: bit n % FLOW_WINDOW of `seen` says that the number n came. */
#include "flow_check.h"

#include <stdbool.h>
#include <string.h>

#include "base/require.h"

_Static_assert(FLOW_WINDOW % 64 == 0, "whole words");

static bool test_and_set(struct flow_check *f, uint32_t sequence)
{
	uint64_t *word = &f->seen[sequence % FLOW_WINDOW / 64];
	uint64_t bit = (uint64_t)1 << sequence % 64;
	bool was = (*word & bit) != 0;

	*word |= bit;
	return was;
}

static void slide(struct flow_check *f, uint32_t next)
{
	if (next - f->next >= FLOW_WINDOW)
		memset(f->seen, 0, sizeof(f->seen));
	for (; f->next != next && next - f->next < FLOW_WINDOW; f->next++)
		f->seen[f->next % FLOW_WINDOW / 64] &= ~((uint64_t)1 << f->next % 64);
	REQUIRE(f->next <= next);
	f->next = next;
}

void flow_check_note(struct flow_check *f, uint32_t sequence, struct flow_counts *counts)
{
	if (sequence >= f->next) {
		slide(f, sequence + 1);
		(void)test_and_set(f, sequence);
		counts->unique++;
		return;
	}
	/* What is older than the window cannot be told from one that came in time. */
	if (f->next - sequence > FLOW_WINDOW || test_and_set(f, sequence)) {
		counts->duplicates++;
		return;
	}
	counts->unique++;
	counts->disordered++;
}
