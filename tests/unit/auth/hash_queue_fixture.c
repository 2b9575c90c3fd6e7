/* How a test asks for hashes. */
#include "hash_queue_fixture.h"

void fill(struct asked *a, struct slice address, const char *user, unsigned password)
{
	*a = (struct asked){.q.address = address, .q.exists = user[0] != '?'};
	(void)snprintf(a->user, sizeof(a->user), "%s", user);
	a->q.user = a->user;
	memcpy(a->q.digest, &password, sizeof(password));
}

bool finish(struct hash_queue *queue, struct hash_request *q, enum hash_queue_outcome outcome,
            uint64_t now_ms)
{
	assert_non_null(q);
	return hash_queue_done(queue, q, outcome, now_ms);
}

enum hash_queue_place ask(struct hash_queue *queue, struct asked *a, uint64_t now_ms)
{
	enum hash_queue_place place = hash_queue_ask(queue, &a->q, now_ms);

	if (place == HASH_QUEUE_FREE)
		(void)hash_queue_put(queue, &a->q, now_ms);
	return place;
}

enum hash_queue_place ask_for(struct hash_queue *queue, struct asked *a, struct slice address,
                              const char *user, unsigned password, uint64_t now_ms)
{
	fill(a, address, user, password);
	return ask(queue, a, now_ms);
}

struct hash_request *take(struct hash_queue *queue, uint64_t now_ms)
{
	uint64_t wait_ms;

	return hash_queue_take(queue, now_ms, &wait_ms);
}

uint64_t wait_of_next(struct hash_queue *queue, uint64_t now_ms)
{
	uint64_t wait_ms = 0;

	assert_null(hash_queue_take(queue, now_ms, &wait_ms));
	return wait_ms;
}

bool try(struct hash_queue *queue, struct slice address, const char *user, unsigned password,
         enum hash_queue_outcome outcome, uint64_t now_ms)
{
	struct asked a;
	bool begins = false;

	fill(&a, address, user, password);
	if (hash_queue_ask(queue, &a.q, now_ms) == HASH_QUEUE_FREE)
		begins = hash_queue_put(queue, &a.q, now_ms);
	assert_ptr_equal(take(queue, now_ms), &a.q);
	return finish(queue, &a.q, outcome, now_ms) || begins;
}

void fail_often(struct hash_queue *queue, struct slice address, const char *user, unsigned times,
                uint64_t now_ms)
{
	for (unsigned i = 0; i < times; i++)
		(void)try(queue, address, user, 1000 + i, HASH_QUEUE_WRONG, now_ms);
}

void make_delayed(struct hash_queue *queue, struct slice address, const char *user, uint64_t now_ms)
{
	fail_often(queue, address, user, GUESSES_FREE, now_ms);
}

uint64_t delay_now(struct hash_queue *queue, struct slice address, const char *user,
                   uint64_t now_ms)
{
	struct asked a;
	uint64_t wait_ms = 0;
	struct hash_request *q;

	(void)ask_for(queue, &a, address, user, 999999, now_ms);
	q = hash_queue_take(queue, now_ms, &wait_ms);
	if (q == NULL) {
		assert_true(hash_queue_remove(queue, &a.q, now_ms));
		return wait_ms;
	}
	assert_ptr_equal(q, &a.q);
	(void)finish(queue, q, HASH_QUEUE_RIGHT, now_ms);
	return 0;
}

void assert_empty(struct hash_queue *queue)
{
	assert_true(hash_queue_is_empty(queue));
	assert_null(queue->table.pairs);
}
