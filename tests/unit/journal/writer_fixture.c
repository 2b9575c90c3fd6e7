/* See writer_fixture.h. */
#include "writer_fixture.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "support/store_faulty.h"

static struct writer_fixture *current;

static struct buf *reported_at(void *executor_arg)
{
	return executor_arg;
}

static void on_queued(void *executor_arg, const struct record *record, enum queue_outcome outcome)
{
	static const char *const signs[] = {[QUEUE_NOT_STORED] = "-",
	                                    [QUEUE_STORED] = "+",
	                                    [QUEUE_FULL] = "full-",
	                                    [QUEUE_SHARE_FULL] = "share-"};

	assert_ptr_equal(executor_current()->arg, executor_arg);
	assert_ptr_equal(record->executor, executor_current());
	buf_printf(reported_at(executor_arg), "%s%" PRIu64 " ", signs[outcome], record->number);
}

static void on_space(void *executor_arg)
{
	(void)executor_arg;
	current->rooms++;
}

static void on_done(struct journal_group *g, int status, void *executor_arg)
{
	const char *name = journal_group_context(g);

	buf_printf(reported_at(executor_arg), "%s=%d ", name, status);
}

static uint64_t monotonic_ns(void *arg)
{
	const struct writer_fixture *t = arg;

	return t->now_ms * 1000000;
}

static int64_t wall_ms(void *arg)
{
	const struct writer_fixture *t = arg;

	return WRITER_FIXTURE_WALL_MS + (int64_t)t->now_ms + t->clock_wrong_ms;
}

/* --- life --- */

void writer_fixture_open(struct writer_fixture *t)
{
	struct journal_options options = {.interval_ms = INTERVAL_MS,
	                                  .expired_retention_ms = t->expired_retention_ms,
	                                  .deleted_is_over = t->deleted_is_over};
	struct executor *executors[EXECUTORS];
	static struct clock_source clock = {.monotonic_ns = monotonic_ns, .wall_ms = wall_ms};

	current = t;
	clock.arg = t;
	clock_use(&clock);
	if (t->image == NULL) {
		t->image = store_image_new();
		t->now_ms = 1000000;
	}
	for (unsigned i = 0; i < EXECUTORS; i++) {
		executor_init(&t->executors[i], i, NULL, &t->notified[i]);
		t->executors[i].now_ms = t->now_ms;
		executors[i] = &t->executors[i];
	}
	t->store = store_faulty_new(store_memory_open(t->image));
	t->journal = journal_disk_new(t->store, &options);
	journal_on_queued(t->journal, on_queued);
	journal_on_space(t->journal, executors, EXECUTORS, on_space);
}

void run_executors(struct writer_fixture *t)
{
	for (unsigned i = 0; i < EXECUTORS; i++) {
		executor_enter(&t->executors[i]);
		while (mailbox_drain(&t->executors[i].mailbox, 1000, t->executors[i].arg))
			;
		executor_leave();
	}
}

void writer_fixture_crash(struct writer_fixture *t)
{
	run_executors(t);
	journal_free(t->journal);
	t->journal = NULL;
	for (unsigned i = 0; i < EXECUTORS; i++)
		executor_fini(&t->executors[i]);
}

void writer_fixture_stop(struct writer_fixture *t)
{
	journal_stop(t->journal);
	writer_fixture_crash(t);
}

void writer_fixture_fini(struct writer_fixture *t)
{
	if (t->journal != NULL)
		writer_fixture_crash(t);
	store_image_free(t->image);
	for (unsigned i = 0; i < EXECUTORS; i++)
		buf_fini(&t->notified[i]);
	buf_fini(&t->shown);
	clock_use(NULL);
	*t = (struct writer_fixture){0};
}

/* --- groups --- */

struct msg *message_of(const char *topic, size_t payload_len)
{
	struct origin *o = origin_new(false, 7, SLICE("key"), SLICE("anna"), SLICE("her client"));
	uint8_t *payload = xalloc(payload_len + 1);
	struct msg_parts parts = {
	    .qos = 1,
	    .expires_ms = MSG_NEVER,
	    .topic = slice_of_str(topic),
	    .forwarded = SLICE("\x01\x00"),
	};
	struct msg *m;

	memset(payload, 'p', payload_len);
	parts.payload = slice_of(payload, payload_len);
	m = msg_new(o, &parts);
	origin_unref(&o);
	free(payload);
	return m;
}

void add(struct journal_group *g, struct record record, struct msg *msg)
{
	record.msg = msg;
	journal_group_add(g, &record);
	msg_unref(&msg);
}

struct journal_group *group_new(const char *name)
{
	union {
		const char *in;
		void *out;
	} context = {.in = name};

	return journal_group_new(name == NULL ? NULL : on_done, context.out);
}

uint64_t append_to(struct writer_fixture *t, unsigned executor, struct journal_group *g,
                   enum journal_urgency urgency)
{
	uint64_t first = 0;

	t->executors[executor].now_ms = t->now_ms;
	executor_enter(&t->executors[executor]);
	journal_append(t->journal, &t->executors[executor], &g, urgency, &first);
	executor_leave();
	assert_null(g);
	return first;
}

bool turn(struct writer_fixture *t)
{
	bool did = journal_turn(t->journal, t->now_ms);

	run_executors(t);
	return did;
}

void keep(struct writer_fixture *t, struct record record, struct msg *msg)
{
	struct journal_group *g = group_new(NULL);

	add(g, record, msg);
	append_to(t, 0, g, JOURNAL_NOW);
	turn(t);
}

void session(struct writer_fixture *t, uint64_t id)
{
	keep(t,
	     (struct record){.kind = RECORD_SESSION,
	                     .session_id = id,
	                     .number = 1000000,
	                     .bound_bytes = UINT64_MAX,
	                     .value = SLICE("state")},
	     NULL);
}

uint64_t queue(struct writer_fixture *t, uint64_t session_id, const char *value)
{
	struct journal_group *g = group_new(NULL);
	uint64_t position;

	add(g,
	    (struct record){
		.kind = RECORD_QUEUE, .session_id = session_id, .value = slice_of_str(value)},
	    message_of("q", 10));
	position = append_to(t, 0, g, JOURNAL_NOW);
	turn(t);
	return position;
}

void require_notified(struct writer_fixture *t, unsigned executor, const char *want)
{
	buf_put_u8(&t->notified[executor], 0);
	assert_string_equal((const char *)t->notified[executor].data, want);
	buf_clear(&t->notified[executor]);
}

/* --- what is there --- */

static void show_msg(struct buf *out, const struct msg *m)
{
	if (m == NULL) {
		buf_printf(out, " deleted");
		return;
	}
	buf_printf(out, " %.*s+%zu", (int)msg_topic(m).len, (const char *)msg_topic(m).data,
	           msg_payload(m).len);
	assert_true(slice_equal(msg_forwarded(m), SLICE("\x01\x00")));
	assert_true(slice_equal(m->origin->user_name, SLICE("anna")));
	assert_true(slice_equal(m->origin->client_id, SLICE("her client")));
	assert_int_equal(m->origin->session_id, 7);
	assert_int_equal(m->qos, 1);
}

static void show_value(struct buf *out, struct slice value)
{
	buf_put_u8(out, ' ');
	buf_put_slice(out, value);
	buf_put_u8(out, '\n');
}

static bool show_retained(void *arg, struct slice topic, uint64_t number, struct msg *msg,
                          struct slice value)
{
	struct writer_fixture *t = arg;

	buf_printf(&t->shown, "retained %.*s %" PRIu64, (int)topic.len, (const char *)topic.data,
	           number);
	show_msg(&t->shown, msg);
	show_value(&t->shown, value);
	return true;
}

static bool show_session(void *arg, uint64_t session_id, struct slice value)
{
	struct writer_fixture *t = arg;

	buf_printf(&t->shown, "session %" PRIu64, session_id);
	show_value(&t->shown, value);
	return session_id != t->session_gone;
}

static bool show_user(void *arg, uint64_t id, uint64_t name_hash, struct slice value)
{
	struct writer_fixture *t = arg;

	buf_printf(&t->shown, "user %" PRIu64 " %" PRIu64, id, name_hash);
	show_value(&t->shown, value);
	return true;
}

static bool show_pair(struct writer_fixture *t, const char *what, uint64_t session_id,
                      uint64_t number, struct slice value)
{
	buf_printf(&t->shown, "%s %" PRIu64 " %" PRIu64, what, session_id, number);
	show_value(&t->shown, value);
	return true;
}

static void show_queue(void *arg, uint64_t session_id, uint64_t count, uint64_t bytes,
                       uint64_t first_position)
{
	struct writer_fixture *t = arg;

	assert_true(bytes >= count * sizeof(struct msg));
	buf_printf(&t->shown, "queue %" PRIu64 " %" PRIu64 " from %" PRIu64 "\n", session_id, count,
	           first_position);
}

static bool show_sent(void *arg, uint64_t session_id, uint64_t position, struct msg *msg,
                      struct slice queue_value, struct slice sent_value)
{
	struct writer_fixture *t = arg;

	buf_printf(&t->shown, "sent %" PRIu64 " %" PRIu64, session_id, position);
	show_msg(&t->shown, msg);
	buf_printf(&t->shown, " %.*s", (int)queue_value.len, (const char *)queue_value.data);
	show_value(&t->shown, sent_value);
	return true;
}

static bool show_will(void *arg, uint64_t session_id, struct msg *msg, struct slice value)
{
	struct writer_fixture *t = arg;

	buf_printf(&t->shown, "will %" PRIu64, session_id);
	show_msg(&t->shown, msg);
	show_value(&t->shown, value);
	return true;
}

/* Of pairs, show_pair is enough. */
#define SHOW_EACH(name)
#define SHOW_OWN(name)
#define SHOW_PAIRS(name)                                                                           \
	static bool show_##name(void *arg, uint64_t session_id, uint64_t number,                   \
	                        struct slice value)                                                \
	{                                                                                          \
		return show_pair(arg, #name, session_id, number, value);                           \
	}
#define VISITOR(table, rows, result, name, arguments) SHOW_##rows(name)
#include "journal/record.def"

static const struct journal_visitor visitor = {
#define VISITOR(table, rows, result, name, arguments) .name = show_##name,
#include "journal/record.def"
};

void restart(struct writer_fixture *t)
{
	char text[STORE_ERROR_TEXT];

	if (t->journal != NULL)
		writer_fixture_crash(t);
	writer_fixture_open(t);
	buf_clear(&t->shown);
	if (journal_restore(t->journal, &visitor, t, text) != 0)
		fail_msg("%s", text);
}

void require_shown(struct writer_fixture *t, const char *want)
{
	buf_put_u8(&t->shown, 0);
	assert_string_equal((const char *)t->shown.data, want);
	t->shown.len--;
}

bool is_shown(struct writer_fixture *t, const char *line)
{
	bool found;

	buf_put_u8(&t->shown, 0);
	found = strstr((const char *)t->shown.data, line) != NULL;
	t->shown.len--;
	return found;
}

uint64_t rows_in(struct writer_fixture *t, enum store_table table)
{
	struct store_status status;

	store_status(t->store, &status);
	return status.rows[table];
}

/* --- pages, and groups for several --- */

static void on_page(struct task *task, void *executor_arg)
{
	struct asked *a = (struct asked *)task;

	assert_ptr_equal(executor_current(), a->page.executor);
	buf_printf(executor_arg, "page ");
	a->answers++;
}

void ask(struct writer_fixture *t, struct asked *a, uint64_t session_id, uint64_t from,
         uint32_t max_count, size_t max_bytes)
{
	*a = (struct asked){
	    .page.task.run = on_page,
	    .page.executor = &t->executors[0],
	    .page.session_id = session_id,
	    .page.from = from,
	    .page.max_count = max_count,
	    .page.max_bytes = max_bytes,
	};
	executor_enter(&t->executors[0]);
	journal_read(t->journal, &a->page);
	executor_leave();
}

void read_now(struct writer_fixture *t, struct asked *a, uint64_t session_id, uint64_t from,
              uint32_t max_count, size_t max_bytes)
{
	ask(t, a, session_id, from, max_count, max_bytes);
	turn(t);
	assert_int_equal(a->answers, 1);
	assert_int_equal(a->page.status, 0);
}

void put_to(struct writer_fixture *t, unsigned executor, const uint64_t *sessions, size_t count,
            size_t payload, enum journal_urgency urgency)
{
	struct journal_group *g = group_new("g");
	struct msg *m = message_of("topic", payload);

	for (size_t i = 0; i < count; i++)
		add(g,
		    (struct record){.kind = RECORD_QUEUE,
		                    .session_id = sessions[i],
		                    .executor = &t->executors[0],
		                    .value = sessions[i] % 2 == 0 ? SLICE_EMPTY : SLICE("value")},
		    msg_ref(m));
	msg_unref(&m);
	append_to(t, executor, g, urgency);
}
