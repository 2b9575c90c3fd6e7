/* What the disk allows: everything, only what takes away, nothing for now, nothing any more; and
 * who is told when that changes. */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "journal/writer.h"

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

static void log_state(const struct writer *k, enum journal_state before, int error)
{
	enum journal_state state = k->state;

	if (state == JOURNAL_WORKS)
		LOG(STORE_RESUMED, F_NONE);
	else if (state == JOURNAL_LOW_SPACE && before == JOURNAL_WORKS)
		LOG(STORE_FULL, F_STR("error", strerrordesc_np(-error)),
		    F_STR("remedy", remedy_of(k->bound)));
	else if (state == JOURNAL_WAITS)
		LOG(STORE_FULL, F_STR("error", strerrordesc_np(-error)),
		    F_STR("remedy", "make room on its file system, or raise its limit"));
	else if (state == JOURNAL_FAILED)
		LOG(STORE_FAILED, F_STR("error", strerrordesc_np(-error)),
		    F_STR("remedy",
		          "nothing is acknowledged any more; see to the disk, then restart"));
}

void writer_set_state(struct writer *k, enum journal_state state, int error)
{
	enum journal_state before = k->state;
	bool lacks_space = state == JOURNAL_LOW_SPACE || state == JOURNAL_WAITS;

	k->state = state;
	mutex_lock(&k->j.lock);
	k->health.state = state;
	if (error != 0)
		k->health.error = error;
	k->failed = state == JOURNAL_FAILED;
	mutex_unlock(&k->j.lock);
	if (atomic_exchange(&k->j.lacks_space, lacks_space) != lacks_space)
		journal_report_space(&k->j);
	if (state != before)
		log_state(k, before, error);
}

/* Room for the largest that waits, but never more than half of the whole. */
static uint64_t wanted(const struct writer *k, uint64_t max_bytes)
{
	uint64_t again = max_bytes / 16 < SPACE_AGAIN ? max_bytes / 16 : SPACE_AGAIN;
	uint64_t largest = k->space_wanted < max_bytes / 2 ? k->space_wanted : max_bytes / 2;

	return largest > again ? largest : again;
}

/* Under the lock: whoever finds it tight until here is told afterwards. */
static bool raise_space(struct writer *k, uint64_t max_bytes)
{
	if (!k->j.low || k->j.waiting_bytes + wanted(k, max_bytes) > k->j.room_bytes)
		return false;
	k->j.low = false;
	k->space_wanted = 0;
	return true;
}

static void report_space(struct writer *k, bool is_low)
{
	if (is_low) {
		k->low_space_ms = k->now_ms;
		writer_set_state(k, JOURNAL_LOW_SPACE, -ENOSPC);
	} else if (k->state != JOURNAL_LOW_SPACE || k->now_ms >= k->low_space_ms + CALM_MS) {
		writer_set_state(k, JOURNAL_WORKS, 0);
	}
}

void writer_check_space(struct writer *k)
{
	struct journal_health *h = &k->health;
	struct store_status status;
	bool raised;

	store_status(k->store, &status);
	k->j.room_bytes = store_space(k->store, &status, &k->bound);
	k->j.used_bytes = status.used_bytes;
	k->j.max_bytes = status.max_bytes;
	mutex_lock(&k->j.lock);
	h->map_bytes = status.map_bytes;
	h->used_bytes = status.used_bytes;
	h->max_bytes = status.max_bytes;
	k->space_ms = k->now_ms + LOOK_AGAIN_MS;
	k->written_bytes = 0;
	raised = raise_space(k, status.max_bytes);
	mutex_unlock(&k->j.lock);
	report_space(k, raised || k->j.low);
	if (raised)
		journal_report_space(&k->j);
}

bool writer_space_may_differ(const struct writer *k)
{
	return k->state != JOURNAL_WORKS || k->j.low || k->now_ms >= k->space_ms ||
	       k->written_bytes > LOOK_BYTES || k->written_bytes > k->j.room_bytes / 4;
}

uint64_t writer_check_due_ms(const struct writer *k)
{
	if (k->state == JOURNAL_LOW_SPACE)
		return k->space_ms;
	return k->j.low ? 0 : WRITER_NEVER;
}

void writer_check_again(struct writer *k)
{
	bool again;

	mutex_lock(&k->j.lock);
	again = k->now_ms >= writer_check_due_ms(k);
	mutex_unlock(&k->j.lock);
	if (again && k->state != JOURNAL_WAITS)
		writer_check_space(k);
}

void writer_lower_space(struct journal *j, size_t bytes)
{
	struct writer *k = (struct writer *)j;

	mutex_lock(&j->lock);
	if (bytes > k->space_wanted)
		k->space_wanted = bytes;
	if (!j->low && k->asleep)
		condition_signal(&k->wake);
	j->low = true;
	mutex_unlock(&j->lock);
}
