/* The journal on disk: what executors give to the writer; start and stop. */
#include "journal/journal_disk.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/list.h"
#include "journal/coalescer.h"
#include "journal/queue_state.h"
#include "journal/writer_restore.h"
#include "journal/writer_space.h"
#include "journal/writer_thread.h"
#include "journal/writer_turn.h"

static struct writer *writer_of(struct journal *j)
{
	return (struct writer *)j;
}

/* Under the lock: wake the thread where it has to do something, or to wait for something, that it
 * does not know of yet. */
static void add_pending(struct writer *w, struct journal_group *g)
{
	bool is_first = w->deadline_ms == WRITER_NEVER && g->urgency != JOURNAL_NOW;
	bool is_enough = g->urgency == JOURNAL_NOW && w->urgent + 1 == w->enough;

	journal_group_count_waiting(g, &w->j);
	g->serial = w->serial++;
	w->pending_bytes += g->bytes;
	w->pending_groups++;
	atomic_store_explicit(&w->all_groups, w->all_groups + 1, memory_order_relaxed);
	w->urgent += g->urgency == JOURNAL_NOW;
	if (is_first)
		w->deadline_ms = g->executor->now_ms + w->interval_ms;
	DL_APPEND(w->pending, g);
	if (w->asleep &&
	    (is_enough || (is_first && !w->pausing) || w->pending_bytes > WRITER_GATHER))
		condition_signal(&w->wake);
}

static void append(struct journal *j, struct journal_group *g, uint64_t *first_position)
{
	struct writer *w = writer_of(j);
	bool needless;

	mutex_lock(&j->lock);
	journal_group_number(g, j, first_position);
	/* True: it will never be written. */
	needless = w->stopped || (w->failed && g->done == NULL && g->urgency != JOURNAL_NOW);
	if (!needless)
		add_pending(w, g);
	mutex_unlock(&j->lock);
	if (needless)
		coalescer_cancel(g);
}

static void read_page(struct journal *j, struct journal_page *page)
{
	struct writer *w = writer_of(j);
	bool stopped;

	mutex_lock(&j->lock);
	stopped = w->stopped;
	if (!stopped) {
		DL_APPEND(w->asked, page);
		if (w->asleep)
			condition_signal(&w->wake);
	}
	mutex_unlock(&j->lock);
	if (stopped)
		journal_page_answer_empty(page, j, -ECANCELED);
}

static void health(struct journal *j, struct journal_health *out)
{
	struct writer *w = writer_of(j);

	mutex_lock(&w->health_lock);
	*out = w->health;
	out->commit_us_p99 = histogram_percentile(&w->commit_us_all, 99 * HISTOGRAM_PERCENT);
	mutex_unlock(&w->health_lock);
	out->pending_groups = w->all_groups;
	out->pending_bytes = j->waiting_bytes;
}

static bool turn(struct journal *j, uint64_t now_ms)
{
	struct writer *w = writer_of(j);

	REQUIRE(!w->started);
	return !w->stopped && writer_turn(w, now_ms, false);
}

/* Pages that were asked for are answered with -ECANCELED. */
static void cancel_pages(struct writer *w)
{
	struct journal_page *page, *next;

	mutex_lock(&w->j.lock);
	w->stopped = true;
	DL_CONCAT(w->pages, w->asked);
	w->asked = NULL;
	mutex_unlock(&w->j.lock);
	DL_FOREACH_SAFE (w->pages, page, next) {
		DL_DELETE(w->pages, page);
		journal_page_answer_empty(page, &w->j, -ECANCELED);
	}
}

/* It is down from here on, as far as anybody can know later. */
static void save_time(struct writer *w)
{
	if (w->state != JOURNAL_FAILED)
		store_save_time(w->store, journal_time_ms(&w->j, clock_monotonic_ms()));
}

static void stop(struct journal *j)
{
	struct writer *w = writer_of(j);

	if (w->stopped)
		return;
	if (w->started)
		writer_thread_join(w);
	while (writer_turn(w, clock_monotonic_ms(), true) && w->batch != NULL)
		;
	save_time(w);
	cancel_pages(w);
	mutex_lock(&w->j.lock);
	coalescer_cancel_all(w);
	w->all_groups = 0;
	mutex_unlock(&w->j.lock);
}

static void writer_free(struct journal *j)
{
	struct writer *w = writer_of(j);

	REQUIRE(!w->started);
	if (w->stopped)
		save_time(w);  /* the others took a while to stop */
	j->listener_count = 0; /* the executors are gone */
	coalescer_fini(w);
	queue_state_fini(w);
	buf_fini(&w->row);
	buf_fini(&w->message);
	free(w->drops);
	store_close(w->store);
	condition_fini(&w->wake);
	histogram_fini(&w->commit_us_all);
	mutex_fini(&w->health_lock);
	journal_fini(j);
	free(w);
}

static const struct journal_kind kind = {
    .durable = true,
    .append = append,
    .read = read_page,
    .lower_space = writer_space_lower,
    .health = health,
    .restore = writer_restore,
    .start = writer_thread_start,
    .turn = turn,
    .stop = stop,
    .free = writer_free,
};

struct journal *journal_disk_new(struct store *store, const struct journal_options *options)
{
	struct writer *w = xnew(w);

	journal_init(&w->j, &kind, store_last_time(store));
	condition_init(&w->wake);
	histogram_init(&w->commit_us_all, HISTOGRAM_COARSE);
	mutex_init(&w->health_lock, LOCK_JOURNAL_HEALTH);
	w->store = store;
	w->enough = 1;
	w->interval_ms = options->interval_ms;
	w->expired_retention_ms = options->expired_retention_ms;
	w->deleted_is_over = options->deleted_is_over;
	w->deadline_ms = w->flush_ms = WRITER_NEVER;
	writer_space_measure(w);
	return &w->j;
}
