/* What all journals have in common: calls to the implementation, the clock of the store, the
 * executors that wait for space. */
#include "journal/journal.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "journal/journal_ops.h"
#include "journal/store_clock.h"

static void on_space(struct task *task, void *executor_arg)
{
	struct space_listener *listener = (struct space_listener *)task;

	atomic_store(&listener->is_sent, false);
	listener->run(executor_arg);
}

/* --- what all implementations have --- */

static void begin_time(struct journal *j, struct store_time last)
{
	int64_t wall_ms = clock_wall_ms();
	struct store_clock_start start = store_clock_begin(last, wall_ms);
	char now[CLOCK_TEXT_MAX], before[CLOCK_TEXT_MAX];

	j->last_time_ms = last.time_ms;
	j->time_ms = start.time_ms;
	j->zero_ms = clock_monotonic_ms();
	if (start.doubt != NULL)
		LOG(CLOCK_DOUBTED, .cause = start.doubt, .clock = clock_text(wall_ms, now),
		    .stopped = clock_text(last.wall_ms, before),
		    .remedy = "check the clock; nothing expires too early, but what would have "
		              "expired meanwhile lives on for the time that it had left");
}

void journal_init(struct journal *j, const struct journal_kind *kind, struct store_time last)
{
	j->kind = kind;
	mutex_init(&j->lock, LOCK_JOURNAL);
	atomic_init(&j->next_position, 1);
	atomic_init(&j->waiting_bytes, 0);
	atomic_init(&j->was_full, false);
	atomic_init(&j->free_bytes, UINT64_MAX);
	atomic_init(&j->low, false);
	atomic_init(&j->lacks_space, false);
	atomic_init(&j->used_bytes, 0);
	atomic_init(&j->max_bytes, 0);
	begin_time(j, last);
}

void journal_fini(struct journal *j)
{
	free(j->listeners);
	mutex_fini(&j->lock);
}

void journal_append(struct journal *j, struct executor *executor, struct journal_group **group,
                    enum journal_urgency urgency, uint64_t *first_position)
{
	struct journal_group *g = *group;

	REQUIRE_EXECUTOR(executor);
	REQUIRE(g->executor == NULL); /* appended once */
	*group = NULL;
	g->executor = executor;
	g->urgency = urgency;
	j->kind->append(j, g, first_position);
}

bool journal_is_durable(const struct journal *j)
{
	return j->kind->durable;
}

void journal_on_queued(struct journal *j, journal_queued_fn *queued)
{
	j->queued = queued;
}

void journal_on_notified(struct journal *j, journal_notified_fn *notified)
{
	j->notified = notified;
}

void journal_read(struct journal *j, struct journal_page *page)
{
	REQUIRE_EXECUTOR(page->executor);
	REQUIRE(page->session_id != 0 && page->max_count > 0);
	page->items = NULL;
	page->count = 0;
	page->bytes = (struct buf){0};
	page->read_to = 0;
	page->more = false;
	page->status = 0;
	j->kind->read(j, page);
}

bool journal_is_full(const struct journal *j)
{
	return j->waiting_bytes > JOURNAL_HIGH;
}

void journal_set_owners(struct journal *j, const struct journal_owners *owners)
{
	REQUIRE(j->owners.find == NULL && owners->find != NULL && owners->admits != NULL);
	j->owners = *owners;
}

void journal_space(const struct journal *j, uint64_t *used, uint64_t *whole)
{
	*used = j->used_bytes + j->waiting_bytes;
	*whole = j->max_bytes;
}

size_t journal_waiting(const struct journal *j)
{
	return j->waiting_bytes;
}

bool journal_lacks_space(const struct journal *j)
{
	return j->low || j->lacks_space;
}

uint64_t journal_free_space(const struct journal *j)
{
	uint64_t free_bytes = j->free_bytes;
	size_t waiting_bytes = j->waiting_bytes;

	return !j->low && waiting_bytes < free_bytes ? free_bytes - waiting_bytes : 0;
}

bool journal_is_low(struct journal *j, size_t bytes)
{
	if (!j->low && j->waiting_bytes + bytes <= j->free_bytes)
		return false;
	j->kind->lower_space(j, bytes);
	return true;
}

void journal_on_space(struct journal *j, struct executor *const *executors, unsigned count,
                      journal_space_fn *run)
{
	REQUIRE(j->listeners == NULL);
	j->listeners = xcalloc(count > 0 ? count : 1, sizeof(*j->listeners));
	j->listener_count = count;
	for (unsigned i = 0; i < count; i++) {
		j->listeners[i].task.run = on_space;
		j->listeners[i].executor = executors[i];
		j->listeners[i].run = run;
		atomic_init(&j->listeners[i].is_sent, false);
	}
}

void journal_health(struct journal *j, struct journal_health *out)
{
	*out = (struct journal_health){.state = JOURNAL_OK};
	if (j->kind->health != NULL)
		j->kind->health(j, out);
}

/* --- time --- */

uint64_t journal_time_ms(const struct journal *j, uint64_t monotonic_ms)
{
	uint64_t time_ms = j->time_ms + (monotonic_ms - j->zero_ms);

	if (monotonic_ms == MSG_NEVER)
		return MSG_NEVER;
	/* A time that no clock can show becomes the last one. */
	return monotonic_ms > j->zero_ms && time_ms < j->time_ms ? MSG_NEVER - 1 : time_ms;
}

uint64_t journal_last_time_ms(const struct journal *j)
{
	return j->last_time_ms;
}

uint64_t journal_monotonic_ms(const struct journal *j, uint64_t time_ms)
{
	if (time_ms == MSG_NEVER)
		return MSG_NEVER;
	if (time_ms < j->time_ms)
		return j->time_ms - time_ms < j->zero_ms ? j->zero_ms - (j->time_ms - time_ms) : 0;
	time_ms -= j->time_ms;
	return time_ms < MSG_NEVER - 1 - j->zero_ms ? j->zero_ms + time_ms : MSG_NEVER - 1;
}

/* --- life --- */

int journal_restore(struct journal *j, const struct journal_visitor *visitor, void *arg,
                    char text[STORE_ERROR_TEXT])
{
	text[0] = '\0';
	return j->kind->restore == NULL ? 0 : j->kind->restore(j, visitor, arg, text);
}

int journal_start(struct journal *j)
{
	return j->kind->start == NULL ? 0 : j->kind->start(j);
}

bool journal_turn(struct journal *j, uint64_t now_ms)
{
	return j->kind->turn != NULL && j->kind->turn(j, now_ms);
}

void journal_stop(struct journal *j)
{
	if (j->kind->stop != NULL)
		j->kind->stop(j);
}

void journal_free(struct journal *j)
{
	if (j != NULL)
		j->kind->free(j);
}
