/* The hashing threads around the queue and the cache.  One lock for both, held for table look-ups
 * only.  A request belongs to the queue while it waits, to a thread while it is hashed, and to its
 * owner again from the task on. */
#include "auth/authenticator.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "auth/hash_queue.h"
#include "auth/login_cache.h"
#include "auth/pace.h"
#include "auth/password.h"
#include "auth/password_file.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/latency.h"
#include "base/log.h"
#include "base/thread.h"

#define THREADS_MAX 6

struct authenticator {
	struct mutex lock;
	struct condition work;
	struct condition stop; /* a thread that delays a failure waits for it */
	struct hash_queue queue;
	struct login_cache cache;
	struct pace pace;
	bool stopping;
	_Atomic uint64_t unanswered;                /* of requests that get a task */
	_Atomic uint64_t hash_cells[LATENCY_CELLS]; /* written under the lock */
	unsigned thread_count;
	struct thread threads[THREADS_MAX];
};

/* The request may be freed from here on. */
static void send_answer(struct authenticator *a, struct hash_request *q, bool accepted)
{
	atomic_fetch_sub(&a->unanswered, 1);
	hash_request_wipe_password(q);
	q->accepted = accepted;
	executor_send(q->executor, &q->task);
}

static uint64_t ms_up(uint64_t ns)
{
	return (ns + 999999) / 1000000;
}

/* Under the lock. */
static void log_delay(const struct hash_request *q)
{
	LOG(LOGINS_DELAYED, .user = slice_of_str(q->user), .address = q->address,
	    .whose = q->exists ? "this user" : "names that no user has, this one among them",
	    .wrong = GUESSES_FREE);
}

/* Under the lock. What a filter that bans addresses reads (tools/fail2ban): the address comes
 * before all that the client chose. */
static void log_wrong(struct authenticator *a, const struct hash_request *q)
{
	uint32_t suppressed;

	if (hash_queue_reports(&a->queue, q, clock_monotonic_ms(), &suppressed))
		LOG(WRONG_PASSWORD, .address = q->address, .user = slice_of_str(q->user),
		    .suppressed = suppressed);
}

/* Under the lock. */
static void wait_until(struct authenticator *a, uint64_t until_ns)
{
	uint64_t now_ns;

	while (!a->stopping && (now_ns = clock_monotonic_ns()) < until_ns)
		condition_wait_for(&a->stop, &a->lock, ms_up(until_ns - now_ns));
}

/* Under the lock: the end of a request that was taken. The lock is released meanwhile. */
static void finish(struct authenticator *a, struct hash_request *q, enum hash_queue_outcome outcome)
{
	if (outcome == HASH_QUEUE_WRONG)
		log_wrong(a, q);
	if (hash_queue_done(&a->queue, q, outcome, clock_monotonic_ms()))
		log_delay(q);
	if (!hash_queue_is_empty(&a->queue))
		condition_signal(&a->work);
	mutex_unlock(&a->lock);
	send_answer(a, q, outcome == HASH_QUEUE_RIGHT);
	mutex_lock(&a->lock);
}

/* Under the lock, which is released during the hash. */
static void hash_and_answer(struct authenticator *a, struct hash_request *q)
{
	/* mutant: nobody_costs_the_slowest_method */
	char *dummy = pace_slowest(&a->pace);
	uint64_t begin_ns = clock_monotonic_ns(), took_ns, until_ns;
	enum hash_queue_outcome outcome;

	mutex_unlock(&a->lock);
	outcome = password_check(q->hash, slice_of(q->password, q->password_len), dummy)
	              ? HASH_QUEUE_RIGHT
	              : HASH_QUEUE_WRONG;
	/* mutant: password_wiped_before_the_wait */
	hash_request_wipe_password(q); /* before anything is waited for */
	mutex_lock(&a->lock);
	took_ns = clock_monotonic_ns() - begin_ns;
	pace_learn(&a->pace, q->hash != NULL ? q->hash : dummy, took_ns);
	latency_count(a->hash_cells, ms_up(took_ns));
	until_ns = begin_ns + pace_failure_ns(&a->pace);
	q->refuse_at_ms = ms_up(until_ns);
	/* mutant: failed_login_waits */
	if (outcome == HASH_QUEUE_WRONG)
		wait_until(a, until_ns);
	if (outcome == HASH_QUEUE_RIGHT)
		login_cache_put(&a->cache, q->digest, clock_monotonic_ms());
	free(dummy);
	finish(a, q, outcome);
}

/* Under the lock. */
static bool is_cached(struct authenticator *a, const struct hash_request *q, uint64_t now_ms)
{
	return q->hash != NULL && login_cache_find(&a->cache, q->digest, now_ms);
}

/* When a failure that needs no hash is reported: as late as one with a hash. */
static uint64_t failure_at_ms(const struct authenticator *a)
{
	return ms_up(clock_monotonic_ns() + pace_failure_ns(&a->pace));
}

/* Under the lock. It is its turn: much may be known that was not when it came. */
static void answer_next(struct authenticator *a, struct hash_request *q)
{
	if (q->proof == HASH_PROOF_RIGHT || is_cached(a, q, clock_monotonic_ms())) {
		finish(a, q, HASH_QUEUE_RIGHT);
	} else if (q->proof == HASH_PROOF_WRONG) {
		finish(a, q, HASH_QUEUE_WRONG);
	} else if (hash_queue_is_wrong(q)) {
		q->refuse_at_ms = failure_at_ms(a);
		finish(a, q, HASH_QUEUE_SKIPPED);
	} else {
		hash_and_answer(a, q);
	}
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
		answer_next(a, q);
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

/* Half of the processors, so that logins never take the loops' time; two where there are two. */
unsigned authenticator_threads(unsigned workers)
{
	unsigned threads = workers / 2;

	if (threads < 2)
		threads = workers > 1 ? 2 : 1;
	return threads < THREADS_MAX ? threads : THREADS_MAX;
}

struct authenticator *authenticator_new(unsigned workers)
{
	struct authenticator *a = xnew(a);
	unsigned threads = authenticator_threads(workers);

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
			send_answer(a, q, false);
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

/* Under the lock: nobody guesses there. True: it has its answer. */
static bool answer_at_once(struct authenticator *a, struct hash_request *q, uint64_t now_ms)
{
	bool begins = false;

	q->accepted = q->proof == HASH_PROOF_RIGHT || is_cached(a, q, now_ms);
	if (q->accepted)
		hash_queue_hit(&a->queue, q);
	else if (q->proof == HASH_PROOF_WRONG) {
		begins = hash_queue_fail(&a->queue, q, now_ms);
		log_wrong(a, q);
	} else
		begins = hash_queue_put(&a->queue, q, now_ms);
	if (begins)
		log_delay(q);
	return !q->is_waiting;
}

/* Under the lock. */
static bool answer_or_queue(struct authenticator *a, struct hash_request *q, uint64_t now_ms)
{
	REQUIRE(q->pair == NULL);
	switch (hash_queue_ask(&a->queue, q, now_ms)) {
	case HASH_QUEUE_FREE:
		return answer_at_once(a, q, now_ms);
	case HASH_QUEUE_WAITS:
		return false;
	case HASH_QUEUE_KNOWN_WRONG:
		/* mutant: known_wrong_answers_late */
		q->refuse_at_ms = failure_at_ms(a);
		return true;
	case HASH_QUEUE_FULL:
		q->is_refused_busy = true;
		return true;
	}
	return true;
}

/* Once it is queued and the lock is released, the request must not be read any more. */
bool authenticator_submit(struct authenticator *a, struct hash_request *q)
{
	bool stopping, answered = false;

	REQUIRE(q->task.run != NULL && q->executor != NULL);
	q->accepted = q->is_refused_busy = false;
	q->pair = NULL;
	q->is_waiting = q->is_looked_up = q->is_counted = false;
	/* Also where nobody can log in, so that it takes the same time. */
	if (q->proof == HASH_PROOF_NONE)
		login_cache_digest(&a->cache, q, q->digest);
	mutex_lock(&a->lock);
	stopping = a->stopping;
	/* The time is read under the lock: a failure that was counted meanwhile is never later. */
	if (!stopping)
		answered = answer_or_queue(a, q, clock_monotonic_ms());
	if (!stopping && !answered)
		condition_signal(&a->work);
	if (!answered) /* its answer comes after the lock is released */
		atomic_fetch_add(&a->unanswered, 1);
	mutex_unlock(&a->lock);
	if (answered)
		hash_request_wipe_password(q);
	if (stopping)
		send_answer(a, q, false);
	return answered;
}

void authenticator_cancel(struct authenticator *a, struct hash_request *q)
{
	bool was_waiting;

	mutex_lock(&a->lock);
	was_waiting = hash_queue_remove(&a->queue, q, clock_monotonic_ms());
	mutex_unlock(&a->lock);
	if (was_waiting)
		send_answer(a, q, false);
}

void authenticator_visit_delays(struct authenticator *a, login_delay_fn *fn, void *arg)
{
	mutex_lock(&a->lock);
	hash_queue_visit(&a->queue, fn, arg, clock_monotonic_ms());
	mutex_unlock(&a->lock);
}

size_t authenticator_forgive(struct authenticator *a, struct slice user, struct slice address)
{
	size_t delayed;

	mutex_lock(&a->lock);
	delayed = hash_queue_forgive(&a->queue, user, address, clock_monotonic_ms());
	condition_signal(&a->work);
	mutex_unlock(&a->lock);
	return delayed;
}

uint64_t authenticator_waiting(const struct authenticator *a)
{
	return atomic_load(&a->unanswered);
}

const _Atomic uint64_t *authenticator_hash_cells(const struct authenticator *a)
{
	return a->hash_cells;
}
