/* The turn of the writer: gather what executors gave it, apply it in one transaction, report. */
#include "journal/writer_turn.h"

#include <errno.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "journal/coalescer.h"
#include "journal/notifications.h"
#include "journal/queue_state.h"
#include "journal/store_clock.h"
#include "journal/writer_apply.h"
#include "journal/writer_expire.h"
#include "journal/writer_queue.h"
#include "journal/writer_space.h"

#define RETRY_MS   1000
#define NOTE_MS    60000
#define GROW_TIMES 64 /* enough for any map */
/* More than this does not wait for the end of the interval. */
#define COALESCER_MAX ((size_t)4 << 20)

static void gather(struct writer *w)
{
	struct journal_group *groups, *g, *next;

	mutex_lock(&w->j.lock);
	groups = w->pending;
	w->pending = NULL;
	DL_CONCAT(w->pages, w->asked);
	w->asked = NULL;
	w->taken_urgent = w->urgent;
	w->urgent = 0;
	w->pending_bytes = w->pending_groups = 0;
	if (w->deadline_ms < w->flush_ms)
		w->flush_ms = w->deadline_ms;
	w->deadline_ms = WRITER_NEVER;
	w->taken_position = w->j.next_position - 1;
	mutex_unlock(&w->j.lock);
	DL_FOREACH_SAFE (groups, g, next) {
		DL_DELETE(groups, g);
		coalescer_gather(w, g);
	}
	if (w->soon == NULL && w->later == NULL)
		w->flush_ms = WRITER_NEVER;
}

static bool must_flush(const struct writer *w, bool final)
{
	return final || w->pages != NULL || w->now_ms >= w->flush_ms ||
	       w->coalesced_bytes > COALESCER_MAX;
}

static bool is_due(const struct writer *w, bool final)
{
	return must_flush(w, final) || w->soon_urgent > 0 || w->batch != NULL || w->ending ||
	       w->drop_count > 0;
}

/* Only when everything that they have to show is in the store. */
static void read_pages(struct writer *w)
{
	struct journal_page *page;

	if (w->rest != NULL)
		return;
	DL_FOREACH (w->pages, page) {
		writer_queue_read_page(w, page);
	}
}

static int commit(struct writer *w)
{
	uint64_t start_ns = clock_monotonic_ns();
	int rc;

	store_timestamp(w->store, journal_time_ms(&w->j, w->now_ms));
	rc = store_commit(w->store);
	w->wrote = rc == 0 && store_has_changes(w->store);
	if (w->wrote)
		w->commit_us = (clock_monotonic_ns() - start_ns) / 1000;
	return rc;
}

static bool is_full(int error)
{
	return error == -ENOSPC || error == -EDQUOT;
}

static int transact(struct writer *w)
{
	struct journal_group *g;
	struct row_key position;

	w->wrote_queue = false;
	w->wrote_messages = w->queued_bytes = 0;
	store_begin(w->store);
	writer_expire_drops(w);
	DL_FOREACH (w->batch, g) {
		writer_apply(w, g);
	}
	read_pages(w);
	writer_expire_sessions(w);
	if (store_has_changes(w->store))
		writer_expire_retained(w);
	if (w->wrote_queue)
		store_put(w->store, TABLE_META, WRITER_ROW_POSITION,
		          row_key_id(&position, w->taken_position));
	return commit(w);
}

static void take_back(struct writer *w, bool ending)
{
	struct journal_page *page;

	queue_state_take_back(w);
	w->ending = ending;
	DL_FOREACH (w->pages, page) {
		journal_page_fini(page);
	}
}

/* Leave `count` groups in the batch; the others are for the next turn. */
static void cut_batch(struct writer *w, size_t count)
{
	struct journal_group *g = w->batch, *last;

	while (g != NULL && count-- > 0)
		g = g->next;
	if (g == NULL)
		return;
	last = w->batch->prev;
	g->prev->next = NULL;
	w->batch->prev = g->prev;
	g->prev = last;
	DL_CONCAT(g, w->rest);
	w->rest = g;
}

/* No space for all of the batch: perhaps for half of it, which may remove rows. */
static bool take_less(struct writer *w)
{
	struct journal_group *g;
	size_t count = 0;

	DL_FOREACH (w->batch, g) {
		count++;
	}
	if (count < 2)
		return false;
	w->portion = count / 2;
	cut_batch(w, w->portion);
	return true;
}

static int transact_until_it_fits(struct writer *w)
{
	int rc = 0;

	if (w->portion > 0)
		cut_batch(w, w->portion);
	for (unsigned times = 0; times < GROW_TIMES; times++) {
		bool ending = w->ending;

		rc = transact(w);
		if (rc == 0)
			return 0;
		take_back(w, ending);
		if (rc != -EAGAIN && (!is_full(rc) || !take_less(w)))
			return rc;
	}
	return rc;
}

/* Notifications first, then completions, then pages. */
static void report(struct writer *w)
{
	struct notifications *notifications = NULL;
	struct journal_group *g, *next;
	struct journal_page *page, *next_page;

	DL_FOREACH (w->batch, g) {
		notifications_add(&notifications, &w->j, g);
	}
	notifications_send(&notifications);
	DL_FOREACH_SAFE (w->batch, g, next) {
		DL_DELETE(w->batch, g);
		writer_complete(w, g);
	}
	if (w->rest != NULL)
		return;
	DL_FOREACH_SAFE (w->pages, page, next_page) {
		DL_DELETE(w->pages, page);
		executor_send(page->executor, &page->task);
	}
}

static void settle_counts(struct writer *w)
{
	mutex_lock(&w->j.lock);
	REQUIRE(w->all_groups >= w->gone_groups);
	atomic_store_explicit(&w->all_groups, w->all_groups - w->gone_groups, memory_order_relaxed);
	mutex_unlock(&w->j.lock);
	mutex_lock(&w->health_lock);
	w->health.groups += w->gone_groups;
	w->health.cancelled = w->cancelled;
	mutex_unlock(&w->health_lock);
	w->gone_groups = 0;
}

static void count_commit(struct writer *w)
{
	struct journal_health *h = &w->health;

	mutex_lock(&w->health_lock);
	h->commits++;
	h->messages += w->wrote_messages;
	h->commit_us_sum += w->commit_us;
	histogram_add(&w->commit_us_all, w->commit_us);
	if (w->commit_us > h->commit_us_max)
		h->commit_us_max = w->commit_us;
	h->commit_cells[latency_cell((w->commit_us + 99) / 100)]++;
	mutex_unlock(&w->health_lock);
}

static void on_success(struct writer *w)
{
	REQUIRE(w->state != JOURNAL_FAILED);
	queue_state_settle(w);
	w->drop_count = 0;
	if (w->wrote) {
		w->note_ms = w->now_ms + NOTE_MS;
		count_commit(w);
		LOG(STORE_COMMITTED, .messages = w->wrote_messages, .us = w->commit_us);
	}
	report(w);
	settle_counts(w);
	w->portion = w->rest == NULL ? 0 : w->portion * 2;
	w->batch = w->rest;
	w->rest = NULL;
	if (writer_space_may_differ(w))
		writer_space_measure(w);
}

static void on_error(struct writer *w, int error)
{
	w->retry_ms = w->now_ms + RETRY_MS;
	DL_CONCAT(w->batch, w->rest);
	w->rest = NULL;
	w->portion = 0;
	settle_counts(w);
	writer_space_set_state(w, is_full(error) ? JOURNAL_WAITS : JOURNAL_FAILED, error);
}

/* Now and then; and soon after the machine's clock was set, as what it showed before says nothing
 * about how long the broker will have been down. */
static void note_time(struct writer *w)
{
	struct store_time now = {.time_ms = journal_time_ms(&w->j, w->now_ms),
	                         .wall_ms = clock_wall_ms()};

	/* mutant: store_clock_set_while_running */
	if (w->now_ms < w->note_ms && !store_clock_was_set(store_last_time(w->store), now))
		return;
	store_save_time(w->store, now.time_ms);
	w->note_ms = w->now_ms + NOTE_MS;
}

bool writer_turn(struct writer *w, uint64_t now_ms, bool final)
{
	bool flush;
	int rc;

	REQUIRE_WRITER(w);
	w->now_ms = now_ms;
	if (w->state == JOURNAL_FAILED)
		return false;
	note_time(w);
	writer_space_measure_if_due(w);
	gather(w);
	flush = must_flush(w, final) || w->flush;
	if (!is_due(w, final) || (w->state == JOURNAL_WAITS && now_ms < w->retry_ms && !final)) {
		settle_counts(w);
		return false;
	}
	coalescer_release(w, flush);
	rc = transact_until_it_fits(w);
	if (rc == 0)
		on_success(w);
	else
		on_error(w, rc);
	return rc == 0;
}
