/* The journal's thread, and four executors that append, acknowledge and read at the same time.
 * (Under ThreadSanitizer this is what proves the locking.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "journal/journal_disk.h"
#include "support/dice.h"
#include "support/store_memory.h"

#define EXECUTORS 4u
#define GROUPS    1500u
#define WINDOW    50

struct worker {
	struct executor executor;
	struct thread thread;
	struct mutex lock; /* of awake */
	struct condition wake;
	bool awake;
	struct journal *journal;
	struct worker *all;
	struct dice dice;
	uint64_t session_id;
	unsigned appended, completed, pages_asked, pages_answered, rooms;
	uint64_t notified, reported_last; /* queue records of its session */
	uint64_t *positions;              /* notified and not yet done */
	size_t position_count;
	uint64_t done;
	struct msg *msg;
};

/* In place of the real one, which is called. */
void __real_thread_give_way(void);
void __wrap_thread_give_way(void);

static _Atomic unsigned gave_way;

void __wrap_thread_give_way(void)
{
	gave_way++;
	__real_thread_give_way();
}

struct asked {
	struct journal_page page; /* first */
};

static void on_queued(void *executor_arg, const struct record *record, enum queue_outcome outcome)
{
	struct worker *w = executor_arg;

	assert_int_equal(outcome, QUEUE_STORED);
	assert_int_equal(record->session_id, w->session_id);
	assert_true(record->number > w->reported_last); /* in order */
	w->reported_last = record->number;
	w->positions[w->position_count++] = record->number;
	w->notified++;
}

static void on_space(void *executor_arg)
{
	struct worker *w = executor_arg;

	w->rooms++;
}

static void on_done(struct journal_group *g, int status, void *executor_arg)
{
	struct worker *w = executor_arg;

	assert_ptr_equal(journal_group_context(g), w);
	assert_int_equal(status, 0);
	w->completed++;
}

static void on_page(struct task *task, void *executor_arg)
{
	struct asked *a = (struct asked *)task;
	struct worker *w = executor_arg;
	uint64_t last = 0;

	assert_int_equal(a->page.status, 0);
	for (size_t i = 0; i < a->page.count; i++) {
		assert_true(a->page.items[i].position > last);
		last = a->page.items[i].position;
		assert_int_equal(msg_payload(a->page.items[i].msg).len, 40);
	}
	assert_true(a->page.read_to >= last);
	w->pages_answered++;
	journal_page_fini(&a->page);
	free(a);
}

/* --- what a worker does --- */

static void add(struct journal_group *g, struct record r, struct msg *m)
{
	r.msg = m;
	journal_group_add(g, &r);
}

/* To its own session and to the next one's. */
static void append_some(struct worker *w)
{
	struct journal_group *g = journal_group_new(on_done, w);
	struct worker *other = &w->all[(w->executor.index + 1) % EXECUTORS];

	add(g,
	    (struct record){
		.kind = RECORD_QUEUE, .session_id = w->session_id, .executor = &w->executor},
	    w->msg);
	add(g,
	    (struct record){.kind = RECORD_QUEUE,
	                    .session_id = other->session_id,
	                    .executor = &other->executor},
	    w->msg);
	journal_append(w->journal, &w->executor, &g, JOURNAL_NOW, NULL);
	w->appended++;
}

static void acknowledge(struct worker *w)
{
	enum journal_urgency urgency = (enum journal_urgency)dice_roll(&w->dice, 3);
	struct journal_group *g = journal_group_new(NULL, NULL);

	while (w->position_count > 0) {
		uint64_t position = w->positions[--w->position_count];

		add(g,
		    (struct record){
			.kind = RECORD_QUEUE_DONE, .session_id = w->session_id, .number = position},
		    NULL);
		w->done++;
	}
	add(g,
	    (struct record){
		.kind = RECORD_RETAINED, .number = w->reported_last, .name = SLICE("topic")},
	    w->msg);
	journal_append(w->journal, &w->executor, &g, urgency, NULL);
}

static void read_page(struct worker *w)
{
	struct asked *a = xnew(a);

	a->page.task.run = on_page;
	a->page.executor = &w->executor;
	a->page.session_id = w->session_id;
	a->page.max_count = 1 + dice_roll(&w->dice, 20);
	a->page.max_bytes = SIZE_MAX;
	journal_read(w->journal, &a->page);
	w->pages_asked++;
}

static void act(struct worker *w)
{
	struct journal_health health;

	for (unsigned n = dice_roll(&w->dice, 8); n > 0 && w->appended < GROUPS; n--) {
		if (w->appended - w->completed < WINDOW && !journal_is_full(w->journal))
			append_some(w);
	}
	if (w->position_count > 20 || w->appended == GROUPS)
		acknowledge(w);
	if (dice_roll(&w->dice, 30) == 0)
		read_page(w);
	if (dice_roll(&w->dice, 30) == 0)
		journal_health(w->journal, &health);
}

static bool is_done(const struct worker *w)
{
	return w->completed == GROUPS && w->done == (size_t)2 * GROUPS &&
	       w->pages_answered == w->pages_asked;
}

/* Will somebody wake it? */
static bool may_sleep(const struct worker *w)
{
	if (w->appended == GROUPS && w->position_count > 0) /* it has something to say itself */
		return false;
	return !is_done(w) && (w->completed < w->appended || w->appended == GROUPS);
}

/* --- its thread --- */

static void wake(void *arg)
{
	struct worker *w = arg;

	mutex_lock(&w->lock);
	w->awake = true;
	condition_signal(&w->wake);
	mutex_unlock(&w->lock);
}

static void sleep_until_woken(struct worker *w)
{
	mutex_lock(&w->lock);
	while (!w->awake)
		condition_wait(&w->wake, &w->lock);
	w->awake = false;
	mutex_unlock(&w->lock);
}

static void *run(void *arg)
{
	struct worker *w = arg;

	executor_enter(&w->executor);
	while (!is_done(w)) {
		act(w);
		if (executor_turn(&w->executor) != 0 && may_sleep(w))
			sleep_until_woken(w);
	}
	executor_leave();
	return NULL;
}

static struct msg *make_message(void)
{
	uint8_t payload[40] = {0};
	struct msg_parts parts = {.qos = 1,
	                          .expires_ms = MSG_NEVER,
	                          .topic = SLICE("topic"),
	                          .payload = slice_of(payload, sizeof(payload))};

	return msg_new(NULL, &parts);
}

static void worker_init(struct worker *w, unsigned index, struct journal *j, struct worker *all)
{
	executor_init(&w->executor, index, NULL, w);
	executor_set_wake(&w->executor, wake, w);
	mutex_init(&w->lock, LOCK_UNRANKED);
	condition_init(&w->wake);
	w->journal = j;
	w->all = all;
	w->dice.state = index + 1;
	w->session_id = index + 100;
	w->positions = xcalloc((size_t)2 * GROUPS, sizeof(*w->positions));
	w->msg = make_message();
}

static void worker_fini(struct worker *w)
{
	executor_enter(&w->executor);
	while (mailbox_drain(&w->executor.mailbox, 100, w))
		;
	executor_leave();
	executor_fini(&w->executor);
	condition_fini(&w->wake);
	mutex_fini(&w->lock);
	msg_unref(&w->msg);
	free(w->positions);
}

static void make_sessions(struct worker *w)
{
	struct journal_group *g = journal_group_new(NULL, NULL);

	for (unsigned i = 0; i < EXECUTORS; i++)
		add(g,
		    (struct record){.kind = RECORD_SESSION,
		                    .session_id = w[i].session_id,
		                    .number = 1000000,
		                    .bound_bytes = UINT64_MAX},
		    NULL);
	executor_enter(&w[0].executor);
	journal_append(w[0].journal, &w[0].executor, &g, JOURNAL_NOW, NULL);
	executor_leave();
}

static void check_after(struct journal *j)
{
	struct journal_health health;

	journal_health(j, &health);
	assert_int_equal(health.state, JOURNAL_OK);
	assert_int_equal(health.messages, (size_t)2 * EXECUTORS * GROUPS);
	assert_int_equal(health.pending_groups, 0);
	assert_true(health.commits > 0 && health.commits < health.groups);
	/* Whoever else wants its processor gets it between the rows. */
	assert_true(gave_way >= 2 * EXECUTORS * GROUPS / 16);
}

static void executors_append_beside_the_thread(void **state)
{
	struct store_image *image = store_image_new();
	struct store *store = store_memory_open(image);
	struct journal_options options = {.interval_ms = 5};
	struct journal *j = journal_disk_new(store, &options);
	struct worker *w = xcalloc(EXECUTORS, sizeof(*w));
	struct executor *executors[EXECUTORS];
	struct journal_health health;
	struct store_status status;

	(void)state;
	for (unsigned i = 0; i < EXECUTORS; i++) {
		worker_init(&w[i], i, j, w);
		executors[i] = &w[i].executor;
	}
	journal_on_queued(j, on_queued);
	journal_on_space(j, executors, EXECUTORS, on_space);
	make_sessions(w);
	assert_int_equal(journal_start(j), 0);
	for (unsigned i = 0; i < EXECUTORS; i++)
		assert_int_equal(thread_start(&w[i].thread, "worker", run, &w[i]), 0);
	for (unsigned i = 0; i < EXECUTORS; i++)
		thread_join(&w[i].thread);
	journal_stop(j);
	check_after(j);
	store_status(store, &status);
	assert_int_equal(status.rows[TABLE_QUEUE], 0);
	assert_int_equal(status.rows[TABLE_BODY] + status.rows[TABLE_BODY_REFS], 0);
	assert_int_equal(status.rows[TABLE_RETAINED], 1);
	for (unsigned i = 0; i < EXECUTORS; i++)
		worker_fini(&w[i]);
	journal_health(j, &health);
	assert_int_equal(health.pending_bytes, 0); /* everybody was notified */
	journal_free(j);
	store_image_free(image);
	free(w);
}

/* What is urgent nothing is written all the same: the thread wakes for the end of the interval. */
static void thread_wakes_at_end_of_interval(void **state)
{
	struct store_image *image = store_image_new();
	struct journal_options options = {.interval_ms = 20};
	struct journal *j = journal_disk_new(store_memory_open(image), &options);
	struct worker *w = xnew(w);
	struct journal_group *g;

	(void)state;
	worker_init(w, 0, j, w);
	assert_int_equal(journal_start(j), 0);
	for (unsigned i = 0; i < 3; i++) {
		executor_enter(&w->executor);
		executor_update_now(&w->executor);
		g = journal_group_new(on_done, w);
		add(g,
		    (struct record){.kind = RECORD_RETAINED, .number = i + 1, .name = SLICE("t")},
		    w->msg);
		journal_append(j, &w->executor, &g, i % 2 == 0 ? JOURNAL_NEXT : JOURNAL_INTERVAL,
		               NULL);
		while (w->completed <= i) {
			if (executor_turn(&w->executor) != 0 && w->completed <= i)
				sleep_until_woken(w);
		}
		executor_leave();
	}
	journal_stop(j);
	worker_fini(w);
	journal_free(j);
	store_image_free(image);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(executors_append_beside_the_thread),
	    cmocka_unit_test(thread_wakes_at_end_of_interval),
	};

	hash_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
