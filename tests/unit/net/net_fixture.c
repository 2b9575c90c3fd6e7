#include "net_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/list.h"

/* --- facts --- */

static void report(struct net_fixture *h, unsigned *counter)
{
	mutex_lock(&h->lock);
	(*counter)++;
	condition_broadcast(&h->changed);
	mutex_unlock(&h->lock);
}

void net_fixture_wait(struct net_fixture *h, const unsigned *counter, unsigned n)
{
	uint64_t until = clock_monotonic_ms() + PATIENCE_MS;
	bool there;

	mutex_lock(&h->lock);
	while (*counter < n && clock_monotonic_ms() < until)
		condition_wait_for(&h->changed, &h->lock, 100);
	there = *counter >= n;
	mutex_unlock(&h->lock);
	assert_true(there);
}

void net_fixture_set_fact(struct net_fixture *h, unsigned fact, uint64_t n)
{
	mutex_lock(&h->lock);
	h->facts[fact] = n;
	condition_broadcast(&h->changed);
	mutex_unlock(&h->lock);
}

void net_fixture_wait_fact(struct net_fixture *h, unsigned fact, uint64_t n)
{
	uint64_t until = clock_monotonic_ms() + PATIENCE_MS;
	bool there;

	mutex_lock(&h->lock);
	while (h->facts[fact] < n && clock_monotonic_ms() < until)
		condition_wait_for(&h->changed, &h->lock, 100);
	there = h->facts[fact] >= n;
	mutex_unlock(&h->lock);
	assert_true(there);
}

uint64_t net_fixture_random(struct net_fixture_conn *c)
{
	c->random ^= c->random << 13;
	c->random ^= c->random >> 7;
	c->random ^= c->random << 17;
	return c->random;
}

/* --- connections --- */

static void free_conn(struct net_fixture_conn *c)
{
	executor_timer_disarm(&c->at->executor, &c->timer);
	DL_DELETE(c->at->conns, c);
	free(c);
}

static void on_bytes(void *arg, struct slice bytes)
{
	struct net_fixture_conn *c = arg;

	REQUIRE_EXECUTOR(&c->at->executor);
	REQUIRE(!c->moving);
	c->bytes += bytes.len;
	c->fixture->rules.on_bytes(c, bytes);
}

static void on_drained(void *arg)
{
	struct net_fixture_conn *c = arg;
	struct net_fixture *h = c->fixture;

	REQUIRE_EXECUTOR(&c->at->executor);
	if (h->rules.on_drained != NULL)
		h->rules.on_drained(c);
	report(h, &h->drained);
}

static void on_closed(void *arg, enum stream_end end)
{
	struct net_fixture_conn *c = arg;
	struct net_fixture *h = c->fixture;

	REQUIRE_EXECUTOR(&c->at->executor);
	REQUIRE(!c->moving);
	mutex_lock(&h->lock);
	h->last_end = end;
	h->bytes += c->bytes;
	mutex_unlock(&h->lock);
	free_conn(c);
	report(h, &h->ended);
}

static const struct stream_events events = {
    .on_bytes = on_bytes,
    .on_drained = on_drained,
    .on_closed = on_closed,
};

static void attach_conn(struct net_fixture_worker *w, struct net_fixture_conn *c)
{
	c->at = w;
	DL_APPEND(w->conns, c);
	stream_attach(c->stream, w->loop, &events, c);
}

static bool is_stopping(struct net_fixture *h)
{
	bool stopping;

	mutex_lock(&h->lock);
	stopping = h->stopping;
	mutex_unlock(&h->lock);
	return stopping;
}

static void on_arrival(struct task *task, void *executor_arg)
{
	struct net_fixture_conn *c = container_of(task, struct net_fixture_conn, task);

	c->moving = false;
	attach_conn(executor_arg, c);
	if (is_stopping(c->fixture))
		stream_abort(c->stream);
}

void net_fixture_move(struct net_fixture_conn *c)
{
	struct net_fixture_worker *from = c->at,
				  *to = &c->fixture->workers[1 - from->executor.index];

	executor_timer_disarm(&from->executor, &c->timer);
	DL_DELETE(from->conns, c);
	stream_detach(c->stream);
	c->moving = true;
	c->task.run = on_arrival;
	executor_send(&to->executor, &c->task);
}

void net_fixture_echo(struct net_fixture_conn *c, struct slice bytes)
{
	stream_note_packet(c->stream); /* whatever it says is understood */
	stream_write(c->stream, bytes);
}

static void on_accept(void *arg, struct stream *stream)
{
	struct net_fixture *h = arg;
	struct net_fixture_conn *c = xnew(c);

	c->fixture = h;
	c->stream = stream;
	c->random = 88172645463325252u;
	attach_conn(&h->workers[0], c);
	if (h->rules.on_open != NULL)
		h->rules.on_open(c);
	report(h, &h->opened);
}

/* --- start and stop --- */

static void *run_worker(void *arg)
{
	struct net_fixture_worker *w = arg;

	loop_run(w->loop);
	return NULL;
}

static void start_worker(struct net_fixture *h, unsigned i)
{
	struct net_fixture_worker *w = &h->workers[i];
	int error;

	w->fixture = h;
	executor_init(&w->executor, i, NULL, w);
	w->loop = loop_new(&w->executor, &error);
	assert_non_null(w->loop);
	assert_ptr_equal(loop_executor(w->loop), &w->executor);
}

struct worker_task {
	struct task task;
	struct net_fixture *fixture;
};

static void open_listener(struct task *task, void *executor_arg)
{
	struct net_fixture *h = container_of(task, struct worker_task, task)->fixture;
	struct listener_settings settings = {.conf = &h->conf, .index = 7, .tls = h->tls};
	struct net_fixture_worker *w = executor_arg;

	h->listener = listener_open(w->loop, h->listen_fd, &settings, on_accept, h);
	free(container_of(task, struct worker_task, task));
}

static void stop_worker(struct task *task, void *executor_arg)
{
	struct worker_task *message = container_of(task, struct worker_task, task);
	struct net_fixture_worker *w = executor_arg;
	struct net_fixture_conn *c;

	if (w->executor.index == 0) {
		listener_close(message->fixture->listener);
		message->fixture->listener = NULL;
	}
	DL_FOREACH (w->conns, c) {
		stream_abort(c->stream);
	}
	report(message->fixture, &message->fixture->shut);
	free(message);
}

static void send_to_worker(struct net_fixture *h, unsigned worker, task_fn *fn)
{
	struct worker_task *message = xnew(message);

	message->fixture = h;
	message->task.run = fn;
	executor_send(&h->workers[worker].executor, &message->task);
}

static void make_listener(struct net_fixture *h, const char *path)
{
	struct errors errors = {0};

	if (path != NULL) {
		h->conf = (struct conf_listener){.bind = xasprintf("unix:%s", path),
		                                 .is_unix = true,
		                                 .path = xstrdup(path),
		                                 .mode = 0660};
	} else {
		h->conf = (struct conf_listener){
		    .bind = xstrdup("127.0.0.1:0"), .host = xstrdup("127.0.0.1"), .has_tls = true};
	}
	if (h->rules.configure != NULL)
		h->rules.configure(&h->conf);
	h->listen_fd = socket_bind(&h->conf, &h->port, true, &errors, "test.yaml");
	if (h->listen_fd < 0)
		fail_msg("%s", errors_text(&errors));
	errors_fini(&errors);
}

void net_fixture_start(struct net_fixture *h, const struct net_fixture_rules *rules,
                       struct tls_context *tls, const char *path)
{
	*h = (struct net_fixture){.rules = *rules};
	if (h->rules.on_bytes == NULL)
		h->rules.on_bytes = net_fixture_echo;
	mutex_init(&h->lock, LOCK_UNRANKED);
	condition_init(&h->changed);
	if (tls != NULL)
		h->tls = tls_context_ref(tls);
	make_listener(h, path);
	for (unsigned i = 0; i < NET_FIXTURE_WORKERS; i++)
		start_worker(h, i);
	send_to_worker(h, 0, open_listener);
	for (unsigned i = 0; i < NET_FIXTURE_WORKERS; i++)
		assert_int_equal(
		    thread_start(&h->workers[i].thread, "net_fixture", run_worker, &h->workers[i]),
		    0);
}

void net_fixture_stop(struct net_fixture *h)
{
	unsigned opened;

	mutex_lock(&h->lock);
	h->stopping = true; /* for those between two executors */
	mutex_unlock(&h->lock);
	for (unsigned i = 0; i < NET_FIXTURE_WORKERS; i++)
		send_to_worker(h, i, stop_worker);
	net_fixture_wait(h, &h->shut, NET_FIXTURE_WORKERS);
	mutex_lock(&h->lock);
	opened = h->opened;
	mutex_unlock(&h->lock);
	net_fixture_wait(h, &h->ended, opened);
	for (unsigned i = 0; i < NET_FIXTURE_WORKERS; i++)
		loop_stop(h->workers[i].loop);
	for (unsigned i = 0; i < NET_FIXTURE_WORKERS; i++) {
		thread_join(&h->workers[i].thread);
		loop_free(h->workers[i].loop);
		executor_fini(&h->workers[i].executor);
		assert_null(h->workers[i].conns);
	}
	tls_context_unref(&h->tls);
	free(h->conf.bind);
	free(h->conf.host);
	free(h->conf.path);
	condition_fini(&h->changed);
	mutex_fini(&h->lock);
}

/* --- the log --- */

#define LINES_MAX 256

static struct mutex log_lock = MUTEX_INITIALIZER(LOCK_UNRANKED);
static struct {
	enum event event;
	char *line;
} lines[LINES_MAX];
static unsigned line_count;

static void on_line(void *arg, enum event e, struct slice line)
{
	(void)arg;
	mutex_lock(&log_lock);
	if (line_count < LINES_MAX) {
		lines[line_count].event = e;
		lines[line_count++].line = slice_dup(line);
	}
	mutex_unlock(&log_lock);
}

void net_fixture_log_start(void)
{
	log_set_sink(on_line, NULL);
}

void net_fixture_log_clear(void)
{
	mutex_lock(&log_lock);
	while (line_count > 0)
		free(lines[--line_count].line);
	mutex_unlock(&log_lock);
}

void net_fixture_log_stop(void)
{
	log_set_sink(NULL, NULL);
	net_fixture_log_clear();
}

static const char *find_line(enum event e, const char *text)
{
	for (unsigned i = 0; i < line_count; i++) {
		if (lines[i].event == e && strstr(lines[i].line, text) != NULL)
			return lines[i].line;
	}
	return NULL;
}

const char *net_fixture_log_wait(enum event e, const char *text)
{
	uint64_t until = clock_monotonic_ms() + PATIENCE_MS;
	const char *found = NULL;

	while (found == NULL && clock_monotonic_ms() < until) {
		mutex_lock(&log_lock);
		found = find_line(e, text);
		mutex_unlock(&log_lock);
		if (found == NULL)
			usleep(1000);
	}
	if (found == NULL) {
		for (unsigned i = 0; i < line_count; i++)
			print_message("# %s", lines[i].line);
		fail_msg("no line of %s with '%s'", event_name(e), text);
	}
	return found;
}

unsigned net_fixture_log_count(enum event e)
{
	unsigned n = 0;

	mutex_lock(&log_lock);
	for (unsigned i = 0; i < line_count; i++)
		n += lines[i].event == e;
	mutex_unlock(&log_lock);
	return n;
}
