/* Reading, writing, moving and ending a socket.  The descriptor is ours and not libuv's (uv_poll
 * only tells when it is ready), for two reasons: a connection can leave its loop at any moment
 * without duplicating the descriptor, and a wake-up costs exactly one recv() and one send(), into
 * buffers that all connections of a loop share.  on_closed and what is left to do after a stream_*
 * call come from the queues of the loop, once per turn, so that no owner is called from inside its
 * own call.  While nothing changes, no watch is armed again: a pause leaves the watch as it is
 * until the kernel has said a few times that there is something.  What a poll has no time for is
 * queued, too, so that those who come later need not wait for many others. */
#include "net/socket_stream.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/container.h"
#include "base/descriptors.h"
#include "base/require.h"
#include "base/timer.h"
#include "net/fd_watch.h"
#include "net/loop.h"
#include "net/loop_internal.h"
#include "net/output_chain.h"

#define LINGER_BYTES_MAX (1024 * 1024)
#define LINGER_MS_MAX    2000
#define SEND_PIECES      16
/* To stop and start a watch is three system calls; a pause is often over after a turn or two. */
#define EVENTS_IGNORED 4

enum socket_state {
	SOCKET_DETACHED,
	SOCKET_OPEN,
	SOCKET_FLUSHING,  /* stream_close: the output goes out, nothing is read */
	SOCKET_LINGERING, /* FIN sent; what the peer still sends is discarded, or it would lose our
	                     last bytes to a reset */
	SOCKET_ENDED,
};

struct socket_stream {
	struct stream stream;
	struct stream_facts facts;
	struct fd_watch *watch;
	struct loop_job job, output_job;
	struct output_chain out;
	/* on_drained when the backlog has fallen to this; 0: no backlog */
	size_t drain_mark;
	/* Of the output. */
	struct timer deadline;
	/* Bytes that the kernel took. */
	uint64_t taken;
	/* Bytes discarded while lingering. */
	uint32_t lingered;
	int fd;
	uint8_t state, end;
	/* Events that came since bytes were read last. */
	uint8_t ignored;
	bool paused;
	/* It cannot be written to any more; what is there to read is read first. */
	bool broken;
	/* It broke while paused: the stream above gets one on_readable. */
	bool report_broken;
};

static struct socket_stream *socket_of(struct stream *stream)
{
	return container_of(stream, struct socket_stream, stream);
}

static bool reads(const struct socket_stream *s)
{
	return s->state == SOCKET_OPEN && !s->paused;
}

/* --- ending --- */

static void close_fd(struct socket_stream *s)
{
	if (s->fd < 0)
		return;
	close(s->fd);
	s->fd = -1;
	descriptors_count_socket(false);
}

static void end_socket(struct socket_stream *s, enum stream_end end)
{
	if (s->state == SOCKET_ENDED)
		return;
	executor_timer_disarm(s->stream.executor, &s->deadline);
	fd_watch_free(s->watch);
	s->watch = NULL;
	close_fd(s);
	output_chain_fini(&s->out);
	loop_queue_remove(&s->stream.loop->queue, &s->output_job);
	s->state = SOCKET_ENDED;
	s->end = (uint8_t)end;
	loop_add_job(s->stream.loop, &s->job, LOOP_ENDED);
}

static void on_deadline(struct timer *timer, void *executor_arg)
{
	struct socket_stream *s = container_of(timer, struct socket_stream, deadline);

	(void)executor_arg;
	end_socket(s, (enum stream_end)s->end);
}

static void arm_deadline(struct socket_stream *s, uint64_t in_ms)
{
	s->deadline.fire = on_deadline;
	executor_timer_arm(s->stream.executor, &s->deadline, in_ms);
}

/* Discard what has come in since: true while the peer goes on. */
static bool discard_input(struct socket_stream *s)
{
	/* Not the loop's: its owner may be in the middle of it. Small, because the compiler zeroes
	 * it, and most connections have no input left. */
	uint8_t scratch[1024];
	ssize_t n;

	while ((n = recv(s->fd, scratch, sizeof(scratch), MSG_DONTWAIT)) > 0) {
		s->lingered += (uint32_t)n;
		if (s->lingered > LINGER_BYTES_MAX)
			return false;
	}
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* The output is out: FIN. To close while there is unread input would be a reset, and the peer might
 * lose the answer that it did not yet read; so a peer in the middle of sending may finish. */
static void send_fin(struct socket_stream *s)
{
	REQUIRE(s->state == SOCKET_FLUSHING && s->out.len == 0);
	if (shutdown(s->fd, SHUT_WR) != 0 || !discard_input(s) || s->lingered == 0) {
		end_socket(s, (enum stream_end)s->end);
		return;
	}
	s->state = SOCKET_LINGERING;
	if (!timer_is_armed(&s->deadline))
		arm_deadline(s, LINGER_MS_MAX);
	fd_watch_arm(s->watch, FD_WATCH_READ);
}

/* --- output --- */

/* Arm the watch for what is wanted. Reading is switched on where it is wanted, but off only when it
 * bothers (on_event). */
static void update_watch(struct socket_stream *s)
{
	int want;

	if (s->watch == NULL)
		return;
	want = fd_watch_armed(s->watch) & FD_WATCH_READ;
	if (reads(s))
		want |= FD_WATCH_READ;
	if (s->out.len > 0)
		want |= FD_WATCH_WRITE;
	fd_watch_arm(s->watch, want);
}

/* The peer may have said something before it went (a DISCONNECT that cancels its will): read that
 * first, unless the owner does not want to read. A stream above knows which it is. */
static void output_broke(struct socket_stream *s)
{
	bool layered = s->stream.events->on_readable != NULL;

	s->broken = true;
	s->drain_mark = 0;
	output_chain_fini(&s->out);
	if (s->state != SOCKET_OPEN) {
		end_socket(s, (enum stream_end)s->end);
		return;
	}
	if (s->paused && !layered) {
		end_socket(s, STREAM_END_RESET);
		return;
	}
	s->report_broken = s->paused;
	loop_add_job(s->stream.loop, &s->job, LOOP_READY);
}

static bool is_temporary(int error)
{
	return error == EAGAIN || error == EINTR || error == ENOBUFS || error == ENOMEM;
}

static void op_write(struct stream *stream, struct slice bytes)
{
	struct socket_stream *s = socket_of(stream);

	if (bytes.len == 0 || s->broken || s->state != SOCKET_OPEN)
		return;
	if (s->out.len == 0) {
		ssize_t n = send(s->fd, bytes.data, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && !is_temporary(errno)) {
			output_broke(s);
			return;
		}
		s->taken += n < 0 ? 0 : (uint64_t)n;
		bytes = slice_skip(bytes, n < 0 ? 0 : (size_t)n);
		if (bytes.len == 0)
			return;
	}
	output_chain_put(&s->out, bytes);
	s->drain_mark = s->out.len > STREAM_BACKLOG_LOW ? s->out.len / 2 : 0;
	update_watch(s);
}

static void on_output_job(struct loop_job *job, enum loop_place place)
{
	struct socket_stream *s = container_of(job, struct socket_stream, output_job);
	struct iovec pieces[SEND_PIECES];
	struct msghdr message = {.msg_iov = pieces};
	ssize_t sent;

	REQUIRE(place == LOOP_OUTPUT && s->fd >= 0);
	if (s->out.len == 0)
		return;
	message.msg_iovlen = output_chain_peek(&s->out, pieces, SEND_PIECES);
	sent = sendmsg(s->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0 && !is_temporary(errno))
		output_broke(s);
	else
		output_chain_consume(&s->out, sent < 0 ? 0 : (size_t)sent);
	s->taken += sent < 0 ? 0 : (uint64_t)sent;
	if (s->state == SOCKET_FLUSHING && s->out.len == 0) {
		send_fin(s);
		return;
	}
	update_watch(s);
	if (sent > 0 && s->state == SOCKET_OPEN && s->out.len <= s->drain_mark) {
		s->drain_mark = s->out.len > STREAM_BACKLOG_LOW ? s->out.len / 2 : 0;
		(void)stream_call_drained(&s->stream);
	}
}

/* --- input --- */

static ssize_t op_read(struct stream *stream, void *out, size_t cap)
{
	struct socket_stream *s = socket_of(stream);
	ssize_t n;

	if (s->state != SOCKET_OPEN)
		return -1;
	n = recv(s->fd, out, cap, MSG_DONTWAIT);
	if (n > 0) {
		s->facts.undelivered += (uint32_t)n;
		s->facts.heard_ms = stream->executor->now_ms;
		return n;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR) && !s->broken)
		return 0;
	end_socket(s, n == 0 && !s->broken ? STREAM_END_PEER : STREAM_END_RESET);
	return -1;
}

ssize_t socket_stream_peek(struct stream *stream, void *out, size_t cap)
{
	const struct socket_stream *s = socket_of(stream);
	ssize_t n;

	REQUIRE(s->stream.ops == stream->ops && s->fd >= 0);
	n = recv(s->fd, out, cap, MSG_PEEK | MSG_DONTWAIT);
	if (n > 0)
		return n;
	return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static void on_event(void *owner, int events, bool failed)
{
	struct socket_stream *s = owner;
	struct loop *loop = s->stream.loop;
	ssize_t n;

	REQUIRE(s->state != SOCKET_DETACHED && s->state != SOCKET_ENDED);
	if (s->state == SOCKET_LINGERING) {
		if (failed || !discard_input(s))
			end_socket(s, (enum stream_end)s->end);
		return;
	}
	if (failed) /* the calls find out how; read first, then see what is left of it */
		events = FD_WATCH_READ | FD_WATCH_WRITE;
	/* mutant: output_in_the_poll */
	if ((events & FD_WATCH_WRITE) != 0 && s->out.len > 0)
		loop_add_job(loop, &s->output_job, LOOP_OUTPUT);
	if ((events & FD_WATCH_READ) == 0)
		return;
	if (!reads(s) || s->job.place != LOOP_NOT_QUEUED) {
		/* mutant: ignored_events_have_an_end */
		if (++s->ignored > EVENTS_IGNORED && s->watch != NULL)
			fd_watch_arm(s->watch, fd_watch_armed(s->watch) & ~FD_WATCH_READ);
		return;
	}
	s->ignored = 0;
	/* mutant: leaving_like_others */
	if ((events & FD_WATCH_END) != 0) {
		loop_add_job(loop, &s->job, LOOP_LEAVING);
		return;
	}
	if (loop_poll_is_long(loop)) {
		loop_add_job(loop, &s->job, LOOP_INPUT);
		return;
	}
	if (s->stream.events->on_readable != NULL) {
		if (stream_call_readable(&s->stream))
			update_watch(s);
		return;
	}
	n = op_read(&s->stream, loop->in, sizeof(loop->in));
	if (n == 0 || (n > 0 && stream_deliver(&s->stream, loop->in, (size_t)n)))
		update_watch(s);
}

static void on_job(struct loop_job *job, enum loop_place place)
{
	struct socket_stream *s = container_of(job, struct socket_stream, job);

	REQUIRE((place == LOOP_ENDED) == (s->state == SOCKET_ENDED));
	if (place == LOOP_ENDED) {
		stream_call_closed(&s->stream, (enum stream_end)s->end);
		return;
	}
	if (s->report_broken) {
		s->report_broken = false;
		if (stream_call_readable(&s->stream))
			update_watch(s);
	} else if (reads(s)) { /* it may have paused since */
		on_event(s, FD_WATCH_READ, false);
	}
}

/* --- the owner's calls --- */

static size_t op_backlog(const struct stream *stream)
{
	return container_of_const(stream, struct socket_stream, stream)->out.len;
}

/* A Unix socket counts buffers and not bytes: it may be more than was written. */
static uint64_t op_accepted(const struct stream *stream)
{
	const struct socket_stream *s = container_of_const(stream, struct socket_stream, stream);
	int queued = 0;

	if (s->fd < 0 || ioctl(s->fd, SIOCOUTQ, &queued) != 0)
		return s->taken;
	return s->taken - (uint64_t)queued;
}

static void go_on_reading(struct socket_stream *s)
{
	if (s->broken && reads(s))
		loop_add_job(s->stream.loop, &s->job, LOOP_READY);
	update_watch(s);
}

static void op_set_paused(struct stream *stream, bool paused)
{
	struct socket_stream *s = socket_of(stream);
	bool before = s->paused;

	s->paused = paused;
	if (before && !paused && s->state == SOCKET_OPEN)
		go_on_reading(s);
}

static void op_close(struct stream *stream, uint64_t flush_ms)
{
	struct socket_stream *s = socket_of(stream);

	if (s->state != SOCKET_OPEN)
		return;
	loop_queue_remove(&stream->loop->queue, &s->job);
	s->end = STREAM_END_LOCAL;
	s->state = SOCKET_FLUSHING;
	if (s->broken || (s->out.len > 0 && flush_ms == 0)) {
		end_socket(s, STREAM_END_LOCAL);
		return;
	}
	if (flush_ms > 0)
		arm_deadline(s, flush_ms);
	if (s->out.len == 0)
		send_fin(s);
	else
		update_watch(s);
}

static void op_abort(struct stream *stream)
{
	struct socket_stream *s = socket_of(stream);
	struct linger reset = {.l_onoff = 1, .l_linger = 0};

	if (s->state == SOCKET_ENDED)
		return;
	if (s->out.len > 0)
		(void)setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	end_socket(s, STREAM_END_LOCAL);
}

static void op_detach(struct stream *stream)
{
	struct socket_stream *s = socket_of(stream);

	if (s->state == SOCKET_OPEN) {
		fd_watch_free(s->watch);
		s->watch = NULL;
		s->state = SOCKET_DETACHED;
	} else {
		end_socket(s, (enum stream_end)s->end); /* on_closed comes from its new executor */
	}
	loop_queue_remove(&stream->loop->queue, &s->job);
	loop_queue_remove(&stream->loop->queue, &s->output_job);
}

static void op_attach(struct stream *stream)
{
	struct socket_stream *s = socket_of(stream);
	int error;

	if (s->state == SOCKET_ENDED) {
		loop_add_job(stream->loop, &s->job, LOOP_ENDED);
		return;
	}
	REQUIRE(s->state == SOCKET_DETACHED);
	s->state = SOCKET_OPEN;
	s->watch = fd_watch_new(stream->loop, s->fd, on_event, s, &error);
	if (s->watch == NULL)
		end_socket(s, STREAM_END_RESET);
	else
		go_on_reading(s);
}

static void op_free(struct stream *stream)
{
	struct socket_stream *s = socket_of(stream);

	close_fd(s);
	output_chain_fini(&s->out);
	if (s->facts.proxy != NULL)
		s->facts.proxy->free(s->facts.proxy);
	free(s);
}

static const struct stream_ops ops = {
    .read = op_read,
    .write = op_write,
    .backlog = op_backlog,
    .accepted = op_accepted,
    .set_paused = op_set_paused,
    .close = op_close,
    .abort = op_abort,
    .attach = op_attach,
    .detach = op_detach,
    .free = op_free,
};

struct stream *socket_stream_new(int fd, const struct peer_address *peer, unsigned listener)
{
	struct socket_stream *s = xnew(s);

	REQUIRE(fd >= 0);
	s->stream = (struct stream){.ops = &ops, .facts = &s->facts};
	s->facts = (struct stream_facts){.peer = *peer, .listener = listener, .established = true};
	s->job.run = on_job;
	s->output_job.run = on_output_job;
	s->fd = fd;
	descriptors_count_socket(true);
	s->state = SOCKET_DETACHED;
	return &s->stream;
}
