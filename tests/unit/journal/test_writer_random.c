/* Random groups, turns, full disks, maps that grow, and crashes: what the restore shows is what a
 * naive model has of all groups that were completed; D1 to D5.  A queue record may be gone although
 * the group that said so is not, and a retained value newer than the newest that was acknowledged:
 * both were never promised. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "support/dice.h"
#include "support/store_faulty.h"
#include "writer_fixture.h"

#define SEEDS    40
#define STEPS    500
#define SESSIONS 400
#define ROWS     100000 /* positions */
#define NUMBERS  6      /* of subscriptions, packet identifiers, replays */
#define TOPICS   4

enum { STATE_NONE, STATE_THERE, STATE_GONE };

struct model_session {
	uint8_t state;
	unsigned subscription[NUMBERS], replay[NUMBERS], inbound[NUMBERS]; /* value, 0: none */
};

struct model_row {
	uint8_t state;
	bool may_be_gone; /* a group that says so was appended */
	uint64_t session_id;
	unsigned sent; /* value, 0: was not */
};

struct model {
	struct model_session sessions[SESSIONS];
	struct model_row rows[ROWS];
	uint64_t promised[TOPICS]; /* retained: at least this change */
	unsigned will[SESSIONS];
};

/* A group on its way: what it says, for when it is completed. */
struct sent_group {
	struct record records[6];
	unsigned values[6];
	size_t count;
	uint64_t first;
	enum journal_urgency urgency;
	bool completed;
	struct sent_group *next;
};

struct walk {
	struct writer_fixture t;
	struct dice dice;
	struct model *model;
	struct sent_group *groups, **tail; /* in the order of appending */
	uint64_t next_session, next_position, next_change, clock;
	unsigned next_value;
	uint64_t refused[ROWS / 64]; /* positions that were not kept */
	uint64_t shown_change[TOPICS];
	unsigned completed;
	struct model *shown;
};

static struct walk *current;

/* --- what comes back --- */

static void on_queued(void *executor_arg, const struct record *record, enum queue_outcome outcome)
{
	(void)executor_arg;
	if (outcome != QUEUE_STORED)
		current->refused[record->number / 64] |= (uint64_t)1 << record->number % 64;
}

static void on_done(struct journal_group *g, int status, void *executor_arg)
{
	struct sent_group *sent = journal_group_context(g);

	(void)executor_arg;
	assert_int_equal(status, 0);
	assert_false(sent->completed);
	sent->completed = true;
	current->completed++;
}

static bool is_refused(const struct walk *w, uint64_t position)
{
	return (w->refused[position / 64] >> position % 64 & 1) != 0;
}

/* --- the model --- */

static void end_session(struct model *m, uint64_t id)
{
	m->sessions[id] = (struct model_session){.state = STATE_GONE};
	for (size_t i = 0; i < ROWS; i++) {
		if (m->rows[i].session_id == id)
			m->rows[i].state = STATE_GONE;
	}
}

static void model_queue(struct walk *w, uint64_t session_id, uint64_t position)
{
	struct model_row *row = &w->model->rows[position];

	row->session_id = session_id;
	if (w->model->sessions[session_id].state == STATE_THERE && !is_refused(w, position))
		row->state = STATE_THERE;
}

static unsigned *model_pair(struct model_session *s, enum record_kind kind, uint64_t number)
{
	if (kind == RECORD_SUBSCRIPTION || kind == RECORD_UNSUBSCRIPTION)
		return &s->subscription[number];
	if (kind == RECORD_REPLAY || kind == RECORD_REPLAY_DONE)
		return &s->replay[number];
	return &s->inbound[number];
}

static bool is_done_kind(enum record_kind kind)
{
	return kind == RECORD_UNSUBSCRIPTION || kind == RECORD_REPLAY_DONE ||
	       kind == RECORD_INBOUND_DONE;
}

static void model_record(struct walk *w, const struct record *r, unsigned value,
                         const struct sent_group *g, uint64_t *position)
{
	struct model *m = w->model;
	struct model_session *s = &m->sessions[r->session_id];

	if (r->kind == RECORD_SESSION) {
		s->state = STATE_THERE;
	} else if (r->kind == RECORD_SESSION_END) {
		end_session(m, r->session_id);
	} else if (r->kind == RECORD_QUEUE) {
		model_queue(w, r->session_id, (*position)++);
	} else if (r->kind == RECORD_QUEUE_DONE) {
		m->rows[r->number].state = STATE_GONE;
	} else if (r->kind == RECORD_SENT) {
		m->rows[r->number].sent = value;
	} else if (r->kind == RECORD_RETAINED) {
		if (g->urgency == JOURNAL_NOW && r->number > m->promised[value])
			m->promised[value] = r->number;
	} else if (r->kind == RECORD_WILL || r->kind == RECORD_WILL_DONE) {
		m->will[r->session_id] = r->kind == RECORD_WILL ? value : 0;
	} else if (s->state == STATE_THERE) {
		*model_pair(s, r->kind, r->number) = is_done_kind(r->kind) ? 0 : value;
	}
}

static void model_group(struct walk *w, const struct sent_group *g)
{
	uint64_t position = g->first;

	for (size_t i = 0; i < g->count; i++) {
		if (g->completed)
			model_record(w, &g->records[i], g->values[i], g, &position);
		else if (g->records[i].kind == RECORD_QUEUE_DONE)
			w->model->rows[g->records[i].number].may_be_gone = true;
	}
}

/* What all groups up to here have come to; those that were not completed never will be. */
static void model_settle(struct walk *w)
{
	while (w->groups != NULL) {
		struct sent_group *g = w->groups;

		w->groups = g->next;
		model_group(w, g);
		free(g);
	}
	w->tail = &w->groups;
}

/* --- what is shown --- */

static unsigned value_of(struct slice value)
{
	unsigned v = 0;

	for (size_t i = 0; i < value.len; i++)
		v = v * 10 + (unsigned)(value.data[i] - '0');
	return v;
}

static bool show_retained(void *arg, struct slice topic, uint64_t number, struct msg *msg,
                          struct slice value)
{
	struct walk *w = arg;

	(void)value;
	assert_non_null(msg);
	w->shown_change[topic.data[0] - 'a'] = number;
	assert_int_equal(msg_payload(msg).len, number % 3000);
	return true;
}

static bool show_user(void *arg, uint64_t id, uint64_t name_hash, struct slice value)
{
	(void)arg;
	(void)id;
	(void)name_hash;
	return value.len > 0;
}

static bool show_session(void *arg, uint64_t id, struct slice value)
{
	struct walk *w = arg;

	(void)value;
	w->shown->sessions[id].state = STATE_THERE;
	return true;
}

static bool show_subscription(void *arg, uint64_t id, uint64_t number, struct slice value)
{
	struct walk *w = arg;

	w->shown->sessions[id].subscription[number] = value_of(value);
	return true;
}

static bool show_inbound(void *arg, uint64_t id, uint64_t packet_id, struct slice value)
{
	struct walk *w = arg;

	(void)value;
	w->shown->sessions[id].inbound[packet_id] = 1;
	return true;
}

static bool show_replay(void *arg, uint64_t id, uint64_t number, struct slice value)
{
	struct walk *w = arg;

	w->shown->sessions[id].replay[number] = value_of(value);
	return true;
}

/* The rows themselves are read by pages, behind the restore. */
static void show_queue(void *arg, uint64_t id, uint64_t count, uint64_t bytes,
                       uint64_t first_position)
{
	struct walk *w = arg;

	(void)bytes;
	assert_true(count > 0);
	w->shown->rows[first_position].session_id = id;
}

static bool show_sent(void *arg, uint64_t id, uint64_t position, struct msg *msg,
                      struct slice queue_value, struct slice sent_value)
{
	struct walk *w = arg;

	(void)id;
	assert_non_null(msg);
	assert_int_equal(queue_value.len, 0);
	w->shown->rows[position].sent = value_of(sent_value);
	return true;
}

static bool show_will(void *arg, uint64_t id, struct msg *msg, struct slice value)
{
	struct walk *w = arg;

	assert_non_null(msg);
	w->shown->will[id] = value_of(value);
	return true;
}

static const struct journal_visitor visitor = {
#define VISITOR(table, rows, result, name, arguments) .name = show_##name,
#include "journal/record.def"
};

static void on_page(struct task *task, void *executor_arg)
{
	(void)task;
	(void)executor_arg;
}

/* All pages of one session. */
static void read_queue(struct walk *w, uint64_t id, bool compare)
{
	struct journal_page page = {.task.run = on_page,
	                            .executor = &w->t.executors[0],
	                            .session_id = id,
	                            .max_count = 1 + dice_roll(&w->dice, 20),
	                            .max_bytes = dice_roll(&w->dice, 20000)};
	do {
		page.from = page.read_to + 1;
		executor_enter(page.executor);
		journal_read(w->t.journal, &page);
		executor_leave();
		turn(&w->t);
		for (size_t i = 0; compare && i < page.count; i++)
			w->shown->rows[page.items[i].position] =
			    (struct model_row){.state = STATE_THERE,
			                       .session_id = id,
			                       .sent = w->shown->rows[page.items[i].position].sent};
		journal_page_fini(&page);
	} while (page.more);
}

static void compare_rows(const struct walk *w)
{
	for (size_t i = 0; i < ROWS; i++) {
		const struct model_row *want = &w->model->rows[i], *got = &w->shown->rows[i];
		bool there = got->state == STATE_THERE;

		if (there ? want->state != STATE_THERE
		          : want->state == STATE_THERE && !want->may_be_gone)
			fail_msg("position %zu of session %" PRIu64 ": there %d, wanted %d", i,
			         want->session_id, there, want->state);
		if (there && (want->session_id != got->session_id || want->sent != got->sent))
			fail_msg("position %zu: sent %u, wanted %u", i, got->sent, want->sent);
	}
}

static void compare_sessions(const struct walk *w)
{
	for (size_t id = 0; id < SESSIONS; id++) {
		const struct model_session *want = &w->model->sessions[id];
		const struct model_session *got = &w->shown->sessions[id];

		if ((want->state == STATE_THERE) != (got->state == STATE_THERE))
			fail_msg("session %zu: there %d, wanted %d", id, got->state, want->state);
		for (unsigned n = 0; n < NUMBERS; n++) {
			if (want->subscription[n] != got->subscription[n] ||
			    want->replay[n] != got->replay[n] ||
			    (want->inbound[n] != 0) != (got->inbound[n] != 0))
				fail_msg("session %zu, number %u: %u %u %u", id, n,
				         got->subscription[n], got->replay[n], got->inbound[n]);
		}
		if (w->model->will[id] != w->shown->will[id])
			fail_msg("will %zu", id);
	}
	for (unsigned i = 0; i < TOPICS; i++) {
		assert_true(w->shown_change[i] >= w->model->promised[i]);
		w->model->promised[i] = w->shown_change[i];
	}
}

/* --- steps --- */

static uint64_t some_session(struct walk *w)
{
	uint64_t most = w->next_session < 6 ? w->next_session : 6;

	return w->next_session - 1 - dice_roll(&w->dice, (unsigned)most);
}

/* Of the newest ones, and of that session. */
static uint64_t some_position(struct walk *w, uint64_t *session_id)
{
	unsigned most = w->next_position < 30 ? (unsigned)w->next_position : 30;
	uint64_t position = w->next_position - 1 - dice_roll(&w->dice, most);

	*session_id = w->model->rows[position].session_id;
	return position;
}

static struct record some_record(struct walk *w, unsigned value)
{
	static const enum record_kind kinds[] = {
	    RECORD_SUBSCRIPTION, RECORD_UNSUBSCRIPTION, RECORD_INBOUND,     RECORD_INBOUND_DONE,
	    RECORD_QUEUE,        RECORD_QUEUE,          RECORD_QUEUE,       RECORD_QUEUE_DONE,
	    RECORD_QUEUE_DONE,   RECORD_SENT,           RECORD_RETAINED,    RECORD_WILL,
	    RECORD_WILL_DONE,    RECORD_REPLAY,         RECORD_REPLAY_DONE, RECORD_SESSION,
	    RECORD_SESSION_END};
	struct record r = {.kind = kinds[dice_roll(&w->dice, sizeof(kinds) / sizeof(kinds[0]))],
	                   .session_id = some_session(w),
	                   .number = dice_roll(&w->dice, NUMBERS)};

	if (r.kind == RECORD_SESSION)
		r.session_id = w->next_session++;
	if (r.kind == RECORD_SESSION || r.kind == RECORD_SESSION_END)
		r.number = 30;
	if (r.kind == RECORD_SESSION)
		r.bound_bytes = 100000;
	if (r.kind == RECORD_QUEUE)
		r.executor = &w->t.executors[dice_roll(&w->dice, EXECUTORS)];
	if (r.kind == RECORD_QUEUE_DONE || r.kind == RECORD_SENT)
		r.number = some_position(w, &r.session_id);
	if (r.kind == RECORD_RETAINED) {
		r.session_id = 0;
		r.number = w->next_change++;
	}
	(void)value;
	return r;
}

/* Of a retained change the value is its topic. */
static void add_record(struct walk *w, struct journal_group *g, struct sent_group *sent,
                       struct msg *shared)
{
	unsigned value = ++w->next_value;
	struct record r = some_record(w, value);
	char text[16], topic[2] = {0};
	struct msg *m = NULL;

	if (r.kind == RECORD_RETAINED) {
		value = dice_roll(&w->dice, TOPICS);
		topic[0] = (char)('a' + value);
		r.name = slice_of_str(topic);
		m = message_of(topic, r.number % 3000);
	} else if (r.kind == RECORD_WILL) {
		m = message_of("will", 3);
	} else if (r.kind == RECORD_QUEUE) {
		m = dice_roll(&w->dice, 2) == 0 ? msg_ref(shared)
		                                : message_of("q", dice_roll(&w->dice, 3000));
		w->model->rows[w->next_position++].session_id = r.session_id;
	}
	snprintf(text, sizeof(text), "%u", value);
	if (r.kind != RECORD_QUEUE && r.kind != RECORD_RETAINED)
		r.value = slice_of_str(text);
	add(g, r, m);
	sent->records[sent->count] = r;
	sent->values[sent->count++] = value;
}

static void append_some(struct walk *w)
{
	struct sent_group *sent = xnew(sent);
	struct journal_group *g = journal_group_new(on_done, sent);
	struct msg *shared = message_of("shared", dice_roll(&w->dice, 2500));
	unsigned kind = dice_roll(&w->dice, 4);

	sent->urgency = kind < 2 ? JOURNAL_NOW : kind == 2 ? JOURNAL_NEXT : JOURNAL_INTERVAL;
	for (unsigned n = dice_roll(&w->dice, 6); n > 0; n--)
		add_record(w, g, sent, shared);
	msg_unref(&shared);
	*w->tail = sent;
	w->tail = &sent->next;
	sent->first = append_to(&w->t, dice_roll(&w->dice, EXECUTORS), g, sent->urgency);
	assert_true(sent->first == 0 || sent->first < w->next_position);
}

static void check_restore(struct walk *w)
{
	char text[STORE_ERROR_TEXT];

	memset(w->shown, 0, sizeof(*w->shown));
	memset(w->shown_change, 0, sizeof(w->shown_change));
	if (journal_restore(w->t.journal, &visitor, w, text) != 0)
		fail_msg("%s", text);
	for (size_t id = 0; id < SESSIONS; id++) {
		if (w->shown->sessions[id].state == STATE_THERE)
			read_queue(w, id, true);
	}
	compare_sessions(w);
	compare_rows(w);
	/* What may have been gone is or is not, from now on. */
	for (size_t i = 0; i < ROWS; i++) {
		w->model->rows[i].may_be_gone = false;
		if (w->shown->rows[i].state != STATE_THERE &&
		    w->model->rows[i].state == STATE_THERE)
			w->model->rows[i].state = STATE_GONE;
	}
}

/* Positions that were given and not stored may be given again. */
static void learn_position(struct walk *w)
{
	struct journal_group *g = group_new(NULL);

	add(g, (struct record){.kind = RECORD_QUEUE}, message_of("x", 1));
	w->next_position = append_to(&w->t, 0, g, JOURNAL_NOW) + 1;
	for (size_t i = w->next_position; i < ROWS; i++)
		w->model->rows[i] = (struct model_row){0};
	memset(w->refused, 0, sizeof(w->refused));
}

static void begin(struct walk *w)
{
	writer_fixture_open(&w->t);
	journal_on_queued(w->t.journal, on_queued);
}

static void crash(struct walk *w)
{
	store_faulty_fail(w->t.store, 0, 0, 0);
	if (dice_roll(&w->dice, 3) == 0)
		writer_fixture_stop(&w->t);
	else
		writer_fixture_crash(&w->t);
	model_settle(w);
	begin(w);
	check_restore(w);
	learn_position(w);
}

static void trouble(struct walk *w)
{
	static const int errors[] = {-EAGAIN, -EAGAIN, -ENOSPC};

	store_faulty_fail(w->t.store, dice_roll(&w->dice, 40), 1 + dice_roll(&w->dice, 2),
	                  errors[dice_roll(&w->dice, 3)]);
}

static void step(struct walk *w)
{
	unsigned kind = dice_roll(&w->dice, 100);

	if (w->next_session + 8 > SESSIONS || kind == 0)
		crash(w);
	else if (kind < 60)
		append_some(w);
	else if (kind < 85)
		turn(&w->t);
	else if (kind < 90)
		trouble(w);
	else if (kind < 94 && store_faulty_is_spent(w->t.store))
		w->t.now_ms += 1000;
	else
		w->t.now_ms += dice_roll(&w->dice, 400);
}

static void random_records_restore_equal_to_model(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct walk *w = xnew(w);

		current = w;
		w->dice.state = seed;
		w->model = xnew(w->model);
		w->shown = xnew(w->shown);
		w->tail = &w->groups;
		w->next_session = w->next_change = 1;
		begin(w);
		learn_position(w);
		for (unsigned i = 0; i < STEPS && w->next_session + 8 < SESSIONS; i++)
			step(w);
		crash(w);
		assert_true(w->completed > STEPS / 10);
		writer_fixture_crash(&w->t);
		model_settle(w);
		writer_fixture_fini(&w->t);
		free(w->model);
		free(w->shown);
		free(w);
	}
}

static void on_line(void *arg, enum event e, struct slice line)
{
	(void)arg;
	(void)e;
	(void)line;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_records_restore_equal_to_model),
	};

	hash_init();
	log_set_sink(on_line, NULL);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
