/* What the disk allows: everything, only what takes away, nothing for now, nothing any more; and
 * who is told when that changes. */
#include "journal/writer_space.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"

#define LOOK_AGAIN_MS 1000
#define LOOK_BYTES    (STORE_RESERVE / 4) /* a full file system must not take the reserve unseen */
#define CALM_MS       5000 /* without want of room, before it is said that there is some again */
/* So much has to be free before it is tight no more, or a sixteenth of all: not one message in, one
 * out. */
#define SPACE_AGAIN ((uint64_t)64 << 10)

static const char *remedy_of(enum store_bound bound)
{
	return bound == STORE_BOUND_SIZE
	           ? "let clients take what waits for them, or raise persistence.max_size"
	           : "make room on its file system";
}

static void log_state(const struct writer *w, enum journal_state before, int error)
{
	enum journal_state state = w->state;

	if (state == JOURNAL_WORKS)
		LOG_NO_FIELDS(STORE_RESUMED);
	else if (state == JOURNAL_LOW_SPACE && before == JOURNAL_WORKS)
		LOG(STORE_FULL, .error = strerrordesc_np(-error), .remedy = remedy_of(w->bound));
	else if (state == JOURNAL_WAITS)
		LOG(STORE_FULL, .error = strerrordesc_np(-error),
		    .remedy = "make room on its file system, or raise its limit");
	else if (state == JOURNAL_FAILED)
		LOG(STORE_FAILED, .error = strerrordesc_np(-error),
		    .remedy = "nothing is acknowledged any more; see to the disk, then restart");
}

void writer_set_state(struct writer *w, enum journal_state state, int error)
{
	enum journal_state before = w->state;
	bool lacks_space = state == JOURNAL_LOW_SPACE || state == JOURNAL_WAITS;

	w->state = state;
	mutex_lock(&w->j.lock);
	w->health.state = state;
	if (error != 0)
		w->health.error = error;
	w->failed = state == JOURNAL_FAILED;
	mutex_unlock(&w->j.lock);
	if (atomic_exchange(&w->j.lacks_space, lacks_space) != lacks_space)
		journal_space_report(&w->j);
	if (state != before)
		log_state(w, before, error);
}

/* Room for the largest that waits, but never more than half of the whole. */
static uint64_t wanted(const struct writer *w, uint64_t max_bytes)
{
	uint64_t again = max_bytes / 16 < SPACE_AGAIN ? max_bytes / 16 : SPACE_AGAIN;
	uint64_t largest = w->space_wanted < max_bytes / 2 ? w->space_wanted : max_bytes / 2;

	return largest > again ? largest : again;
}

/* Under the lock: whoever finds it tight until here is told afterwards. */
static bool raise_space(struct writer *w, uint64_t max_bytes)
{
	if (!w->j.low || w->j.waiting_bytes + wanted(w, max_bytes) > w->j.room_bytes)
		return false;
	w->j.low = false;
	w->space_wanted = 0;
	return true;
}

static void report_space(struct writer *w, bool is_low)
{
	if (is_low) {
		w->low_space_ms = w->now_ms;
		writer_set_state(w, JOURNAL_LOW_SPACE, -ENOSPC);
	} else if (w->state != JOURNAL_LOW_SPACE || w->now_ms >= w->low_space_ms + CALM_MS) {
		writer_set_state(w, JOURNAL_WORKS, 0);
	}
}

void writer_check_space(struct writer *w)
{
	struct journal_health *h = &w->health;
	struct store_status status;
	bool raised;

	store_status(w->store, &status);
	w->j.room_bytes = store_space(w->store, &status, &w->bound);
	w->j.used_bytes = status.used_bytes;
	w->j.max_bytes = status.max_bytes;
	mutex_lock(&w->j.lock);
	h->map_bytes = status.map_bytes;
	h->used_bytes = status.used_bytes;
	h->max_bytes = status.max_bytes;
	w->space_ms = w->now_ms + LOOK_AGAIN_MS;
	w->written_bytes = 0;
	raised = raise_space(w, status.max_bytes);
	mutex_unlock(&w->j.lock);
	report_space(w, raised || w->j.low);
	if (raised)
		journal_space_report(&w->j);
}

bool writer_space_may_differ(const struct writer *w)
{
	return w->state != JOURNAL_WORKS || w->j.low || w->now_ms >= w->space_ms ||
	       w->written_bytes > LOOK_BYTES || w->written_bytes > w->j.room_bytes / 4;
}

uint64_t writer_check_due_ms(const struct writer *w)
{
	if (w->state == JOURNAL_LOW_SPACE)
		return w->space_ms;
	return w->j.low ? 0 : WRITER_NEVER;
}

void writer_check_again(struct writer *w)
{
	bool again;

	mutex_lock(&w->j.lock);
	again = w->now_ms >= writer_check_due_ms(w);
	mutex_unlock(&w->j.lock);
	if (again && w->state != JOURNAL_WAITS)
		writer_check_space(w);
}

void writer_lower_space(struct journal *j, size_t bytes)
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
