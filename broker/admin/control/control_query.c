/* The table of commands, what is wrong with a request, and who has the query next. */
#include "admin/control/control_query.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "durability/record_batch.h"
#include "journal/journal_group.h"
#include "tree/retain_cursor.h"
#include "worker/worker.h"

enum command_access { COMMAND_READS, COMMAND_CHANGES };

enum control_option {
#define OPTION(id, ...) OPTION_##id,
#include "admin/control/commands.def"
};

/* The member of the request that an option becomes; NULL: it is broker-ctl's alone. */
static const char *const option_members[] = {
#define OPTION(id, name, word, member, text) member,
#include "admin/control/commands.def"
};

#define TAKES(id)  (1U << OPTION_##id)
#define NO_OPTIONS 0U
static const struct control_command commands[] = {
#define COMMAND(id, name, scope, access, function, argument, word, what, options, ...)             \
	{name, argument, options, QUERY_##scope, COMMAND_##access == COMMAND_CHANGES, function},
#include "admin/control/commands.def"
};

void control_query_put_end(struct buf *out, const char *error)
{
	json_open(out);
	if (error == NULL)
		json_bool(out, "done", true);
	else
		json_str(out, "error", error);
	json_close(out);
}

/* --- the path of a query --- */

static void query_free(struct control_query *q)
{
	REQUIRE(!q->travels && !timer_is_armed(&q->again_timer));
	retain_cursor_free(&q->cursor);
	if (q->free_state != NULL)
		q->free_state(q->state);
	json_fini(&q->request);
	buf_fini(&q->out);
	free(q->ids);
	free(q);
}

static void travel(struct control_query *q, struct executor *to, task_fn *run)
{
	q->task.run = run;
	executor_send(to, &q->task);
}

static void leave_main(struct control_query *q, task_fn *run)
{
	REQUIRE_EXECUTOR(q->control->executor);
	REQUIRE(!q->travels);
	q->travels = true;
	travel(q, q->worker == NULL ? q->control->executor : &q->worker->executor, run);
}

/* The state of the function that answers is freed where it belongs. */
static void on_state_ends(struct task *task, void *executor_arg);

static void end_query(struct control_query *q)
{
	executor_timer_disarm(q->control->executor, &q->again_timer);
	if (q->state_stays && q->free_state != NULL)
		leave_main(q, on_state_ends);
	else
		query_free(q);
}

static void on_answer(struct task *task, void *executor_arg);

static void on_state_ends(struct task *task, void *executor_arg)
{
	struct control_query *q = container_of(task, struct control_query, task);

	(void)executor_arg;
	REQUIRE(q->travels && q->sink == NULL);
	q->free_state(q->state);
	q->free_state = NULL;
	travel(q, q->control->executor, on_answer);
}

static void on_committed(struct journal_group *group, int status, void *executor_arg)
{
	struct control_query *q = journal_group_context(group);

	(void)executor_arg;
	REQUIRE(q->travels && q->commits && !q->more);
	if (status != 0)
		q->error = "this was done, but could not be stored: it may come back after a "
			   "restart; see the broker's log";
	travel(q, q->control->executor, on_answer);
}

static void on_question(struct task *task, void *executor_arg)
{
	struct control_query *q = container_of(task, struct control_query, task);

	(void)executor_arg;
	REQUIRE(q->travels && !q->commits);
	q->again_ms = 0;
	q->more = q->command->report(q);
	/* mutant: deletion_is_stored_first */
	if (!q->more && q->commits)
		record_batch_commit(q->worker, on_committed, q);
	else
		travel(q, q->control->executor, on_answer);
}

/* Who answers next? False: all have. */
static bool next_stop(struct control_query *q)
{
	struct shared *shared = q->control->shared;

	if (q->more)
		return true;
	if (q->command->scope != QUERY_WORKERS || q->next_worker == shared->worker_count)
		return false;
	q->worker = shared->workers[q->next_worker++];
	q->id_count = q->id_at = 0;
	return true;
}

/* Send the query to who answers next, or end it; wait while the reader does not read. */
static void go_on(struct control_query *q)
{
	struct control_sink *sink = q->sink;
	const char *error = q->error;

	REQUIRE(sink->query == q && !q->travels);
	q->waits = sink->ops->is_full(sink);
	if (q->waits)
		return;
	if (error == NULL && next_stop(q)) {
		if (q->again_ms > 0)
			executor_timer_arm(q->control->executor, &q->again_timer, q->again_ms);
		else
			leave_main(q, on_question);
		return;
	}
	sink->query = NULL;
	q->sink = NULL;
	end_query(q);
	sink->ops->finish(sink, error);
}

static void on_again(struct timer *timer, void *executor_arg)
{
	(void)executor_arg;
	leave_main(container_of(timer, struct control_query, again_timer), on_question);
}

static void on_answer(struct task *task, void *executor_arg)
{
	struct control_query *q = container_of(task, struct control_query, task);

	(void)executor_arg;
	REQUIRE(q->travels);
	if (q->sink != NULL && q->out.len > 0)
		q->sink->ops->write(q->sink, buf_slice(&q->out));
	buf_clear(&q->out);
	q->travels = false;
	if (q->sink == NULL) /* it left before, or just now */
		end_query(q);
	else
		go_on(q);
}

/* --- requests --- */

const struct control_command *control_query_find(struct slice name)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (slice_equal(slice_of_str(commands[i].name), name))
			return &commands[i];
	}
	return NULL;
}

static bool takes(const struct control_command *command, struct slice name)
{
	if (command->argument != NULL && slice_equal(name, slice_of_str(command->argument)))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(option_members); i++) {
		if ((command->options & 1U << i) != 0 && option_members[i] != NULL &&
		    slice_equal(name, slice_of_str(option_members[i])))
			return true;
	}
	return false;
}

/* What is wrong with the request; NULL: nothing. */
static const char *check(const struct control_command *command, const struct json_object *request,
                         bool is_local)
{
	if (command == NULL)
		return "unknown command";
	for (size_t i = 0; i < request->count; i++) {
		struct slice name = request->members[i].name;

		if (!takes(command, name) && !(is_local && slice_equal(name, SLICE("command"))))
			return "this command does not take this argument";
		if (request->members[i].kind != JSON_TEXT)
			return "the members of a request must be strings";
	}
	if (command->argument != NULL && json_find(request, command->argument) == NULL)
		return "the command needs an argument";
	return NULL;
}

static void log_command(const struct control_query *q, const struct control_asker *asker)
{
	LOG(CONTROL_COMMAND, .command = q->command->name, .peer = asker->peer,
	    .asked_by = asker->user, .asked_by_client = asker->client_id,
	    .client_id = json_text_of(&q->request, "id"), .user = json_text_of(&q->request, "user"),
	    .filter = json_text_of(&q->request, "filter"),
	    .address = json_text_of(&q->request, "address"));
}

const char *control_query_start(struct control *c, struct control_sink *sink,
                                const struct control_asker *asker, struct slice command,
                                struct json_object *request)
{
	const struct control_command *found = control_query_find(command);
	const char *wrong = check(found, request, asker->is_local);
	struct control_query *q;

	REQUIRE_EXECUTOR(c->executor);
	REQUIRE(sink->query == NULL);
	if (wrong != NULL) {
		json_fini(request);
		return wrong;
	}
	q = xnew(q);
	q->control = c;
	q->sink = sink;
	q->command = found;
	q->request = *request;
	q->is_local = asker->is_local;
	q->again_timer.fire = on_again;
	if (found->scope == QUERY_OWNER)
		q->worker = shared_owner_of(c->shared, json_text_of(request, found->argument));
	else if (found->scope == QUERY_ONE_WORKER)
		q->worker = c->shared->workers[0];
	q->more = found->scope != QUERY_WORKERS;
	sink->query = q;
	if (found->changes)
		log_command(q, asker);
	go_on(q);
	return NULL;
}

void control_query_go_on(struct control_sink *sink)
{
	if (sink->query != NULL && sink->query->waits)
		go_on(sink->query);
}

void control_query_leave(struct control_sink *sink)
{
	struct control_query *q = sink->query;

	if (q == NULL)
		return;
	REQUIRE_EXECUTOR(q->control->executor);
	sink->query = NULL;
	q->sink = NULL;
	if (!q->travels)
		end_query(q);
}

void control_query_init(struct control *c, struct executor *executor, struct shared *shared,
                        const struct control_hooks *hooks)
{
	*c = (struct control){.executor = executor,
	                      .shared = shared,
	                      .hooks = *hooks,
	                      .started_ms = clock_monotonic_ms()};
}
