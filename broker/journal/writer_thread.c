/* The journal's thread: sleeps until there is something to commit, an interval has ended, or it is
 * time to retry a full disk.  After a commit that several groups waited for it pauses shortly, so
 * that more of them share the next one. */
#include "journal/writer_thread.h"

#include "base/clock.h"
#include "base/require.h"
#include "journal/writer_space.h"
#include "journal/writer_turn.h"

/* The pause, in sixteenths of the time that the last commit took.  It grows with the square of the
 * number of groups that waited for it: with few of them latency matters, with many the saved
 * commit. It ends when as many groups wait as can be expected: those that were completed, and those
 * that have come meanwhile.  A single client that waits for each acknowledgement is never delayed.
 */
#define PAUSE_LEAST   4
#define PAUSE_MOST    32
#define PAUSE_SQUARES 32 /* so many for a sixteenth */
#define PAUSE_GROUPS  ((size_t)64)
#define PAUSE_MAX_NS  ((uint64_t)1000000)
#define USUAL_ONE     16 /* of writer.usual_urgent */

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Is there more to do than to commit what executors make urgent? */
static bool is_pressed(const struct writer *w)
{
	return w->asked != NULL || w->pending_bytes > WRITER_GATHER || w->ending ||
	       w->drop_count > 0;
}

/* When to turn next, under the lock. */
static uint64_t due_ms(const struct writer *w)
{
	uint64_t due_at_ms;

	if (w->state == JOURNAL_FAILED)
		return WRITER_NEVER;
	if (w->state == JOURNAL_WAITS)
		return w->retry_ms;
	if (w->urgent > 0 || w->batch != NULL || is_pressed(w))
		return 0;
	due_at_ms = sooner(sooner(w->deadline_ms, w->flush_ms), w->note_ms);
	return sooner(due_at_ms, writer_space_due_ms(w));
}

static void sleep_until(struct writer *w, uint64_t due_at_ms)
{
	w->asleep = true;
	if (due_at_ms == WRITER_NEVER)
		condition_wait(&w->wake, &w->j.lock);
	else
		condition_wait_until(&w->wake, &w->j.lock, due_at_ms * 1000000);
	w->asleep = false;
}

/* How many groups usually wait for a commit: a moving average, as large and small batches would
 * otherwise alternate. */
static size_t usual_groups(struct writer *w)
{
	w->usual_urgent = (w->usual_urgent * 3 + w->taken_urgent * USUAL_ONE) / 4;
	return w->usual_urgent / USUAL_ONE;
}

static uint64_t pause_ns(struct writer *w)
{
	size_t usual = usual_groups(w);
	size_t waited = usual < PAUSE_GROUPS ? usual : PAUSE_GROUPS;
	size_t sixteenths = waited * waited / PAUSE_SQUARES;

	if (sixteenths < PAUSE_LEAST)
		sixteenths = PAUSE_LEAST;
	if (sixteenths > PAUSE_MOST)
		sixteenths = PAUSE_MOST;
	return sooner(w->commit_us * 1000 * sixteenths / 16, PAUSE_MAX_NS);
}

static void pause_for_others(struct writer *w)
{
	uint64_t until_ns = clock_monotonic_ns() + pause_ns(w);

	w->enough = w->urgent + w->taken_urgent;
	w->asleep = w->pausing = true;
	while (!w->stopping && !is_pressed(w) && w->urgent < w->enough &&
	       clock_monotonic_ns() < until_ns)
		condition_wait_until(&w->wake, &w->j.lock, until_ns);
	w->asleep = w->pausing = false;
	w->enough = 1;
}

static void *run(void *arg)
{
	struct writer *w = arg;

	w->owner = pthread_self();
	w->has_owner = true;
	/* mutant: journal_is_like_others */
	thread_yield_to_others();
	mutex_lock(&w->j.lock);
	while (!w->stopping) {
		uint64_t now_ms = clock_monotonic_ms(), due = due_ms(w);
		bool committed;

		if (due > now_ms) {
			sleep_until(w, due);
			continue;
		}
		mutex_unlock(&w->j.lock);
		committed = writer_turn(w, now_ms, false);
		mutex_lock(&w->j.lock);
		if (committed && w->taken_urgent > 0)
			pause_for_others(w);
	}
	mutex_unlock(&w->j.lock);
	return NULL;
}

int writer_thread_start(struct journal *j)
{
	struct writer *w = (struct writer *)j;
	int rc;

	REQUIRE(!w->started && !w->stopped);
	rc = thread_start(&w->thread, "journal", run, w);
	w->started = rc == 0;
	return rc;
}

void writer_thread_join(struct writer *w)
{
	REQUIRE(w->started);
	mutex_lock(&w->j.lock);
	w->stopping = true;
	condition_signal(&w->wake);
	mutex_unlock(&w->j.lock);
	thread_join(&w->thread);
	w->has_owner = w->started = false;
}
