/* The socket, its connections, requests, and the path of a query through the executors. */
#include "admin/control_socket.h"

#include <stdlib.h>
#include <unistd.h>

#include "admin/control_query.h"
#include "base/alloc.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/list.h"
#include "conf/conf_file.h"
#include "durability/record_batch.h"
#include "journal/journal_group.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/socket_bind.h"
#include "tree/retain_cursor.h"
#include "worker/worker.h"

#define CONNS_MAX   16
#define REQUEST_MAX ((size_t)256 << 10) /* an id or filter of 65,535 bytes, mostly escaped */
#define PATIENCE_MS 10000               /* with who asks or reads nothing */
#define STOP_MS     1000

struct control_conn {
	struct control *control;
	struct stream *stream;
	struct control_conn *prev, *next;
	struct buf in;
	struct timer timer;
	struct control_query *query; /* under way */
	bool closing;
};

enum command_access { COMMAND_READS, COMMAND_CHANGES };

enum control_option {
#define OPTION(id, ...) OPTION_##id,
#include "admin/commands.def"
};

/* The member of the request that an option becomes; NULL: it is broker-ctl's alone. */
static const char *const option_members[] = {
#define OPTION(id, name, word, member, text) member,
#include "admin/commands.def"
};

#define TAKES(id)  (1U << OPTION_##id)
#define NO_OPTIONS 0U
static const struct control_command commands[] = {
#define COMMAND(id, name, scope, access, function, argument, word, what, options, ...)             \
	{name, argument, options, QUERY_##scope, COMMAND_##access == COMMAND_CHANGES, function},
#include "admin/commands.def"
};

/* --- writing --- */

static void patience(struct control_conn *conn)
{
	executor_timer_arm(conn->control->executor, &conn->timer, PATIENCE_MS);
}

static void close_conn(struct control_conn *conn, uint64_t flush_ms)
{
	if (conn->closing)
		return;
	conn->closing = true;
	executor_timer_disarm(conn->control->executor, &conn->timer);
	stream_close(conn->stream, flush_ms);
}

/* The last line. */
static void finish(struct control_conn *conn, const char *error)
{
	struct buf line = {0};

	json_open(&line);
	if (error == NULL)
		json_bool(&line, "done", true);
	else
		json_str(&line, "error", error);
	json_close(&line);
	stream_write(conn->stream, buf_slice(&line));
	buf_fini(&line);
	close_conn(conn, PATIENCE_MS);
}

/* --- the path of a query --- */

static void query_free(struct control_query *q)
{
	retain_cursor_free(&q->cursor);
	if (q->free_state != NULL)
		q->free_state(q->state);
	json_fini(&q->request);
	buf_fini(&q->out);
	free(q->ids);
	free(q);
}

static void on_answer(struct task *task, void *executor_arg);

static void send_answer(struct control_query *q)
{
	q->task.run = on_answer;
	executor_send(q->control->executor, &q->task);
}

static void on_committed(struct journal_group *group, int status, void *executor_arg)
{
	struct control_query *q = journal_group_context(group);

	(void)executor_arg;
	REQUIRE(q->travels && q->commits && !q->more);
	if (status != 0)
		q->error = "this was done, but could not be stored: it may come back after a "
			   "restart; see the broker's log";
	send_answer(q);
}

static void on_question(struct task *task, void *executor_arg)
{
	struct control_query *q = container_of(task, struct control_query, task);

	(void)executor_arg;
	REQUIRE(q->travels && !q->commits);
	q->more = q->command->report(q);
	/* mutant: deletion_is_stored_first */
	if (!q->more && q->commits)
		record_batch_commit(q->worker, on_committed, q);
	else
		send_answer(q);
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

/* Send the query to who answers next, or end it; wait while the client does not read. */
static void go_on(struct control_conn *conn)
{
	struct control_query *q = conn->query;
	const char *error = q->error;

	REQUIRE(q->conn == conn && !q->travels);
	q->waits = stream_backlog(conn->stream) > STREAM_BACKLOG_LOW;
	if (q->waits) {
		patience(conn);
	} else if (error == NULL && next_stop(q)) {
		executor_timer_disarm(q->control->executor, &conn->timer);
		q->travels = true;
		q->task.run = on_question;
		executor_send(q->worker == NULL ? q->control->executor : &q->worker->executor,
		              &q->task);
	} else {
		conn->query = NULL;
		query_free(q);
		finish(conn, error);
	}
}

static void on_answer(struct task *task, void *executor_arg)
{
	struct control_query *q = container_of(task, struct control_query, task);
	struct control_conn *conn = q->conn;

	(void)executor_arg;
	REQUIRE(q->travels);
	q->travels = false;
	if (conn == NULL) {
		query_free(q);
		return;
	}
	stream_write(conn->stream, buf_slice(&q->out));
	buf_clear(&q->out);
	if (!conn->closing)
		go_on(conn);
}

/* --- requests --- */

static bool takes(const struct control_command *command, struct slice name)
{
	if (slice_equal(name, SLICE("command")))
		return true;
	if (command->argument != NULL && slice_equal(name, slice_of_str(command->argument)))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(option_members); i++) {
		if ((command->options & 1U << i) != 0 && option_members[i] != NULL &&
		    slice_equal(name, slice_of_str(option_members[i])))
			return true;
	}
	return false;
}

/* The command that the request names, and what is wrong with the request; NULL: nothing. */
static const char *check(const struct json_object *request, const struct control_command **out)
{
	struct slice name = json_text_of(request, "command");
	const struct control_command *command = NULL;

	for (size_t i = 0; i < ARRAY_LEN(commands) && command == NULL; i++) {
		if (slice_equal(slice_of_str(commands[i].name), name))
			command = &commands[i];
	}
	*out = command;
	if (command == NULL)
		return "unknown command";
	for (size_t i = 0; i < request->count; i++) {
		if (!takes(command, request->members[i].name))
			return "this command does not take this argument";
		if (request->members[i].kind != JSON_TEXT)
			return "the members of a request must be strings";
	}
	if (command->argument != NULL && json_find(request, command->argument) == NULL)
		return "the command needs an argument";
	return NULL;
}

static void start_query(struct control_conn *conn, const struct json_object *request,
                        const struct control_command *command)
{
	struct control_query *q = xnew(q);
	char peer[STREAM_PEER_TEXT];

	q->control = conn->control;
	q->conn = conn;
	q->command = command;
	q->request = *request;
	if (command->scope == QUERY_OWNER)
		q->worker =
		    shared_owner_of(q->control->shared, json_text_of(request, command->argument));
	else if (command->scope == QUERY_ONE_WORKER)
		q->worker = q->control->shared->workers[0];
	conn->query = q;
	q->more = command->scope != QUERY_WORKERS;
	if (command->changes) {
		stream_peer_text(conn->stream, peer, sizeof(peer));
		LOG(CONTROL_COMMAND, .command = command->name, .peer = peer,
		    .client_id = json_text_of(&q->request, "id"),
		    .user = json_text_of(&q->request, "user"),
		    .filter = json_text_of(&q->request, "filter"),
		    .address = json_text_of(&q->request, "address"));
	}
	go_on(conn);
}

static void on_request(struct control_conn *conn, struct slice line)
{
	struct json_object request;
	const struct control_command *command;
	const char *wrong;

	if (!json_parse(line, &request)) {
		finish(conn, "a request must be a line with a JSON object");
		return;
	}
	wrong = check(&request, &command);
	if (wrong == NULL) {
		start_query(conn, &request, command);
		return;
	}
	json_fini(&request);
	finish(conn, wrong);
}

/* --- connections --- */

static void on_bytes(void *arg, struct slice bytes)
{
	struct control_conn *conn = arg;
	const uint8_t *end;

	if (conn->closing)
		return;
	if (conn->query != NULL || conn->in.len + bytes.len > REQUEST_MAX) {
		close_conn(conn, 0);
		return;
	}
	buf_put_slice(&conn->in, bytes);
	end = memchr(conn->in.data, '\n', conn->in.len);
	if (end == NULL)
		return;
	if (end + 1 != conn->in.data + conn->in.len)
		finish(conn, "only one request per connection");
	else
		on_request(conn, slice_of(conn->in.data, conn->in.len - 1));
}

static void on_drained(void *arg)
{
	struct control_conn *conn = arg;

	if (!conn->closing && conn->query != NULL && conn->query->waits)
		go_on(conn);
}

static void on_closed(void *arg, enum stream_end end)
{
	struct control_conn *conn = arg;
	struct control *c = conn->control;

	(void)end;
	executor_timer_disarm(c->executor, &conn->timer);
	if (conn->query != NULL && conn->query->travels)
		conn->query->conn = NULL;
	else if (conn->query != NULL)
		query_free(conn->query);
	DL_DELETE(c->conns, conn);
	REQUIRE(c->conn_count > 0);
	c->conn_count--;
	buf_fini(&conn->in);
	free(conn);
}

static const struct stream_events events = {
    .on_bytes = on_bytes,
    .on_drained = on_drained,
    .on_closed = on_closed,
};

static void on_timer(struct timer *timer, void *executor_arg)
{
	(void)executor_arg;
	close_conn(container_of(timer, struct control_conn, timer), 0);
}

/* The mode of the socket was checked by the kernel; this also holds if the mode is wrong. */
static bool is_admitted(const struct control *c, const struct stream *stream)
{
	struct slice key = stream_peer_key(stream);
	char peer[STREAM_PEER_TEXT];
	uint32_t uid;

	REQUIRE(key.len == sizeof(uid));
	memcpy(&uid, key.data, sizeof(uid));
	if (uid == 0 || uid == geteuid())
		return c->conn_count < CONNS_MAX;
	stream_peer_text(stream, peer, sizeof(peer));
	LOG(CONTROL_REFUSED, .peer = peer);
	return false;
}

static void on_accept(void *arg, struct stream *stream)
{
	struct control *c = arg;
	struct control_conn *conn;

	if (!is_admitted(c, stream)) {
		stream_discard(stream);
		return;
	}
	conn = xnew(conn);
	conn->control = c;
	conn->stream = stream;
	conn->timer.fire = on_timer;
	DL_APPEND(c->conns, conn);
	c->conn_count++;
	patience(conn);
	stream_attach(stream, c->loop, &events, conn);
}

/* --- life --- */

/* The socket as a listener; its strings are to be freed. */
static struct conf_listener address_of(const struct conf *conf)
{
	return (struct conf_listener){
	    .bind = xasprintf("control.socket %s", conf->control_socket),
	    .path = xstrdup(conf->control_socket),
	    .is_unix = true,
	    .mode = 0600,
	};
}

static void address_fini(struct conf_listener *address)
{
	free(address->bind);
	free(address->path);
}

void control_socket_check(const struct conf *conf, bool starts, struct errors *errors)
{
	struct conf_listener address;

	if (conf->control_socket == NULL)
		return;
	address = address_of(conf);
	if (starts) {
		(void)socket_bind_check(&address, true, errors, conf->path);
	} else {
		const char *slash = strrchr(address.path, '/');
		char *directory = slash == NULL
		                      ? xstrdup(".")
		                      : xstrndup(address.path, (size_t)(slash - address.path) + 1);

		(void)conf_check_directory(directory, "control.socket", errors);
		free(directory);
	}
	address_fini(&address);
}

bool control_socket_start(struct loop *loop, struct shared *shared,
                          const struct control_hooks *hooks, struct errors *errors,
                          struct control **out)
{
	const struct conf *conf = hooks->snapshot(hooks->arg)->conf;
	struct listener_settings settings = {.index = 0, .takes_reserve = true};
	struct control *c;
	uint16_t port = 0;
	int fd;

	*out = NULL;
	if (conf->control_socket == NULL)
		return true;
	c = xnew(c);
	c->loop = loop;
	c->executor = loop_executor(loop);
	c->shared = shared;
	c->hooks = *hooks;
	c->started_ms = clock_monotonic_ms();
	c->address = address_of(conf);
	fd = socket_bind(&c->address, &port, true, errors, conf->path);
	if (fd < 0) {
		control_socket_free(c);
		return false;
	}
	settings.conf = &c->address;
	c->listener = listener_open(loop, fd, &settings, on_accept, c);
	*out = c;
	return true;
}

void control_socket_stop(struct control *c)
{
	struct control_conn *conn, *next;

	if (c == NULL)
		return;
	listener_close(c->listener);
	c->listener = NULL;
	DL_FOREACH_SAFE (c->conns, conn, next) {
		close_conn(conn, STOP_MS);
	}
}

void control_socket_free(struct control *c)
{
	if (c == NULL)
		return;
	REQUIRE(c->conns == NULL && c->listener == NULL);
	address_fini(&c->address);
	free(c);
}
