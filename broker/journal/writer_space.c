/* The state of the store: everything can be written, or only what removes, or nothing for now, or
 * nothing any more. */
#include "journal/writer_space.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"

#define MEASURE_MS    1000
#define MEASURE_BYTES (STORE_RESERVE / 4) /* so that the reserve is not used up unnoticed */
#define CALM_MS       5000 /* without lack of space, before it is reported that there is some */
/* So much has to be free before it is no longer low, or a sixteenth of max_bytes, so that the state
 * does not change with each message. */
#define SPACE_AGAIN ((uint64_t)64 << 10)

static const char *remedy_of(enum store_bound bound)
{
	return bound == STORE_BOUND_SIZE
	           ? "let clients fetch their queues, or raise persistence.max_size"
	           : "free some space on its file system";
}

static void log_state(const struct writer *w, enum journal_state before, int error)
{
	enum journal_state state = w->state;

	if (state == JOURNAL_OK)
		LOG_NO_FIELDS(STORE_RESUMED);
	else if (state == JOURNAL_LOW_SPACE && before == JOURNAL_OK)
		LOG(STORE_FULL, .error = strerrordesc_np(-error), .remedy = remedy_of(w->bound));
	else if (state == JOURNAL_WAITS)
		LOG(STORE_FULL, .error = strerrordesc_np(-error),
		    .remedy = "free some space on its file system, or raise its limit");
	else if (state == JOURNAL_FAILED)
		LOG(STORE_FAILED, .error = strerrordesc_np(-error),
		    .remedy = "check the disk, then restart the broker");
}

void writer_space_set_state(struct writer *w, enum journal_state state, int error)
{
	enum journal_state before = w->state;
	bool lacks_space = state == JOURNAL_LOW_SPACE || state == JOURNAL_WAITS;

	REQUIRE_WRITER(w);
	w->state = state;
	mutex_lock(&w->health_lock);
	w->health.state = state;
	if (error != 0)
		w->health.error = error;
	mutex_unlock(&w->health_lock);
	mutex_lock(&w->j.lock);
	w->failed = state == JOURNAL_FAILED;
	mutex_unlock(&w->j.lock);
	if (atomic_exchange(&w->j.lacks_space, lacks_space) != lacks_space)
		journal_space_report(&w->j);
	if (state != before)
		log_state(w, before, error);
}

/* Space for the largest that waits, but never more than half of max_bytes. */
static uint64_t wanted(const struct writer *w, uint64_t max_bytes)
{
	uint64_t again = max_bytes / 16 < SPACE_AGAIN ? max_bytes / 16 : SPACE_AGAIN;
	uint64_t largest = w->space_wanted < max_bytes / 2 ? w->space_wanted : max_bytes / 2;

	return largest > again ? largest : again;
}

/* Under the lock: whoever has found it low before is notified afterwards. */
static bool raise_space(struct writer *w, uint64_t max_bytes)
{
	if (!w->j.low || w->j.waiting_bytes + wanted(w, max_bytes) > w->j.free_bytes)
		return false;
	w->j.low = false;
	w->space_wanted = 0;
	return true;
}

void writer_space_measure(struct writer *w)
{
	struct journal_health *h = &w->health;
	struct store_status status;
	bool raised;

	REQUIRE_WRITER(w);
	store_status(w->store, &status);
	w->j.free_bytes = store_space(w->store, &status, &w->bound);
	w->j.used_bytes = status.used_bytes;
	w->j.max_bytes = status.max_bytes;
	mutex_lock(&w->health_lock);
	h->map_bytes = status.map_bytes;
	h->used_bytes = status.used_bytes;
	h->max_bytes = status.max_bytes;
	mutex_unlock(&w->health_lock);
	mutex_lock(&w->j.lock);
	w->space_ms = w->now_ms + MEASURE_MS;
	w->written_bytes = 0;
	raised = raise_space(w, status.max_bytes);
	mutex_unlock(&w->j.lock);
	if (raised || w->j.low) {
		w->low_space_ms = w->now_ms;
		writer_space_set_state(w, JOURNAL_LOW_SPACE, -ENOSPC);
	} else if (w->state != JOURNAL_LOW_SPACE || w->now_ms >= w->low_space_ms + CALM_MS) {
		writer_space_set_state(w, JOURNAL_OK, 0);
	}
	if (raised)
		journal_space_report(&w->j);
}

bool writer_space_may_differ(const struct writer *w)
{
	return w->state != JOURNAL_OK || w->j.low || w->now_ms >= w->space_ms ||
	       w->written_bytes > MEASURE_BYTES || w->written_bytes > w->j.free_bytes / 4;
}

uint64_t writer_space_due_ms(const struct writer *w)
{
	if (w->state == JOURNAL_LOW_SPACE)
		return w->space_ms;
	return w->j.low ? 0 : WRITER_NEVER;
}

void writer_space_measure_if_due(struct writer *w)
{
	bool again;

	REQUIRE_WRITER(w);
	mutex_lock(&w->j.lock);
	again = w->now_ms >= writer_space_due_ms(w);
	mutex_unlock(&w->j.lock);
	if (again && w->state != JOURNAL_WAITS)
		writer_space_measure(w);
}

void writer_space_lower(struct journal *j, size_t bytes)
{
	struct writer *w = (struct writer *)j;

	mutex_lock(&j->lock);
	if (bytes > w->space_wanted)
		w->space_wanted = bytes;
	if (!j->low && w->asleep)
		condition_signal(&w->wake);
	j->low = true;
	mutex_unlock(&j->lock);
}
