/* The socket and its connections. */
#include "admin/control/control_socket.h"

#include <stdlib.h>
#include <unistd.h>

#include "admin/control/control_query.h"
#include "base/alloc.h"
#include "base/container.h"
#include "base/list.h"
#include "conf/conf_file.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/socket_bind.h"

#define CONNS_MAX   16
#define REQUEST_MAX ((size_t)256 << 10) /* an id or filter of 65,535 bytes, mostly escaped */
#define PATIENCE_MS 10000               /* with who asks or reads nothing */
#define STOP_MS     1000

struct control_socket {
	struct control *control;
	struct loop *loop;
	struct conf_listener address;
	struct listener *listener;
	struct control_conn *conns; /* utlist DL */
	unsigned conn_count;
};

struct control_conn {
	struct control_sink sink;
	struct control_socket *socket;
	struct stream *stream;
	struct control_conn *prev, *next;
	struct buf in;
	struct timer timer;
	bool closing;
};

/* --- writing --- */

static void patience(struct control_conn *conn)
{
	executor_timer_arm(conn->socket->control->executor, &conn->timer, PATIENCE_MS);
}

static void close_conn(struct control_conn *conn, uint64_t flush_ms)
{
	if (conn->closing)
		return;
	conn->closing = true;
	control_query_leave(&conn->sink);
	executor_timer_disarm(conn->socket->control->executor, &conn->timer);
	stream_close(conn->stream, flush_ms);
}

static struct control_conn *conn_of_sink(struct control_sink *sink)
{
	return container_of(sink, struct control_conn, sink);
}

static bool is_full(struct control_sink *sink)
{
	return stream_backlog(conn_of_sink(sink)->stream) > STREAM_BACKLOG_LOW;
}

static void write_lines(struct control_sink *sink, struct slice lines)
{
	struct control_conn *conn = conn_of_sink(sink);

	stream_write(conn->stream, lines);
	if (is_full(sink))
		patience(conn);
}

/* The last line. */
static void finish(struct control_sink *sink, const char *error)
{
	struct control_conn *conn = conn_of_sink(sink);
	struct buf line = {0};

	control_query_put_end(&line, error);
	stream_write(conn->stream, buf_slice(&line));
	buf_fini(&line);
	close_conn(conn, PATIENCE_MS);
}

static const struct control_sink_ops sink_ops = {
    .write = write_lines,
    .is_full = is_full,
    .finish = finish,
};

/* --- requests --- */

static void on_request(struct control_conn *conn, struct slice line)
{
	struct control *c = conn->socket->control;
	char peer[STREAM_PEER_TEXT];
	struct control_asker asker = {.peer = peer, .is_local = true};
	struct json_object request;
	const char *wrong;

	if (!json_parse(line, &request)) {
		finish(&conn->sink, "a request must be a line with a JSON object");
		return;
	}
	stream_peer_text(conn->stream, peer, sizeof(peer));
	executor_timer_disarm(c->executor, &conn->timer);
	wrong = control_query_start(c, &conn->sink, &asker, json_text_of(&request, "command"),
	                            &request);
	if (wrong != NULL)
		finish(&conn->sink, wrong);
}

/* --- connections --- */

static void on_bytes(void *arg, struct slice bytes)
{
	struct control_conn *conn = arg;
	const uint8_t *end;

	if (conn->closing)
		return;
	if (conn->sink.query != NULL || conn->in.len + bytes.len > REQUEST_MAX) {
		close_conn(conn, 0);
		return;
	}
	buf_put_slice(&conn->in, bytes);
	end = memchr(conn->in.data, '\n', conn->in.len);
	if (end == NULL)
		return;
	if (end + 1 != conn->in.data + conn->in.len)
		finish(&conn->sink, "only one request per connection");
	else
		on_request(conn, slice_of(conn->in.data, conn->in.len - 1));
}

static void on_drained(void *arg)
{
	struct control_conn *conn = arg;

	if (conn->closing)
		return;
	if (conn->sink.query != NULL && !is_full(&conn->sink))
		executor_timer_disarm(conn->socket->control->executor, &conn->timer);
	control_query_go_on(&conn->sink);
}

static void on_closed(void *arg, enum stream_end end)
{
	struct control_conn *conn = arg;
	struct control_socket *socket = conn->socket;

	(void)end;
	conn->closing = true;
	executor_timer_disarm(socket->control->executor, &conn->timer);
	control_query_leave(&conn->sink);
	DL_DELETE(socket->conns, conn);
	REQUIRE(socket->conn_count > 0);
	socket->conn_count--;
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
static bool is_admitted(const struct control_socket *socket, const struct stream *stream)
{
	struct slice key = stream_peer_key(stream);
	char peer[STREAM_PEER_TEXT];
	uint32_t uid;

	REQUIRE(key.len == sizeof(uid));
	memcpy(&uid, key.data, sizeof(uid));
	if (uid == 0 || uid == geteuid())
		return socket->conn_count < CONNS_MAX;
	stream_peer_text(stream, peer, sizeof(peer));
	LOG(CONTROL_REFUSED, .peer = peer);
	return false;
}

static void on_accept(void *arg, struct stream *stream)
{
	struct control_socket *socket = arg;
	struct control_conn *conn;

	if (!is_admitted(socket, stream)) {
		stream_discard(stream);
		return;
	}
	conn = xnew(conn);
	conn->sink.ops = &sink_ops;
	conn->socket = socket;
	conn->stream = stream;
	conn->timer.fire = on_timer;
	DL_APPEND(socket->conns, conn);
	socket->conn_count++;
	patience(conn);
	stream_attach(stream, socket->loop, &events, conn);
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

bool control_socket_start(struct loop *loop, struct control *control, struct errors *errors,
                          struct control_socket **out)
{
	const struct conf *conf = control->hooks.snapshot(control->hooks.arg)->conf;
	struct listener_settings settings = {.index = 0, .takes_reserve = true};
	struct control_socket *socket;
	uint16_t port = 0;
	int fd;

	REQUIRE(loop_executor(loop) == control->executor);
	*out = NULL;
	if (conf->control_socket == NULL)
		return true;
	socket = xnew(socket);
	socket->control = control;
	socket->loop = loop;
	socket->address = address_of(conf);
	fd = socket_bind(&socket->address, &port, true, errors, conf->path);
	if (fd < 0) {
		control_socket_free(socket);
		return false;
	}
	settings.conf = &socket->address;
	socket->listener = listener_open(loop, fd, &settings, on_accept, socket);
	*out = socket;
	return true;
}

void control_socket_stop(struct control_socket *socket)
{
	struct control_conn *conn, *next;

	if (socket == NULL)
		return;
	listener_close(socket->listener);
	socket->listener = NULL;
	DL_FOREACH_SAFE (socket->conns, conn, next) {
		close_conn(conn, STOP_MS);
	}
}

void control_socket_free(struct control_socket *socket)
{
	if (socket == NULL)
		return;
	REQUIRE(socket->conns == NULL && socket->listener == NULL);
	address_fini(&socket->address);
	free(socket);
}
