/* Turns and delays.  A source is known while it has requests or a running hash, and afterwards as
 * long as its delay matters.  uthash keeps the order of insertion, and a source moves to the end
 * whenever something happens to it. */
#include "auth/hash_queue.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/require.h"

#define SHARES_MAX 8

/* Failures with one user name. */
struct failure_share {
	uint64_t user_key;
	uint32_t failures;
};

struct auth_source {
	char *address;
	size_t address_len;
	struct hash_request *waiting; /* oldest first */
	unsigned hashing;
	uint32_t failures; /* that were not cancelled */
	/* By user name. Failures that have no place here stay until they are forgotten. */
	struct failure_share shares[SHARES_MAX];
	uint64_t failed_ms; /* the last of them */
	uint64_t not_before_ms;
	uint64_t touched_ms;
	struct auth_source *prev, *next; /* in turns, while there are requests */
	UT_hash_handle hh;
};

static uint64_t delay_of(const struct auth_source *s)
{
	uint64_t delay_ms = DELAY_FIRST_MS;

	if (s->failures == 0)
		return 0;
	for (uint32_t i = 1; i < s->failures && delay_ms < DELAY_LAST_MS; i++)
		delay_ms *= 2;
	return delay_ms;
}

/* Successes do not keep a delay alive. */
static void forget_old_failures(struct auth_source *s, uint64_t now_ms)
{
	if (s->failures == 0 || now_ms < s->failed_ms + DELAY_FORGOTTEN_MS)
		return;
	s->failures = 0;
	memset(s->shares, 0, sizeof(s->shares));
}

static uint64_t user_key_of(struct slice user)
{
	return user.len == 0 ? 0 : hash_bytes(user.data, user.len);
}

static bool is_idle(const struct auth_source *s)
{
	return s->waiting == NULL && s->hashing == 0;
}

/* NOLINTBEGIN(readability-function-size): it counts the nesting inside uthash's macros */
static void source_free(struct hash_queue *queue, struct auth_source *s)
{
	REQUIRE(is_idle(s) && queue->idle > 0);
	HASH_DEL(queue->sources, s);
	queue->idle--;
	free(s->address);
	free(s);
}

void hash_queue_fini(struct hash_queue *queue)
{
	struct auth_source *s, *next;

	HASH_ITER (hh, queue->sources, s, next) {
		source_free(queue, s);
	}
}

/* Forget sources that have been quiet for long, and the longest quiet where there are too many.
 * Sources with requests stay; there are at most as many as connections. */
static void forget_quiet(struct hash_queue *queue, uint64_t now_ms)
{
	struct auth_source *s, *next;

	HASH_ITER (hh, queue->sources, s, next) {
		if (queue->idle <= HASH_QUEUE_SOURCES_MAX &&
		    now_ms < s->touched_ms + DELAY_FORGOTTEN_MS)
			return;
		if (is_idle(s))
			source_free(queue, s);
	}
}

static void touch(struct hash_queue *queue, struct auth_source *s, uint64_t now_ms)
{
	HASH_DEL(queue->sources, s);
	s->touched_ms = now_ms;
	HASH_ADD_KEYPTR(hh, queue->sources, s->address, s->address_len, s);
}

static struct auth_source *source_new(struct hash_queue *queue, struct slice address)
{
	struct auth_source *s = xnew(s);

	s->address = slice_dup(address);
	s->address_len = address.len;
	HASH_ADD_KEYPTR(hh, queue->sources, s->address, s->address_len, s);
	queue->idle++;
	return s;
}

static struct auth_source *source_find(struct hash_queue *queue, struct slice address)
{
	static const uint8_t nothing[1];
	const void *key = address.len == 0 ? nothing : address.data;
	struct auth_source *s;

	HASH_FIND(hh, queue->sources, key, address.len, s);
	return s;
}

void hash_queue_put(struct hash_queue *queue, struct hash_request *q, struct slice address,
                    uint64_t now_ms)
{
	struct auth_source *s = source_find(queue, address);

	REQUIRE(q->source == NULL); /* it is in no queue and is not hashed */
	if (s == NULL)
		s = source_new(queue, address);
	touch(queue, s, now_ms);
	forget_old_failures(s, now_ms);
	if (is_idle(s))
		queue->idle--;
	if (s->waiting == NULL)
		DL_APPEND(queue->turns, s);
	q->source = s;
	q->user_key = user_key_of(slice_of_str(q->user));
	DL_APPEND(s->waiting, q);
	forget_quiet(queue, now_ms);
}

/* How long this source must wait: 0 where it may go. After a failure it has one hash at a time. */
static uint64_t wait_of(const struct auth_source *s, uint64_t now_ms)
{
	if (s->failures == 0)
		return 0;
	if (s->hashing > 0)
		return UINT64_MAX;
	return s->not_before_ms > now_ms ? s->not_before_ms - now_ms : 0;
}

/* Take q out of its source's requests. */
static void unlink_request(struct hash_queue *queue, struct auth_source *s, struct hash_request *q)
{
	REQUIRE(q->source == s);
	DL_DELETE(s->waiting, q);
	if (s->waiting == NULL)
		DL_DELETE(queue->turns, s);
}

static bool has_failed(const struct auth_source *s, uint64_t user_key)
{
	for (size_t i = 0; i < SHARES_MAX; i++) {
		if (s->shares[i].failures > 0 && s->shares[i].user_key == user_key)
			return true;
	}
	return false;
}

/* Users that have not failed come first: a device with a wrong password, which tries again and
 * again, must not take every turn of its address. */
static struct hash_request *next_of(struct auth_source *s)
{
	struct hash_request *q;

	REQUIRE(s->waiting != NULL); /* a source with a turn has a request */
	DL_FOREACH (s->waiting, q) {
		if (!has_failed(s, q->user_key))
			return q;
	}
	return s->waiting;
}

struct hash_request *hash_queue_take(struct hash_queue *queue, uint64_t now_ms, uint64_t *wait_ms)
{
	struct hash_request *q;
	struct auth_source *s;

	*wait_ms = UINT64_MAX;
	DL_FOREACH (queue->turns, s) {
		uint64_t wait = wait_of(s, now_ms);

		if (wait == 0)
			break;
		if (wait < *wait_ms)
			*wait_ms = wait;
	}
	if (s == NULL)
		return NULL;
	/* mutant: who_failed_goes_last */
	q = next_of(s);
	unlink_request(queue, s, q);
	s->hashing++;
	if (s->waiting != NULL) {
		DL_DELETE(queue->turns, s);
		DL_APPEND(queue->turns, s);
	}
	return q;
}

/* A source that has become idle: it stays only for its delay. */
static void settle(struct hash_queue *queue, struct auth_source *s)
{
	if (!is_idle(s))
		return;
	queue->idle++;
	if (s->failures == 0)
		source_free(queue, s);
}

/* The share of this user, or a free one; NULL: there is neither. */
static struct failure_share *share_of(struct auth_source *s, uint64_t user_key)
{
	struct failure_share *unused = NULL;

	for (size_t i = 0; i < SHARES_MAX; i++) {
		struct failure_share *share = &s->shares[i];

		if (share->failures > 0 && share->user_key == user_key)
			return share;
		if (share->failures == 0)
			unused = share;
	}
	return unused;
}

static void count_outcome(struct auth_source *s, uint64_t user_key, enum hash_queue_outcome outcome,
                          uint64_t now_ms)
{
	struct failure_share *share = share_of(s, user_key);

	if (outcome == HASH_QUEUE_WRONG && s->failures < UINT32_MAX) {
		s->failures++;
		if (share != NULL) {
			share->user_key = user_key;
			share->failures++;
		}
	} else if (outcome == HASH_QUEUE_RIGHT &&
	           /* mutant: success_of_nobody_forgives_nothing */ share != NULL) {
		REQUIRE(s->failures >= share->failures);
		/* mutant: success_forgives_own_failures, success_of_nobody_forgives_all */
		s->failures -= share->failures;
		share->failures = 0;
	}
	if (outcome == HASH_QUEUE_WRONG) {
		s->failed_ms = now_ms;
		s->not_before_ms = now_ms + delay_of(s);
	}
}

void hash_queue_done(struct hash_queue *queue, struct hash_request *q,
                     enum hash_queue_outcome outcome, uint64_t now_ms)
{
	struct auth_source *source = q->source;

	REQUIRE(source != NULL && source->hashing > 0);
	q->source = NULL;
	source->hashing--;
	count_outcome(source, q->user_key, outcome, now_ms);
	touch(queue, source, now_ms);
	settle(queue, source);
}

bool hash_queue_pass(struct hash_queue *queue, struct slice address,
                     enum hash_queue_outcome outcome, uint64_t now_ms, uint64_t *wait_ms)
{
	struct auth_source *s = source_find(queue, address);

	if (s != NULL)
		forget_old_failures(s, now_ms);
	if (s == NULL || s->failures == 0)
		return true;
	*wait_ms = s->not_before_ms > now_ms ? s->not_before_ms - now_ms : 0;
	if (*wait_ms > 0)
		return false;
	if (outcome == HASH_QUEUE_WRONG)
		s->not_before_ms = now_ms + delay_of(s);
	return true;
}

void hash_queue_note(struct hash_queue *queue, struct slice address, struct slice user,
                     enum hash_queue_outcome outcome, uint64_t now_ms)
{
	struct auth_source *s = source_find(queue, address);

	if (s == NULL && outcome == HASH_QUEUE_RIGHT)
		return;
	if (s == NULL)
		s = source_new(queue, address);
	count_outcome(s, user_key_of(user), outcome, now_ms);
	touch(queue, s, now_ms);
	if (is_idle(s) && s->failures == 0)
		source_free(queue, s);
	forget_quiet(queue, now_ms);
}

bool hash_queue_remove(struct hash_queue *queue, struct hash_request *q)
{
	struct auth_source *s = q->source;
	struct hash_request *found;

	DL_FOREACH (s->waiting, found) {
		if (found == q)
			break;
	}
	if (found == NULL) /* it is being hashed */
		return false;
	unlink_request(queue, s, q);
	q->source = NULL;
	settle(queue, s);
	return true;
}

struct hash_request *hash_queue_pop(struct hash_queue *queue)
{
	struct auth_source *s = queue->turns;
	struct hash_request *q;

	if (s == NULL)
		return NULL;
	q = s->waiting;
	unlink_request(queue, s, q);
	q->source = NULL;
	settle(queue, s);
	return q;
}

bool hash_queue_is_empty(const struct hash_queue *queue)
{
	return queue->turns == NULL;
}

size_t hash_queue_source_count(const struct hash_queue *queue)
{
	return HASH_COUNT(queue->sources);
}
/* NOLINTEND(readability-function-size) */
