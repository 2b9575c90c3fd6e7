/* The journal's thread: sleeps until there is something to commit, an interval has ended, or a full
 * disk may be tried again. */
#include "base/clock.h"
#include "store/keeper.h"

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* When to turn next, under the lock. */
static uint64_t due_ms(const struct keeper *k)
{
	if (k->state == JOURNAL_FAILED)
		return KEEPER_NEVER;
	if (k->state == JOURNAL_WAITS)
		return k->retry_ms;
	if (k->urgent || k->asked != NULL || k->pending_bytes > KEEPER_GATHER || k->ending ||
	    k->drop_count > 0)
		return 0;
	return sooner(sooner(k->deadline_ms, k->flush_ms), k->note_ms);
}

static void sleep_until(struct keeper *k, uint64_t due_at_ms, uint64_t now_ms)
{
	k->asleep = true;
	if (due_at_ms == KEEPER_NEVER)
		condition_wait(&k->wake, &k->j.lock);
	else
		condition_wait_for(&k->wake, &k->j.lock, due_at_ms - now_ms);
	k->asleep = false;
}

static void *run(void *arg)
{
	struct keeper *k = arg;

	mutex_lock(&k->j.lock);
	while (!k->stopping) {
		uint64_t now_ms = clock_monotonic_ms(), due = due_ms(k);

		if (due > now_ms) {
			sleep_until(k, due, now_ms);
			continue;
		}
		mutex_unlock(&k->j.lock);
		keeper_turn(k, now_ms, false);
		mutex_lock(&k->j.lock);
	}
	mutex_unlock(&k->j.lock);
	return NULL;
}

int keeper_start(struct journal *j)
{
	struct keeper *k = (struct keeper *)j;
	int rc;

	REQUIRE(!k->started && !k->stopped);
	rc = thread_start(&k->thread, "journal", run, k);
	k->started = rc == 0;
	return rc;
}

void keeper_join(struct keeper *k)
{
	mutex_lock(&k->j.lock);
	k->stopping = true;
	condition_signal(&k->wake);
	mutex_unlock(&k->j.lock);
	thread_join(&k->thread);
	k->started = false;
}
