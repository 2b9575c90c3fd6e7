/* The hashing threads around the queue and the cache.  One lock for both, held for table look-ups
 * only.  A request belongs to the queue while it waits, to a thread while it is hashed, and to its
 * owner again from the task on. */
#include "auth/authenticator.h"

#include <stdlib.h>

#include "auth/hash_queue.h"
#include "auth/login_cache.h"
#include "auth/pace.h"
#include "auth/password.h"
#include "auth/password_file.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/thread.h"

#define THREADS_MAX 2

struct authenticator {
	struct mutex lock;
	struct condition work;
	struct condition stop; /* a thread that delays a failure waits for it */
	struct hash_queue queue;
	struct login_cache cache;
	struct pace pace;
	bool stopping;
	unsigned thread_count;
	struct thread threads[THREADS_MAX];
};

/* The request may be freed from here on. */
static void send_answer(struct hash_request *q, bool accepted)
{
	hash_request_wipe_password(q);
	q->accepted = accepted;
	executor_send(q->executor, &q->task);
}

static uint64_t ms_up(uint64_t ns)
{
	return (ns + 999999) / 1000000;
}

/* Under the lock. */
static void wait_until(struct authenticator *a, uint64_t until_ns)
{
	uint64_t now_ns;

	while (!a->stopping && (now_ns = clock_monotonic_ns()) < until_ns)
		condition_wait_for(&a->stop, &a->lock, ms_up(until_ns - now_ns));
}

/* Under the lock, which is released during the hash. */
static void hash_and_answer(struct authenticator *a, struct hash_request *q)
{
	/* mutant: nobody_costs_the_slowest_method */
	char *dummy = pace_slowest(&a->pace);
	uint64_t begin_ns = clock_monotonic_ns(), until_ns;
	enum hash_queue_outcome outcome = HASH_QUEUE_SKIPPED;
	/* Another client may have logged in with the same credentials while this one waited. */
	bool known =
	    q->hash != NULL && login_cache_find(&a->cache, q->digest, clock_monotonic_ms());

	mutex_unlock(&a->lock);
	if (!known)
		outcome = password_check(q->hash, slice_of(q->password, q->password_len), dummy)
		              ? HASH_QUEUE_RIGHT
		              : HASH_QUEUE_WRONG;
	/* mutant: password_wiped_before_the_wait */
	hash_request_wipe_password(q); /* before anything is waited for */
	mutex_lock(&a->lock);
	if (outcome != HASH_QUEUE_SKIPPED)
		pace_learn(&a->pace, q->hash != NULL ? q->hash : dummy,
		           clock_monotonic_ns() - begin_ns);
	until_ns = begin_ns + pace_failure_ns(&a->pace);
	q->refuse_at_ms = ms_up(until_ns);
	/* mutant: failed_login_waits */
	if (outcome == HASH_QUEUE_WRONG)
		wait_until(a, until_ns);
	if (outcome == HASH_QUEUE_RIGHT)
		login_cache_put(&a->cache, q->digest, clock_monotonic_ms());
	hash_queue_done(&a->queue, q, outcome, clock_monotonic_ms());
	if (!hash_queue_is_empty(&a->queue))
		condition_signal(&a->work);
	mutex_unlock(&a->lock);
	send_answer(q, outcome != HASH_QUEUE_WRONG);
	free(dummy);
	mutex_lock(&a->lock);
}

/* Under the lock, which is released during the hash. */
static void measure_kind(struct authenticator *a, char *hash)
{
	uint64_t begin_ns = clock_monotonic_ns();

	mutex_unlock(&a->lock);
	(void)password_check(NULL, SLICE_EMPTY, hash);
	mutex_lock(&a->lock);
	pace_measured(&a->pace, hash, clock_monotonic_ns() - begin_ns);
	condition_broadcast(&a->work);
	free(hash);
}

static void hash_next(struct authenticator *a)
{
	uint64_t wait_ms;
	struct hash_request *q = hash_queue_take(&a->queue, clock_monotonic_ms(), &wait_ms);

	if (q != NULL)
		hash_and_answer(a, q);
	else if (wait_ms == UINT64_MAX)
		condition_wait(&a->work, &a->lock);
	else
		condition_wait_for(&a->work, &a->lock, wait_ms);
}

static void *run_thread(void *arg)
{
	struct authenticator *a = arg;

	mutex_lock(&a->lock);
	while (!a->stopping) {
		char *hash = pace_take(&a->pace);

		if (hash != NULL)
			measure_kind(a, hash);
		else if (pace_is_known(&a->pace))
			hash_next(a);
		else
			condition_wait(&a->work, &a->lock); /* the other thread measures */
	}
	mutex_unlock(&a->lock);
	return NULL;
}

void authenticator_use(struct authenticator *a, const struct password_file *file)
{
	size_t users = file == NULL ? 0 : password_file_count(file);
	struct pace found = {0};

	/* The file may be large, and loops wait for the lock: under it there are only kinds. */
	for (size_t i = 0; i < users; i++) {
		const char *hash = password_file_at(file, i)->hash;

		if (hash != NULL)
			pace_add(&found, hash);
	}
	mutex_lock(&a->lock);
	pace_begin(&a->pace);
	for (size_t i = 0; i < found.count; i++)
		pace_add(&a->pace, found.kinds[i].hash);
	condition_broadcast(&a->work);
	mutex_unlock(&a->lock);
	pace_fini(&found);
}

struct authenticator *authenticator_new(unsigned threads)
{
	struct authenticator *a = xnew(a);

	REQUIRE(threads >= 1 && threads <= THREADS_MAX);
	mutex_init(&a->lock, LOCK_AUTHENTICATOR);
	condition_init(&a->work);
	condition_init(&a->stop);
	login_cache_init(&a->cache);
	while (a->thread_count < threads &&
	       thread_start(&a->threads[a->thread_count], "hash", run_thread, a) == 0)
		a->thread_count++;
	if (a->thread_count == 0) {
		authenticator_free(a);
		return NULL;
	}
	return a;
}

void authenticator_stop(struct authenticator *a)
{
	struct hash_request *q;

	mutex_lock(&a->lock);
	a->stopping = true;
	condition_broadcast(&a->work);
	condition_broadcast(&a->stop);
	mutex_unlock(&a->lock);
	while (a->thread_count > 0)
		thread_join(&a->threads[--a->thread_count]);
	do {
		mutex_lock(&a->lock);
		q = hash_queue_pop(&a->queue);
		mutex_unlock(&a->lock);
		if (q != NULL)
			send_answer(q, false);
	} while (q != NULL);
}

void authenticator_free(struct authenticator *a)
{
	if (a == NULL)
		return;
	authenticator_stop(a);
	hash_queue_fini(&a->queue);
	login_cache_fini(&a->cache);
	pace_fini(&a->pace);
	condition_fini(&a->stop);
	condition_fini(&a->work);
	mutex_fini(&a->lock);
	free(a);
}

/* Once it is queued and the lock is released, the request must not be read any more. */
bool authenticator_submit(struct authenticator *a, struct hash_request *q)
{
	uint64_t now_ms;
	bool stopping, known;

	REQUIRE(q->task.run != NULL && q->executor != NULL);
	q->accepted = false;
	q->source = NULL;
	/* Also where nobody can log in, so that it takes the same time. */
	login_cache_digest(&a->cache, slice_of_str(q->user), slice_of_str(q->hash),
	                   slice_of(q->password, q->password_len), q->digest);
	mutex_lock(&a->lock);
	/* Read under the lock: a failure that was counted meanwhile is never later than now. */
	now_ms = clock_monotonic_ms();
	stopping = a->stopping;
	known = !stopping && q->hash != NULL && login_cache_find(&a->cache, q->digest, now_ms);
	if (!stopping && !known) {
		hash_queue_put(&a->queue, q, q->address, now_ms);
		condition_signal(&a->work);
	}
	mutex_unlock(&a->lock);
	if (known) {
		hash_request_wipe_password(q);
		q->accepted = true;
	}
	if (stopping)
		send_answer(q, false);
	return known;
}

void authenticator_cancel(struct authenticator *a, struct hash_request *q)
{
	bool was_waiting;

	mutex_lock(&a->lock);
	was_waiting = q->source != NULL && hash_queue_remove(&a->queue, q);
	mutex_unlock(&a->lock);
	if (was_waiting)
		send_answer(q, false);
}

static enum hash_queue_outcome outcome_of(bool accepted)
{
	return accepted ? HASH_QUEUE_RIGHT : HASH_QUEUE_WRONG;
}

bool authenticator_pass(struct authenticator *a, struct slice address, bool accepted,
                        uint64_t *wait_ms)
{
	bool may;

	mutex_lock(&a->lock);
	may = hash_queue_pass(&a->queue, address, outcome_of(accepted), clock_monotonic_ms(),
	                      wait_ms);
	mutex_unlock(&a->lock);
	return may;
}

void authenticator_note(struct authenticator *a, struct slice address, struct slice user,
                        bool accepted)
{
	mutex_lock(&a->lock);
	hash_queue_note(&a->queue, address, user, outcome_of(accepted), clock_monotonic_ms());
	condition_signal(&a->work);
	mutex_unlock(&a->lock);
}
