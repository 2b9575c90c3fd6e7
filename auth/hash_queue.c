/* Turns.  A source moves to the end of its list when one of its requests is taken, and so does the
 * pair in the list of its source. */
#include "auth/hash_queue.h"

#include <stdlib.h>

#include "base/list.h"
#include "base/random.h"
#include "base/require.h"

/* Who goes first. */
enum rank {
	RANK_KNOWN,   /* no wrong passwords; has logged in from there, or has a session that is kept
	               */
	RANK_ADDRESS, /* no wrong passwords; somebody has logged in from there */
	RANK_NEW,     /* no wrong passwords */
	RANK_FAILED,  /* some */
	RANK_DELAYED,
	RANKS,
};

void hash_queue_fini(struct hash_queue *queue)
{
	guess_table_fini(&queue->table);
}

static bool is_delayed(const struct guess_pair *p)
{
	return guess_count_delay_ms(&p->count) > 0;
}

static struct slice address_of(const struct guess_source *s)
{
	return slice_of(s->address, s->address_len);
}

/* --- in and out --- */

static void append(struct hash_queue *queue, struct guess_pair *p, struct hash_request *q)
{
	struct guess_source *s = p->key.source;

	REQUIRE(q->pair == NULL); /* it is in no queue and is not hashed */
	q->pair = p;
	/* mutant: address_of_a_request_is_borrowed */
	q->address = address_of(s); /* the asker's is gone when its turn comes */
	q->is_waiting = true;
	if (s->turns == NULL)
		DL_APPEND(queue->turns, s);
	if (p->waiting == NULL) {
		DL_APPEND(s->turns, p);
		/* mutant: known_pairs_go_first */
		p->is_known = q->exists &&
		              known_pairs_has(&queue->known, address_of(s), slice_of_str(q->user));
	}
	DL_APPEND(p->waiting, q);
	p->waiting_count++;
	p->looked_up += q->is_looked_up;
}

static void unlink_request(struct hash_queue *queue, struct hash_request *q)
{
	struct guess_pair *p = q->pair;
	struct guess_source *s = p->key.source;

	REQUIRE(q->is_waiting && p->waiting_count > 0);
	REQUIRE(p->looked_up <= p->waiting_count);
	q->is_waiting = false;
	DL_DELETE(p->waiting, q);
	p->waiting_count--;
	p->looked_up -= q->is_looked_up;
	if (p->waiting == NULL)
		DL_DELETE(s->turns, p);
	if (s->turns == NULL)
		DL_DELETE(queue->turns, s);
}

/* One different wrong password more. True: it begins the delay. */
static bool count_wrong(struct guess_pair *p, uint64_t now_ms)
{
	bool begins = guess_count_add(&p->count, now_ms);

	if (is_delayed(p))
		p->not_before_ms = now_ms + guess_count_delay_ms(&p->count);
	return begins;
}

enum hash_queue_place hash_queue_ask(struct hash_queue *queue, struct hash_request *q,
                                     uint64_t now_ms)
{
	struct guess_pair *p = guess_table_find(&queue->table, q, now_ms);

	if (p == NULL)
		return HASH_QUEUE_FREE;
	/* mutant: wrong_again_costs_nothing */
	if (q->proof == HASH_PROOF_NONE &&
	    wrong_passwords_find(&p->tried, q->digest) == TRIED_WRONG) {
		guess_table_settle(&queue->table, guess_table_use(&queue->table, q, now_ms),
		                   now_ms); /* it is used */
		return HASH_QUEUE_KNOWN_WRONG;
	}
	/* mutant: delayed_look_up_waits */
	if (!is_delayed(p))
		return HASH_QUEUE_FREE;
	/* mutant: few_wait_for_a_delayed_pair */
	if (p->waiting_count >= HASH_QUEUE_WAITING_MAX)
		return HASH_QUEUE_FULL;
	append(queue, guess_table_use(&queue->table, q, now_ms), q);
	return HASH_QUEUE_WAITS;
}

bool hash_queue_put(struct hash_queue *queue, struct hash_request *q, uint64_t now_ms)
{
	struct guess_pair *p = guess_table_use(&queue->table, q, now_ms);
	enum tried tried = wrong_passwords_find(&p->tried, q->digest);
	bool begins = false;

	/* mutant: look_up_counts */
	if (tried == TRIED_NOT)
		begins = count_wrong(p, now_ms);
	if (tried == TRIED_NOT || tried == TRIED_LEFT) {
		wrong_passwords_put(&p->tried, q->digest, TRIED_OPEN);
		q->is_counted = true;
		p->open++;
	}
	q->is_looked_up = true;
	append(queue, p, q);
	return begins;
}

void hash_queue_hit(struct hash_queue *queue, const struct hash_request *q)
{
	guess_table_know(&queue->table, q->address);
	known_pairs_put(&queue->known, q->address, slice_of_str(q->user));
}

bool hash_queue_fail(struct hash_queue *queue, const struct hash_request *q, uint64_t now_ms)
{
	struct guess_pair *p = guess_table_use(&queue->table, q, now_ms);
	bool begins = count_wrong(p, now_ms);

	guess_table_settle(&queue->table, p, now_ms);
	return begins;
}

bool hash_queue_reports(struct hash_queue *queue, const struct hash_request *q, uint64_t now_ms,
                        uint32_t *suppressed)
{
	const struct guess_pair *p =
	    q->pair != NULL ? q->pair : guess_table_find(&queue->table, q, now_ms);

	REQUIRE(p != NULL);
	/* mutant: wrong_passwords_are_reported_for_all */
	return log_limit_pass(EVENT_WRONG_PASSWORD, &p->key.source->report_limit, now_ms,
	                      HASH_QUEUE_REPORT_MS, HASH_QUEUE_REPORT_MAX, suppressed);
}

bool hash_queue_remove(struct hash_queue *queue, struct hash_request *q, uint64_t now_ms)
{
	struct guess_pair *p = q->pair;

	if (p == NULL || !q->is_waiting) /* it is being hashed */
		return false;
	unlink_request(queue, q);
	if (q->is_counted) {
		/* It learnt that its password is not in the cache. */
		REQUIRE(p->open > 0);
		wrong_passwords_put(&p->tried, q->digest, TRIED_LEFT);
		p->open--;
	}
	q->is_counted = q->is_looked_up = false;
	q->pair = NULL;
	guess_table_settle(&queue->table, p, now_ms);
	return true;
}

struct hash_request *hash_queue_pop(struct hash_queue *queue)
{
	struct hash_request *q;

	if (queue->turns == NULL)
		return NULL;
	q = queue->turns->turns->waiting;
	(void)hash_queue_remove(queue, q, 0);
	return q;
}

bool hash_queue_is_empty(const struct hash_queue *queue)
{
	return queue->turns == NULL;
}

/* --- whose turn it is --- */

/* Of those who wait at a delayed pair, one that need not: it has been looked up and counted before
 * the delay began, or its password turned out to be wrong meanwhile. */
static struct hash_request *find_free(struct guess_pair *p)
{
	struct hash_request *q;

	if (p->looked_up == 0 && !p->has_learnt)
		return NULL;
	DL_FOREACH (p->waiting, q) {
		if (q->is_looked_up || hash_queue_is_wrong(q))
			return q;
	}
	p->has_learnt = false;
	return NULL;
}

/* How long this pair must wait: 0 where it may go. */
static uint64_t wait_of(struct guess_pair *p, uint64_t now_ms)
{
	uint64_t from_ms = p->not_before_ms;

	guess_count_pass(&p->count, now_ms);
	if (!is_delayed(p) || find_free(p) != NULL)
		return 0;
	if (p->hashing > 0)
		return UINT64_MAX;
	/* mutant: delayed_pairs_share */
	if (p->key.source->shared_from_ms > from_ms)
		from_ms = p->key.source->shared_from_ms;
	return from_ms > now_ms ? from_ms - now_ms : 0;
}

static enum rank rank_of(const struct guess_pair *p)
{
	if (is_delayed(p) && p->looked_up == 0)
		return RANK_DELAYED;
	/* What this one asks is counted, and may be right. */
	/* mutant: failed_ones_go_last */
	if (p->count.wrong > p->open)
		return RANK_FAILED;
	/* mutant: persistent_sessions_go_first */
	if (p->is_known || p->waiting->has_session)
		return RANK_KNOWN;
	/* mutant: known_addresses_go_first */
	return p->key.source->is_known ? RANK_ADDRESS : RANK_NEW;
}

/* The rank that this turn is for. Each has a part, so that nobody who goes first keeps the others
 * out for ever. */
static enum rank preferred(uint64_t take)
{
	static const enum rank order[] = {RANK_KNOWN, RANK_ADDRESS, RANK_NEW, RANK_FAILED,
	                                  RANK_KNOWN, RANK_ADDRESS, RANK_NEW, RANK_DELAYED};

	return order[take % (sizeof(order) / sizeof(order[0]))];
}

/* The first of each rank that may go, and how long the others wait. Stop at one of `first`. */
static void find_candidates(struct hash_queue *queue, enum rank first, uint64_t now_ms,
                            struct guess_pair *found[RANKS], uint64_t *wait_ms)
{
	struct guess_source *s;
	struct guess_pair *p;

	DL_FOREACH (queue->turns, s) {
		DL_FOREACH (s->turns, p) {
			uint64_t wait = wait_of(p, now_ms);
			enum rank rank = rank_of(p);

			if (wait < *wait_ms)
				*wait_ms = wait;
			if (wait == 0 && found[rank] == NULL)
				found[rank] = p;
			if (found[first] != NULL)
				return;
		}
	}
}

/* Those who wait for a delayed pair have no order: who guesses is always there first. */
static struct hash_request *next_of(struct guess_pair *p)
{
	struct hash_request *q = is_delayed(p) ? find_free(p) : p->waiting;
	uint64_t skip;

	if (q != NULL)
		return q;
	q = p->waiting;
	/* mutant: delayed_ones_are_drawn */
	skip = random_u64() % p->waiting_count;
	while (skip-- > 0) {
		REQUIRE(q != NULL); /* there are waiting_count */
		q = q->next;
	}
	return q;
}

static struct hash_request *take_from(struct hash_queue *queue, struct guess_pair *p,
                                      uint64_t now_ms)
{
	struct guess_source *s = p->key.source;
	struct hash_request *q = next_of(p);

	unlink_request(queue, q);
	if (is_delayed(p) && !q->is_looked_up && !hash_queue_is_wrong(q))
		s->shared_from_ms = now_ms + HASH_QUEUE_SHARED_MS;
	p->hashing++;
	/* mutant: pairs_take_turns */
	if (p->waiting != NULL) {
		DL_DELETE(s->turns, p);
		DL_APPEND(s->turns, p);
	}
	/* mutant: addresses_take_turns */
	if (s->turns != NULL) {
		DL_DELETE(queue->turns, s);
		DL_APPEND(queue->turns, s);
	}
	return q;
}

struct hash_request *hash_queue_take(struct hash_queue *queue, uint64_t now_ms, uint64_t *wait_ms)
{
	enum rank first = preferred(queue->takes);
	struct guess_pair *found[RANKS] = {NULL};

	*wait_ms = UINT64_MAX;
	find_candidates(queue, first, now_ms, found, wait_ms);
	if (*wait_ms > 0)
		return NULL;
	queue->takes++;
	for (unsigned i = 0; found[first] == NULL; i++) {
		if (found[i] != NULL)
			first = (enum rank)i;
	}
	return take_from(queue, found[first], now_ms);
}

bool hash_queue_is_wrong(const struct hash_request *q)
{
	return q->proof == HASH_PROOF_NONE &&
	       wrong_passwords_peek(&q->pair->tried, q->digest) == TRIED_WRONG;
}

/* What its password is known to be from now on. True: it begins the delay. */
static bool learn(struct guess_pair *p, const struct hash_request *q,
                  enum hash_queue_outcome outcome, uint64_t now_ms)
{
	enum tried before;

	if (q->proof != HASH_PROOF_NONE)
		return outcome == HASH_QUEUE_WRONG && count_wrong(p, now_ms);
	before = wrong_passwords_peek(&p->tried, q->digest);
	if (outcome == HASH_QUEUE_RIGHT) {
		wrong_passwords_put(&p->tried, q->digest, TRIED_NOT);
		if (before == TRIED_OPEN || before == TRIED_LEFT)
			guess_count_take_back(&p->count);
		return false;
	}
	if (outcome == HASH_QUEUE_SKIPPED)
		return false;
	wrong_passwords_put(&p->tried, q->digest, TRIED_WRONG);
	p->has_learnt = p->waiting != NULL;
	if (before == TRIED_NOT)
		return count_wrong(p, now_ms);
	if (is_delayed(p))
		p->not_before_ms = now_ms + guess_count_delay_ms(&p->count);
	return false;
}

bool hash_queue_done(struct hash_queue *queue, struct hash_request *q,
                     enum hash_queue_outcome outcome, uint64_t now_ms)
{
	struct guess_pair *p = q->pair;
	bool begins;

	REQUIRE(p != NULL && !q->is_waiting);
	REQUIRE(p->hashing > 0 && p->open >= q->is_counted);
	begins = learn(p, q, outcome, now_ms);
	p->hashing--;
	p->open -= q->is_counted;
	q->is_counted = q->is_looked_up = false;
	q->pair = NULL;
	if (outcome == HASH_QUEUE_RIGHT) {
		p->key.source->is_known = true;
		known_pairs_put(&queue->known, address_of(p->key.source), slice_of_str(q->user));
	}
	guess_table_settle(&queue->table, p, now_ms);
	if (!begins) /* else its pair is remembered, and so is the address */
		q->address = SLICE_EMPTY;
	return begins;
}

/* --- for the administrator --- */

void hash_queue_visit(struct hash_queue *queue, login_delay_fn *fn, void *arg, uint64_t now_ms)
{
	for (struct guess_pair *p = queue->table.pairs; p != NULL; p = p->hh.next) {
		struct login_delay delay = {
		    .user = slice_of_str(p->user),
		    .address = address_of(p->key.source),
		    .waiting = p->waiting_count,
		};

		guess_count_pass(&p->count, now_ms);
		delay.wrong = p->count.wrong;
		delay.delay_ms = guess_count_delay_ms(&p->count);
		if (delay.delay_ms > 0)
			fn(arg, &delay);
	}
}

size_t hash_queue_forgive(struct hash_queue *queue, struct slice user, struct slice address,
                          uint64_t now_ms)
{
	size_t delayed = 0;

	for (struct guess_pair *p = queue->table.pairs; p != NULL; p = p->hh.next) {
		struct guess_source *s = p->key.source;

		guess_count_pass(&p->count, now_ms);
		if (!slice_equal(slice_of_str(p->user), user) ||
		    (address.len > 0 && !slice_equal(address_of(s), address)))
			continue;
		delayed += is_delayed(p);
		p->count = (struct guess_count){.wrong = p->open, .since_ms = now_ms};
	}
	return delayed;
}
