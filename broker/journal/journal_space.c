/* Counts what waits, with a high and a low mark. */
#include "journal/journal_space.h"

#include "journal/journal_ops.h"

void journal_space_add(struct journal *j, size_t bytes)
{
	if (atomic_fetch_add(&j->waiting_bytes, bytes) + bytes > JOURNAL_HIGH)
		j->was_full = true;
}

void journal_space_remove(struct journal *j, size_t bytes)
{
	size_t before = atomic_fetch_sub(&j->waiting_bytes, bytes), left = before - bytes;

	REQUIRE(before >= bytes);
	if (left < JOURNAL_LOW && j->was_full && atomic_exchange(&j->was_full, false))
		journal_space_report(j);
}

void journal_space_report(struct journal *j)
{
	for (unsigned i = 0; i < j->listener_count; i++) {
		struct space_listener *listener = &j->listeners[i];

		if (!atomic_exchange(&listener->is_sent, true))
			executor_send(listener->executor, &listener->task);
	}
}
