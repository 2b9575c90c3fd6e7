/* The journal's thread: sleeps until there is something to commit, an interval has ended, or a full
 * disk may be tried again.  Between commits that several wait for it leaves the processor to those
 * who would come along: a short pause, from which most of them leave sooner. */
#include "base/clock.h"
#include "journal/writer.h"

/* The pause, in sixteenths of what the last commit took.  It grows with the square of how many
 * groups waited for that: the fewer, the more the wait itself counts; the more, the more a commit
 * less is worth.  It is over when as many wait as can: those who were told, and those who had come
 * meanwhile. A client who waits for each acknowledgement, alone, never meets it. */
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
static bool is_pressed(const struct writer *k)
{
	return k->asked != NULL || k->pending_bytes > WRITER_GATHER || k->ending ||
	       k->drop_count > 0;
}

/* When to turn next, under the lock. */
static uint64_t due_ms(const struct writer *k)
{
	uint64_t due_at_ms;

	if (k->state == JOURNAL_FAILED)
		return WRITER_NEVER;
	if (k->state == JOURNAL_WAITS)
		return k->retry_ms;
	if (k->urgent > 0 || k->batch != NULL || is_pressed(k))
		return 0;
	due_at_ms = sooner(sooner(k->deadline_ms, k->flush_ms), k->note_ms);
	return sooner(due_at_ms, writer_check_due_ms(k));
}

static void sleep_until(struct writer *k, uint64_t due_at_ms)
{
	k->asleep = true;
	if (due_at_ms == WRITER_NEVER)
		condition_wait(&k->wake, &k->j.lock);
	else
		condition_wait_until(&k->wake, &k->j.lock, due_at_ms * 1000000);
	k->asleep = false;
}

/* How many groups usually wait for a commit.  Not only for the last one: a large batch and a small
 * one would follow each other for ever. */
static size_t usual_groups(struct writer *k)
{
	k->usual_urgent = (k->usual_urgent * 3 + k->taken_urgent * USUAL_ONE) / 4;
	return k->usual_urgent / USUAL_ONE;
}

static uint64_t pause_ns(struct writer *k)
{
	size_t usual = usual_groups(k);
	size_t waited = usual < PAUSE_GROUPS ? usual : PAUSE_GROUPS;
	size_t sixteenths = waited * waited / PAUSE_SQUARES;

	if (sixteenths < PAUSE_LEAST)
		sixteenths = PAUSE_LEAST;
	if (sixteenths > PAUSE_MOST)
		sixteenths = PAUSE_MOST;
	return sooner(k->commit_us * 1000 * sixteenths / 16, PAUSE_MAX_NS);
}

static void pause_for_others(struct writer *k)
{
	uint64_t until_ns = clock_monotonic_ns() + pause_ns(k);

	k->enough = k->urgent + k->taken_urgent;
	k->asleep = k->pausing = true;
	while (!k->stopping && !is_pressed(k) && k->urgent < k->enough &&
	       clock_monotonic_ns() < until_ns)
		condition_wait_until(&k->wake, &k->j.lock, until_ns);
	k->asleep = k->pausing = false;
	k->enough = 1;
}

static void *run(void *arg)
{
	struct writer *k = arg;

	mutex_lock(&k->j.lock);
	while (!k->stopping) {
		uint64_t now_ms = clock_monotonic_ms(), due = due_ms(k);
		bool committed;

		if (due > now_ms) {
			sleep_until(k, due);
			continue;
		}
		mutex_unlock(&k->j.lock);
		committed = writer_turn(k, now_ms, false);
		mutex_lock(&k->j.lock);
		if (committed && k->taken_urgent > 0)
			pause_for_others(k);
	}
	mutex_unlock(&k->j.lock);
	return NULL;
}

int writer_start(struct journal *j)
{
	struct writer *k = (struct writer *)j;
	int rc;

	REQUIRE(!k->started && !k->stopped);
	rc = thread_start(&k->thread, "journal", run, k);
	k->started = rc == 0;
	return rc;
}

void writer_join(struct writer *k)
{
	mutex_lock(&k->j.lock);
	k->stopping = true;
	condition_signal(&k->wake);
	mutex_unlock(&k->j.lock);
	thread_join(&k->thread);
	k->started = false;
}
