/* The journal on disk: what executors give it, and the turn of the writer: gather, apply in one
 * transaction, tell.  See writer.h. */
#include "journal/writer.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"

#define RETRY_MS   1000
#define NOTE_MS    60000
#define GROW_TIMES 64 /* a map that grows so often has grown enough */
/* What waits for the interval is written before it makes the journal full. */
#define COALESCER_MAX ((size_t)4 << 20)

static struct writer *writer_of(struct journal *j)
{
	return (struct writer *)j;
}

/* --- for the other files --- */

int writer_put(struct writer *k, enum store_table table, struct slice key, struct slice value)
{
	k->wrote = true;
	return store_put(k->store, table, key, value);
}

int writer_remove(struct writer *k, enum store_table table, struct slice key)
{
	int rc = store_delete(k->store, table, key);

	if (rc == 0)
		k->wrote = true;
	return rc == -ENOENT ? 0 : rc;
}

void writer_complete(struct writer *k, struct journal_group *g)
{
	k->gone_groups++;
	k->written_bytes += g->bytes;
	if (g->done == NULL)
		journal_let_go(g);
	else
		journal_complete(g, 0);
}

/* --- executors --- */

static void wake_after_append(struct writer *k, struct journal_group *g)
{
	uint64_t deadline_ms = g->executor->now_ms + k->interval_ms;

	journal_count_waiting(&k->j, g);
	g->serial = k->serial++;
	k->pending_bytes += g->bytes;
	k->pending_groups++;
	k->all_groups++;
	if (g->urgency == JOURNAL_NOW)
		k->urgent++;
	else if (k->deadline_ms == WRITER_NEVER)
		k->deadline_ms = deadline_ms;
}

/* Has the thread something to do, or something to wait for, that it did not know of? */
static bool must_wake(const struct writer *k, size_t urgent, uint64_t deadline_ms)
{
	bool sooner = k->deadline_ms != deadline_ms && !k->pausing;

	return k->asleep && ((urgent < k->enough && k->urgent >= k->enough) || sooner ||
	                     k->pending_bytes > WRITER_GATHER);
}

static void append(struct journal *j, struct journal_group *g, uint64_t *first_position)
{
	struct writer *k = writer_of(j);
	uint64_t deadline_ms;
	size_t urgent;
	bool needless;

	mutex_lock(&j->lock);
	journal_number(j, g, first_position);
	/* It will never be written. */
	needless = k->stopped || (k->failed && g->done == NULL && g->urgency != JOURNAL_NOW);
	if (!needless) {
		urgent = k->urgent;
		deadline_ms = k->deadline_ms;
		wake_after_append(k, g);
		DL_APPEND(k->pending, g);
		if (must_wake(k, urgent, deadline_ms))
			condition_signal(&k->wake);
	}
	mutex_unlock(&j->lock);
	if (needless)
		coalescer_cancel(g);
}

static void read_page(struct journal *j, struct journal_page *page)
{
	struct writer *k = writer_of(j);
	bool stopped;

	mutex_lock(&j->lock);
	stopped = k->stopped;
	if (!stopped) {
		DL_APPEND(k->asked, page);
		if (k->asleep)
			condition_signal(&k->wake);
	}
	mutex_unlock(&j->lock);
	if (stopped)
		journal_answer_empty(j, page, -ECANCELED);
}

static void health(struct journal *j, struct journal_health *out)
{
	struct writer *k = writer_of(j);

	mutex_lock(&j->lock);
	*out = k->health;
	out->pending_groups = k->all_groups;
	out->pending_bytes = j->waiting_bytes;
	out->commit_us_p99 = histogram_percentile(&k->commit_us_all, 99);
	mutex_unlock(&j->lock);
}

/* --- gathering --- */

static void gather(struct writer *k)
{
	struct journal_group *groups, *g, *next;

	mutex_lock(&k->j.lock);
	groups = k->pending;
	k->pending = NULL;
	DL_CONCAT(k->pages, k->asked);
	k->asked = NULL;
	k->taken_urgent = k->urgent;
	k->urgent = 0;
	k->pending_bytes = k->pending_groups = 0;
	if (k->deadline_ms < k->flush_ms)
		k->flush_ms = k->deadline_ms;
	k->deadline_ms = WRITER_NEVER;
	k->taken_position = k->j.next_position - 1;
	mutex_unlock(&k->j.lock);
	DL_FOREACH_SAFE (groups, g, next) {
		DL_DELETE(groups, g);
		coalescer_gather(k, g);
	}
	if (k->soon == NULL && k->later == NULL)
		k->flush_ms = WRITER_NEVER;
}

static bool must_flush(const struct writer *k, bool final)
{
	return final || k->pages != NULL || k->now_ms >= k->flush_ms ||
	       k->coalesced_bytes > COALESCER_MAX;
}

static bool is_due(const struct writer *k, bool final)
{
	return must_flush(k, final) || k->soon_urgent > 0 || k->batch != NULL || k->ending ||
	       k->drop_count > 0;
}

/* --- the transaction --- */

static int put_position(struct writer *k)
{
	struct row_key value;

	if (!k->wrote_queue)
		return 0;
	return writer_put(k, TABLE_META, WRITER_ROW_POSITION,
	                  row_key_id(&value, k->taken_position));
}

static int apply_all(struct writer *k)
{
	struct journal_group *g;
	int rc = sweep_drops(k);

	DL_FOREACH (k->batch, g) {
		if (rc == 0)
			rc = writer_apply(k, g);
	}
	return rc;
}

/* Not before everything is there that they have to show. */
static int read_pages(struct writer *k)
{
	struct journal_page *page;
	int rc = 0;

	if (k->rest != NULL)
		return 0;
	DL_FOREACH (k->pages, page) {
		if (rc == 0)
			rc = writer_queue_read_page(k, page);
	}
	return rc;
}

static int commit(struct writer *k)
{
	uint64_t start_ns = clock_monotonic_ns();
	int rc;

	if (!k->wrote) {
		store_abort(k->store);
		return 0;
	}
	store_timestamp(k->store, journal_time_ms(&k->j, k->now_ms));
	rc = store_commit(k->store);
	k->commit_us = (clock_monotonic_ns() - start_ns) / 1000;
	return rc;
}

static bool is_full(int error)
{
	return error == -ENOSPC || error == -EDQUOT;
}

static int transact(struct writer *k)
{
	int rc = store_begin(k->store);

	k->wrote = k->wrote_queue = false;
	k->wrote_messages = k->queued_bytes = 0;
	if (rc == 0)
		rc = apply_all(k);
	if (rc == 0)
		rc = read_pages(k);
	if (rc == 0)
		rc = sweep_ending(k);
	if (rc == 0 && k->wrote)
		rc = sweep_retained(k);
	if (rc == 0)
		rc = put_position(k);
	return rc == 0 ? commit(k) : rc;
}

static void take_back(struct writer *k, bool ending)
{
	struct journal_page *page;

	store_abort(k->store);
	sessions_take_back(k);
	k->ending = ending;
	DL_FOREACH (k->pages, page) {
		journal_page_fini(page);
	}
}

/* Leave `count` groups in the batch; the others are for the next turn. */
static void cut_batch(struct writer *k, size_t count)
{
	struct journal_group *g = k->batch, *last;

	while (g != NULL && count-- > 0)
		g = g->next;
	if (g == NULL)
		return;
	last = k->batch->prev;
	g->prev->next = NULL;
	k->batch->prev = g->prev;
	g->prev = last;
	DL_CONCAT(g, k->rest);
	k->rest = g;
}

/* No room for all: perhaps for half of it, which may make some. */
static bool take_less(struct writer *k)
{
	struct journal_group *g;
	size_t count = 0;

	DL_FOREACH (k->batch, g) {
		count++;
	}
	if (count < 2)
		return false;
	k->portion = count / 2;
	cut_batch(k, k->portion);
	return true;
}

static int transact_until_it_fits(struct writer *k)
{
	int rc = 0;

	if (k->portion > 0)
		cut_batch(k, k->portion);
	for (unsigned times = 0; times < GROW_TIMES; times++) {
		bool ending = k->ending;

		rc = transact(k);
		if (rc == 0)
			return 0;
		take_back(k, ending);
		if (rc != -EAGAIN && (!is_full(rc) || !take_less(k)))
			return rc;
	}
	return rc;
}

/* --- afterwards --- */

static void answer_pages(struct writer *k)
{
	struct journal_page *page, *next;

	DL_FOREACH_SAFE (k->pages, page, next) {
		DL_DELETE(k->pages, page);
		executor_send(page->executor, &page->task);
	}
}

/* First what was queued, then the completions, then the pages. */
static void report(struct writer *k)
{
	struct notifications *notifications = NULL;
	struct journal_group *g, *next;

	DL_FOREACH (k->batch, g) {
		notifications_add(&notifications, &k->j, g);
	}
	notifications_send(&notifications);
	DL_FOREACH_SAFE (k->batch, g, next) {
		DL_DELETE(k->batch, g);
		writer_complete(k, g);
	}
	if (k->rest == NULL)
		answer_pages(k);
}

static void settle_counts(struct writer *k)
{
	mutex_lock(&k->j.lock);
	k->all_groups -= k->gone_groups;
	k->health.groups += k->gone_groups;
	k->health.cancelled = k->cancelled;
	mutex_unlock(&k->j.lock);
	k->gone_groups = 0;
}

static void count_commit(struct writer *k)
{
	struct journal_health *h = &k->health;

	mutex_lock(&k->j.lock);
	h->commits++;
	h->messages += k->wrote_messages;
	h->commit_us_sum += k->commit_us;
	histogram_add(&k->commit_us_all, k->commit_us);
	if (k->commit_us > h->commit_us_max)
		h->commit_us_max = k->commit_us;
	mutex_unlock(&k->j.lock);
}

static void on_success(struct writer *k)
{
	sessions_settle(k);
	k->drop_count = 0;
	if (k->wrote) {
		k->note_ms = k->now_ms + NOTE_MS;
		count_commit(k);
	}
	report(k);
	settle_counts(k);
	k->portion = k->rest == NULL ? 0 : k->portion * 2;
	k->batch = k->rest;
	k->rest = NULL;
	if (writer_space_may_differ(k))
		writer_check_space(k);
}

static void on_error(struct writer *k, int error)
{
	k->retry_ms = k->now_ms + RETRY_MS;
	DL_CONCAT(k->batch, k->rest);
	k->rest = NULL;
	k->portion = 0;
	settle_counts(k);
	writer_set_state(k, is_full(error) ? JOURNAL_WAITS : JOURNAL_FAILED, error);
}

static void note_time(struct writer *k)
{
	if (k->now_ms < k->note_ms)
		return;
	store_note_time(k->store, journal_time_ms(&k->j, k->now_ms));
	k->note_ms = k->now_ms + NOTE_MS;
}

bool writer_turn(struct writer *k, uint64_t now_ms, bool final)
{
	bool flush;
	int rc;

	k->now_ms = now_ms;
	if (k->state == JOURNAL_FAILED)
		return false;
	note_time(k);
	writer_check_again(k);
	gather(k);
	flush = must_flush(k, final) || k->flush;
	if (!is_due(k, final) || (k->state == JOURNAL_WAITS && now_ms < k->retry_ms && !final)) {
		settle_counts(k);
		return false;
	}
	coalescer_release(k, flush);
	rc = transact_until_it_fits(k);
	if (rc == 0)
		on_success(k);
	else
		on_error(k, rc);
	return rc == 0;
}

/* --- life --- */

static bool turn(struct journal *j, uint64_t now_ms)
{
	struct writer *k = writer_of(j);

	REQUIRE(!k->started);
	return !k->stopped && writer_turn(k, now_ms, false);
}

/* Who still waits for a page learns that none will come. */
static void cancel_pages(struct writer *k)
{
	struct journal_page *page, *next;

	mutex_lock(&k->j.lock);
	k->stopped = true;
	DL_CONCAT(k->pages, k->asked);
	k->asked = NULL;
	mutex_unlock(&k->j.lock);
	DL_FOREACH_SAFE (k->pages, page, next) {
		DL_DELETE(k->pages, page);
		journal_answer_empty(&k->j, page, -ECANCELED);
	}
}

static void stop(struct journal *j)
{
	struct writer *k = writer_of(j);

	if (k->stopped)
		return;
	if (k->started)
		writer_join(k);
	while (writer_turn(k, clock_monotonic_ms(), true) && k->batch != NULL)
		;
	cancel_pages(k);
	mutex_lock(&k->j.lock);
	coalescer_cancel_all(k);
	k->all_groups = 0;
	mutex_unlock(&k->j.lock);
}

static void writer_free(struct journal *j)
{
	struct writer *k = writer_of(j);

	REQUIRE(!k->started);
	j->space_count = 0; /* nobody is there any more */
	coalescer_fini(k);
	sessions_fini(k);
	buf_fini(&k->row);
	buf_fini(&k->message);
	free(k->drops);
	store_close(k->store);
	condition_fini(&k->wake);
	journal_fini(j);
	free(k);
}

static const struct journal_kind kind = {
    .durable = true,
    .append = append,
    .read = read_page,
    .lower_space = writer_lower_space,
    .health = health,
    .restore = writer_restore,
    .start = writer_start,
    .turn = turn,
    .stop = stop,
    .free = writer_free,
};

struct journal *journal_disk_new(struct store *store, const struct journal_options *options)
{
	struct writer *k = xnew(k);

	journal_init(&k->j, &kind, store_time_ms(store));
	condition_init(&k->wake);
	k->store = store;
	k->enough = 1;
	k->interval_ms = options->interval_ms;
	k->expired_retention_ms = options->expired_retention_ms;
	k->deleted_is_over = options->deleted_is_over;
	k->deadline_ms = k->flush_ms = WRITER_NEVER;
	writer_check_space(k);
	return &k->j;
}
