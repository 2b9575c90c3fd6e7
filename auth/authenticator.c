/* The hashing threads around the queue and the cache.  One lock over both, held for table look-ups
 * only; a question belongs to the queue while it waits, to a thread while it is hashed, and to its
 * asker again from the post on. */
#include "auth/authenticator.h"

#include <stdlib.h>

#include "auth/cache.h"
#include "auth/password.h"
#include "auth/queue.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/thread.h"

#define THREADS_MAX 2

struct authenticator {
	struct mutex lock;
	struct condition work;
	struct queue queue;
	struct cache cache;
	bool stopping;
	unsigned thread_count;
	struct thread threads[THREADS_MAX];
};

static void wipe_password(struct auth_question *q)
{
	crypto_wipe(q->password, q->password_len);
	free(q->password);
	q->password = NULL;
	q->password_len = 0;
}

/* The last touch: from here on the question may be gone. */
static void post_answer(struct auth_question *q, bool accepted)
{
	wipe_password(q);
	q->accepted = accepted;
	home_post(q->home, &q->post);
}

/* Somebody with the same credentials may have been let in while this one waited. */
static bool known_by_now(struct authenticator *a, const struct auth_question *q)
{
	bool found;

	if (q->hash == NULL)
		return false;
	mutex_lock(&a->lock);
	found = cache_find(&a->cache, q->digest, clock_monotonic_ms());
	mutex_unlock(&a->lock);
	return found;
}

static void answer(struct authenticator *a, struct auth_question *q)
{
	enum queue_outcome outcome = QUEUE_SKIPPED;
	uint64_t now_ms;

	if (!known_by_now(a, q))
		outcome = password_verify(q->hash, slice_of(q->password, q->password_len))
		              ? QUEUE_RIGHT
		              : QUEUE_WRONG;
	mutex_lock(&a->lock);
	now_ms = clock_monotonic_ms();
	if (outcome == QUEUE_RIGHT)
		cache_put(&a->cache, q->digest, now_ms);
	queue_done(&a->queue, q->source, outcome, now_ms);
	if (!queue_is_empty(&a->queue))
		condition_signal(&a->work);
	q->source = NULL;
	mutex_unlock(&a->lock);
	post_answer(q, outcome != QUEUE_WRONG);
}

static void *run(void *arg)
{
	struct authenticator *a = arg;

	mutex_lock(&a->lock);
	while (!a->stopping) {
		uint64_t wait_ms;
		struct auth_question *q = queue_take(&a->queue, clock_monotonic_ms(), &wait_ms);

		if (q != NULL) {
			mutex_unlock(&a->lock);
			answer(a, q);
			mutex_lock(&a->lock);
		} else if (wait_ms == UINT64_MAX) {
			condition_wait(&a->work, &a->lock);
		} else {
			condition_wait_for(&a->work, &a->lock, wait_ms);
		}
	}
	mutex_unlock(&a->lock);
	return NULL;
}

struct authenticator *authenticator_new(unsigned threads)
{
	struct authenticator *a = xnew(a);

	REQUIRE(threads >= 1 && threads <= THREADS_MAX);
	mutex_init(&a->lock);
	condition_init(&a->work);
	cache_init(&a->cache);
	while (a->thread_count < threads &&
	       thread_start(&a->threads[a->thread_count], "hash", run, a) == 0)
		a->thread_count++;
	if (a->thread_count == 0) {
		authenticator_free(a);
		return NULL;
	}
	return a;
}

static struct auth_question *pop(struct authenticator *a)
{
	struct auth_question *q;

	mutex_lock(&a->lock);
	q = queue_pop(&a->queue);
	mutex_unlock(&a->lock);
	return q;
}

void authenticator_stop(struct authenticator *a)
{
	struct auth_question *q;

	mutex_lock(&a->lock);
	a->stopping = true;
	condition_broadcast(&a->work);
	mutex_unlock(&a->lock);
	while (a->thread_count > 0)
		thread_join(&a->threads[--a->thread_count]);
	while ((q = pop(a)) != NULL)
		post_answer(q, false);
}

void authenticator_free(struct authenticator *a)
{
	if (a == NULL)
		return;
	authenticator_stop(a);
	queue_fini(&a->queue);
	cache_fini(&a->cache);
	condition_fini(&a->work);
	mutex_fini(&a->lock);
	free(a);
}

void auth_question_fill(struct auth_question *q, struct slice user, const struct user *entry,
                        struct slice password)
{
	bool may = entry != NULL && !entry->locked && entry->hash != NULL;

	q->accepted = false;
	q->user = slice_dup(user);
	q->hash = may ? xstrdup(entry->hash) : NULL;
	q->password = NULL;
	q->password_len = 0;
	if (password.len > 0 && password.len <= PASSWORD_MAX) {
		q->password = xalloc(password.len);
		memcpy(q->password, password.data, password.len);
		q->password_len = password.len;
	}
}

void auth_question_fini(struct auth_question *q)
{
	wipe_password(q);
	free(q->user);
	free(q->hash);
	q->user = NULL;
	q->hash = NULL;
}

/* Under the lock: true where it is in the queue now. */
static bool enqueue(struct authenticator *a, struct auth_question *q)
{
	uint64_t now_ms = clock_monotonic_ms();

	if (a->stopping || (q->hash != NULL && cache_find(&a->cache, q->digest, now_ms)))
		return false;
	queue_put(&a->queue, q, q->address, now_ms);
	condition_signal(&a->work);
	return true;
}

/* Once it is queued and the lock is gone, the question must not be looked at any more. */
bool authenticator_submit(struct authenticator *a, struct auth_question *q)
{
	bool stopping, queued;

	q->accepted = false;
	q->source = NULL;
	if (q->hash != NULL)
		cache_digest(&a->cache, slice_of_str(q->user), slice_of_str(q->hash),
		             slice_of(q->password, q->password_len), q->digest);
	mutex_lock(&a->lock);
	stopping = a->stopping;
	queued = enqueue(a, q);
	mutex_unlock(&a->lock);
	if (queued)
		return false;
	if (stopping) {
		post_answer(q, false);
		return false;
	}
	wipe_password(q);
	q->accepted = true;
	return true;
}

void authenticator_cancel(struct authenticator *a, struct auth_question *q)
{
	bool was_waiting;

	mutex_lock(&a->lock);
	was_waiting = q->source != NULL && queue_remove(&a->queue, q);
	mutex_unlock(&a->lock);
	if (was_waiting)
		post_answer(q, false);
}

bool authenticator_pass(struct authenticator *a, struct slice address, uint64_t *wait_ms)
{
	bool may;

	mutex_lock(&a->lock);
	may = queue_pass(&a->queue, address, clock_monotonic_ms(), wait_ms);
	mutex_unlock(&a->lock);
	return may;
}

void authenticator_note(struct authenticator *a, struct slice address, bool accepted)
{
	mutex_lock(&a->lock);
	queue_note(&a->queue, address, accepted ? QUEUE_RIGHT : QUEUE_WRONG, clock_monotonic_ms());
	condition_signal(&a->work);
	mutex_unlock(&a->lock);
}
