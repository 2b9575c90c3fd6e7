/* Reading, writing, moving and ending a socket.  on_closed and what is left to do after a stream_*
 * call come from the queues, once per turn, so that no owner is called from inside his own call.
 * While nothing changes, nothing is armed anew: a pause leaves the watch as it is until the kernel
 * really has something. */
#include "net/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/require.h"
#include "net/loop_internal.h"

/* Handshakes may take this much of a turn; those who are in already do not wait longer. */
#define HANDSHAKE_NS_PER_TURN ((uint64_t)2000000)
/* So may those who had their share of the last turn already. */
#define LATER_NS_PER_TURN ((uint64_t)1000000)
#define LINGER_BYTES_MAX  (1024 * 1024)
#define LINGER_MS_MAX     2000
#define SEND_PIECES       16

void sock_init(struct sock *s, const struct stream_ops *ops, const struct sock_layer *layer, int fd,
               unsigned listener)
{
	*s = (struct sock){.layer = layer, .fd = fd, .state = SOCK_DETACHED};
	s->stream = (struct stream){.ops = ops, .listener = listener};
}

/* --- queues --- */

static struct sock_queue *queue_of(struct loop *loop, unsigned place)
{
	if (place == PLACE_READY)
		return &loop->ready;
	if (place == PLACE_LATER)
		return &loop->later;
	return place == PLACE_HANDSHAKES ? &loop->handshakes : &loop->ended;
}

static void unqueue(struct sock *s)
{
	struct sock_queue *q;

	if (s->place == PLACE_NONE)
		return;
	q = queue_of(s->loop, s->place);
	TAILQ_REMOVE(&q->list, s, queued);
	q->count--;
	s->place = PLACE_NONE;
}

void sock_queue(struct sock *s, enum sock_place place)
{
	struct sock_queue *q = queue_of(s->loop, place);

	if (s->place == place)
		return;
	unqueue(s);
	TAILQ_INSERT_TAIL(&q->list, s, queued);
	q->count++;
	s->place = (uint8_t)place;
	loop_kick(s->loop);
}

bool sock_queues_wait(const struct loop *loop)
{
	return loop->ready.count + loop->handshakes.count + loop->later.count + loop->ended.count >
	       0;
}

static struct sock *queue_take(struct sock_queue *q)
{
	struct sock *s = TAILQ_FIRST(&q->list);

	if (s != NULL)
		unqueue(s);
	return s;
}

static void free_sock(struct sock *s)
{
	chain_fini(&s->out);
	s->layer->free(s);
}

static void report_ended(struct sock *s)
{
	s->stream.events->on_closed(s->stream.arg, (enum stream_end)s->end);
	free_sock(s);
}

static void go_on_reading(struct sock *s)
{
	if (sock_reads(s)) /* it may have paused since */
		s->layer->readable(s);
}

static void go_on_shaking(struct sock *s)
{
	s->layer->handshake(s);
}

/* The first `count` of them, for at most so long. Who comes back is last. */
static void run_some(struct sock_queue *q, size_t count, uint64_t ns, void (*run)(struct sock *s))
{
	uint64_t until;
	struct sock *s;

	if (count == 0)
		return;
	until = clock_monotonic_ns() + ns;
	do {
		s = queue_take(q);
		if (s == NULL)
			break;
		run(s);
	} while (--count > 0 && clock_monotonic_ns() < until);
}

/* Only those that wait now: what these callbacks add has its turn next time. */
void sock_run_queues(struct loop *loop)
{
	size_t ready = loop->ready.count, handshakes = loop->handshakes.count;
	size_t later = loop->later.count, ended = loop->ended.count;
	struct sock *s;

	for (; ready > 0 && (s = queue_take(&loop->ready)) != NULL; ready--)
		go_on_reading(s);
	run_some(&loop->handshakes, handshakes, HANDSHAKE_NS_PER_TURN, go_on_shaking);
	run_some(&loop->later, later, LATER_NS_PER_TURN, go_on_reading);
	for (; ended > 0 && (s = queue_take(&loop->ended)) != NULL; ended--)
		report_ended(s);
}

/* --- ending --- */

void sock_end(struct sock *s, enum stream_end end)
{
	if (s->state == SOCK_ENDED)
		return;
	executor_timer_disarm(s->loop->executor, &s->deadline);
	s->delayed = false;
	watch_free(s->watch);
	s->watch = NULL;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	chain_fini(&s->out);
	s->state = SOCK_ENDED;
	s->end = (uint8_t)end;
	sock_queue(s, PLACE_ENDED);
}

static void on_deadline(struct timer *timer, void *executor_arg)
{
	struct sock *s = container_of(timer, struct sock, deadline);

	(void)executor_arg;
	sock_end(s, (enum stream_end)s->end);
}

static void arm_deadline(struct sock *s, uint64_t in_ms)
{
	s->deadline.fire = on_deadline;
	executor_timer_arm(s->loop->executor, &s->deadline, in_ms);
}

static void end_delay(struct sock *s)
{
	if (!s->delayed)
		return;
	s->delayed = false;
	executor_timer_disarm(s->loop->executor, &s->deadline);
}

/* What has come in since is thrown away: true while the peer goes on. */
static bool discard_input(struct sock *s)
{
	uint8_t scratch[4096]; /* not the loop's: its owner may be in the middle of it */
	ssize_t n;

	while ((n = recv(s->fd, scratch, sizeof(scratch), MSG_DONTWAIT)) > 0) {
		s->lingered += (uint32_t)n;
		if (s->lingered > LINGER_BYTES_MAX)
			return false;
	}
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* The output is out: FIN. To close while there is input unread would be a reset, and the peer might
 * lose the answer that it did not yet read; so a peer in the middle of sending is let finish. */
static void say_fin(struct sock *s)
{
	if (shutdown(s->fd, SHUT_WR) != 0 || !discard_input(s) || s->lingered == 0) {
		sock_end(s, (enum stream_end)s->end);
		return;
	}
	s->state = SOCK_LINGERING;
	if (!timer_is_armed(&s->deadline))
		arm_deadline(s, LINGER_MS_MAX);
	watch_arm(s->watch, WATCH_READ);
}

void sock_close(struct sock *s, enum stream_end end, uint64_t flush_ms)
{
	if (s->state != SOCK_OPEN)
		return;
	unqueue(s);
	end_delay(s);
	s->end = (uint8_t)end;
	s->layer->goodbye(s);
	if (s->state != SOCK_OPEN)
		return;
	s->state = SOCK_FLUSHING;
	if (s->broken || (s->out.len > 0 && flush_ms == 0)) {
		sock_end(s, end);
		return;
	}
	if (flush_ms > 0)
		arm_deadline(s, flush_ms);
	if (s->out.len == 0)
		say_fin(s);
	else
		sock_update(s);
}

/* --- input and output --- */

bool sock_reads(const struct sock *s)
{
	return s->state == SOCK_OPEN && !s->paused && !s->delayed;
}

/* Reading is switched on where it is wanted, but off only when it bothers (on_event). */
void sock_update(struct sock *s)
{
	int want;

	if (s->watch == NULL)
		return;
	want = watch_armed(s->watch) & WATCH_READ;
	if (sock_reads(s))
		want |= WATCH_READ;
	if (s->out.len > 0)
		want |= WATCH_WRITE;
	watch_arm(s->watch, want);
}

void sock_call_begin(struct sock *s)
{
	s->loop->current = s;
}

bool sock_call_done(struct loop *loop, struct sock *s)
{
	bool still_ours = loop->current == s;

	loop->current = NULL;
	return still_ours;
}

ssize_t sock_recv(struct sock *s, void *out, size_t cap)
{
	ssize_t n = recv(s->fd, out, cap, MSG_DONTWAIT);

	if (n > 0)
		return n;
	if (n < 0 && (errno == EAGAIN || errno == EINTR) && !s->broken)
		return 0;
	sock_end(s, n == 0 && !s->broken ? STREAM_END_PEER : STREAM_END_RESET);
	return -1;
}

/* The peer may have said something before it went (a DISCONNECT that cancels its will): read that
 * first, unless the owner does not want to read. */
static void output_broke(struct sock *s)
{
	s->broken = true;
	s->drain_mark = 0;
	chain_fini(&s->out);
	if (!sock_reads(s))
		sock_end(s, s->state == SOCK_OPEN ? STREAM_END_RESET : (enum stream_end)s->end);
	else
		sock_queue(s, PLACE_READY);
}

static bool is_temporary(int error)
{
	return error == EAGAIN || error == EINTR || error == ENOBUFS || error == ENOMEM;
}

void sock_send(struct sock *s, struct slice bytes)
{
	if (bytes.len == 0 || s->broken || (s->state != SOCK_OPEN && s->state != SOCK_FLUSHING))
		return;
	if (s->out.len == 0) {
		ssize_t n = send(s->fd, bytes.data, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && !is_temporary(errno)) {
			output_broke(s);
			return;
		}
		bytes = slice_skip(bytes, n < 0 ? 0 : (size_t)n);
		if (bytes.len == 0)
			return;
	}
	chain_put(&s->out, bytes);
	s->drain_mark = s->out.len > STREAM_BACKLOG_LOW ? s->out.len / 2 : 0;
	sock_update(s);
}

static bool send_chain(struct sock *s)
{
	struct iovec pieces[SEND_PIECES];
	struct msghdr message = {.msg_iov = pieces};
	ssize_t n;

	message.msg_iovlen = chain_peek(&s->out, pieces, SEND_PIECES);
	n = sendmsg(s->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && !is_temporary(errno)) {
		output_broke(s);
		return false;
	}
	chain_consume(&s->out, n < 0 ? 0 : (size_t)n);
	return n > 0;
}

/* True: the owner was told, and the stream is still ours and open. */
static bool report_drained(struct sock *s)
{
	struct loop *loop = s->loop;

	s->drain_mark = s->out.len > STREAM_BACKLOG_LOW ? s->out.len / 2 : 0;
	sock_call_begin(s);
	s->stream.events->on_drained(s->stream.arg);
	return sock_call_done(loop, s) && s->state == SOCK_OPEN;
}

/* True: the stream is still ours and open. */
static bool on_writable(struct sock *s)
{
	bool sent = s->out.len > 0 && send_chain(s);

	if (s->state == SOCK_FLUSHING && s->out.len == 0) {
		say_fin(s);
		return false;
	}
	sock_update(s);
	if (sent && s->state == SOCK_OPEN && s->out.len <= s->drain_mark)
		return report_drained(s);
	return s->state == SOCK_OPEN;
}

static void on_readable(struct sock *s)
{
	/* Not wanted: from here on the kernel is not asked any more. */
	if (!sock_reads(s) || s->place == PLACE_HANDSHAKES || s->place == PLACE_LATER) {
		if (s->watch != NULL)
			watch_arm(s->watch, watch_armed(s->watch) & ~WATCH_READ);
		return;
	}
	s->layer->readable(s);
}

static void on_linger(struct sock *s, bool failed)
{
	if (failed || !discard_input(s))
		sock_end(s, (enum stream_end)s->end);
}

static void on_event(void *owner, int events, bool failed)
{
	struct sock *s = owner;

	if (s->state == SOCK_LINGERING) {
		on_linger(s, failed);
		return;
	}
	if (failed) /* the calls find out how; read first, then see what is left of it */
		events = WATCH_READ | WATCH_WRITE;
	if ((events & WATCH_WRITE) != 0 && s->out.len > 0 && !on_writable(s))
		return;
	if ((events & WATCH_READ) != 0)
		on_readable(s);
}

/* --- what a stream's owner asks --- */

static struct sock *sock_of(struct stream *stream)
{
	return (struct sock *)stream; /* its first member */
}

static const struct sock *sock_of_const(const struct stream *stream)
{
	return (const struct sock *)stream;
}

size_t sock_op_backlog(const struct stream *stream)
{
	return sock_of_const(stream)->out.len;
}

void sock_op_pause(struct stream *stream)
{
	sock_of(stream)->paused = true;
}

static void go_on(struct sock *s)
{
	if (!sock_reads(s))
		return;
	if (s->place == PLACE_NONE && (s->broken || s->layer->has_more(s)))
		sock_queue(s, PLACE_READY);
}

static void on_delay(struct timer *timer, void *executor_arg)
{
	struct sock *s = container_of(timer, struct sock, deadline);

	(void)executor_arg;
	s->delayed = false;
	go_on(s);
	sock_update(s);
}

void sock_delay(struct sock *s, uint64_t ms)
{
	s->delayed = true;
	s->deadline.fire = on_delay;
	executor_timer_arm(s->loop->executor, &s->deadline, ms);
}

void sock_op_resume(struct stream *stream)
{
	struct sock *s = sock_of(stream);

	if (!s->paused)
		return;
	s->paused = false;
	if (s->state != SOCK_OPEN)
		return;
	go_on(s);
	sock_update(s);
}

void sock_op_close(struct stream *stream, uint64_t flush_ms)
{
	sock_close(sock_of(stream), STREAM_END_LOCAL, flush_ms);
}

void sock_op_abort(struct stream *stream)
{
	struct sock *s = sock_of(stream);
	struct linger reset = {.l_onoff = 1, .l_linger = 0};

	if (s->state == SOCK_ENDED || s->state == SOCK_DETACHED)
		return;
	if (s->out.len > 0)
		(void)setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	sock_end(s, STREAM_END_LOCAL);
}

void sock_op_detach(struct stream *stream)
{
	struct sock *s = sock_of(stream);

	REQUIRE(s->loop != NULL);
	REQUIRE_EXECUTOR(s->loop->executor);
	end_delay(s);
	if (s->state == SOCK_OPEN) {
		s->layer->keep_rest(s);
		watch_free(s->watch);
		s->watch = NULL;
		s->state = SOCK_DETACHED;
	} else {
		sock_end(s, (enum stream_end)s->end); /* its new executor will be told */
	}
	unqueue(s);
	if (s->loop->current == s)
		s->loop->current = NULL;
	s->loop = NULL;
}

void sock_op_attach(struct stream *stream, struct loop *loop)
{
	struct sock *s = sock_of(stream);
	int error;

	REQUIRE(s->loop == NULL);
	REQUIRE_EXECUTOR(loop->executor);
	s->loop = loop;
	if (s->state == SOCK_ENDED) {
		sock_queue(s, PLACE_ENDED);
		return;
	}
	s->state = SOCK_OPEN;
	s->watch = watch_new(loop, s->fd, on_event, s, &error);
	if (s->watch == NULL) {
		sock_end(s, STREAM_END_RESET);
		return;
	}
	go_on(s);
	sock_update(s);
}

void sock_op_discard(struct stream *stream)
{
	struct sock *s = sock_of(stream);

	REQUIRE(s->loop == NULL);
	if (s->fd >= 0)
		close(s->fd);
	free_sock(s);
}

size_t sock_op_peer_text(const struct stream *stream, char *out, size_t cap)
{
	return peer_text(&sock_of_const(stream)->peer, out, cap);
}

struct slice sock_op_peer_key(const struct stream *stream)
{
	return peer_key(&sock_of_const(stream)->peer);
}
