/* What is in the socket is looked at first and then taken exactly as far as the header goes, so
 * that nothing has to be given back: the handshake that follows finds the socket as if there had
 * been no header. */
#include "net/proxy/proxy_stage.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/container.h"
#include "base/executor.h"
#include "base/list.h"
#include "base/require.h"
#include "base/scratch.h"
#include "net/loop_internal.h"
#include "net/socket_stream.h"

struct waiting_header {
	struct waiting_header *prev, *next;
	struct proxy_stage *stage;
	struct stream *socket;
	struct timer deadline;
	struct buf bytes; /* of the header, as far as it has come */
};

struct proxy_stage {
	struct loop *loop;
	const struct proxy_stage_events *events;
	void *arg;
	struct waiting_header *all; /* the one that has waited longest first */
	unsigned count;
};

/* It leaves the stage; its socket does not. */
static void forget(struct waiting_header *h)
{
	executor_timer_disarm(h->stage->loop->executor, &h->deadline);
	DL_DELETE(h->stage->all, h);
	h->stage->count--;
	buf_fini(&h->bytes);
	free(h);
}

static void discard(struct waiting_header *h)
{
	struct stream *socket = h->socket;

	forget(h);
	stream_detach(socket);
	stream_discard(socket);
}

static void refuse(struct waiting_header *h, const char *cause)
{
	h->stage->events->on_refused(h->stage->arg, &h->socket->facts->peer, cause);
	discard(h);
}

static void on_deadline(struct timer *timer, void *executor_arg)
{
	struct waiting_header *h = container_of(timer, struct waiting_header, deadline);

	(void)executor_arg;
	refuse(h,
	       h->bytes.len == 0
	           ? "no PROXY header came within limits.connect_timeout: let the proxy send one, "
	             "or take proxy_protocol out of this listener"
	           : "the PROXY header was not whole within limits.connect_timeout");
}

/* Take what belongs to the header. False: it has ended, and on_closed comes. */
static bool take_bytes(struct waiting_header *h, size_t len)
{
	uint8_t taken[PROXY_HEADER_MAX] UNINITIALIZED;

	while (len > 0) {
		ssize_t n = stream_read(h->socket, taken, len);

		if (n <= 0)
			return false;
		len -= (size_t)n;
	}
	return true;
}

static void on_readable(void *arg)
{
	struct waiting_header *h = arg;
	uint8_t seen[PROXY_HEADER_MAX] UNINITIALIZED;
	struct proxy_header header;
	size_t before = h->bytes.len;
	ssize_t n = socket_stream_peek(h->socket, seen, PROXY_HEADER_MAX - before);

	if (n == 0)
		return;
	if (n < 0) { /* a peer that looks whether the port is open: on_closed comes */
		stream_abort(h->socket);
		return;
	}
	buf_put(&h->bytes, seen, (size_t)n);
	switch (proxy_header_parse(buf_slice(&h->bytes), &header)) {
	case PROXY_HEADER_BAD:
		refuse(h, header.cause);
		return;
	case PROXY_HEADER_INCOMPLETE:
		REQUIRE(h->bytes.len < PROXY_HEADER_MAX);
		(void)take_bytes(h, (size_t)n);
		return;
	case PROXY_HEADER_COMPLETE:
		break;
	}
	/* mutant: nothing_of_the_client_is_taken */
	if (take_bytes(h, header.len - before)) {
		struct proxy_stage *stage = h->stage;
		struct stream *socket = h->socket;
		struct buf bytes = h->bytes;

		h->bytes = (struct buf){0};
		forget(h);
		stream_detach(socket);
		stage->events->on_header(stage->arg, socket, &header);
		buf_fini(&bytes);
	}
}

static void on_closed(void *arg, enum stream_end end)
{
	struct waiting_header *h = arg;

	(void)end;
	if (h->bytes.len > 0)
		h->stage->events->on_refused(h->stage->arg, &h->socket->facts->peer,
		                             "the connection ended within the PROXY header");
	forget(h);
}

static const struct stream_events socket_events = {.on_readable = on_readable,
                                                   .on_closed = on_closed};

struct proxy_stage *proxy_stage_new(struct loop *loop, const struct proxy_stage_events *events,
                                    void *arg)
{
	struct proxy_stage *stage = xnew(stage);

	stage->loop = loop;
	stage->events = events;
	stage->arg = arg;
	return stage;
}

void proxy_stage_add(struct proxy_stage *stage, struct stream *socket, uint64_t timeout_ms)
{
	struct waiting_header *h = xnew(h);

	REQUIRE_EXECUTOR(stage->loop->executor);
	if (stage->count >= PROXY_STAGE_MAX)
		refuse(stage->all, "too many connections wait for their PROXY header, and this one "
		                   "has waited longest");
	h->stage = stage;
	h->socket = socket;
	h->deadline.fire = on_deadline;
	/* The one that was refused has left the list. NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
	DL_APPEND(stage->all, h);
	stage->count++;
	executor_timer_arm(stage->loop->executor, &h->deadline, timeout_ms);
	socket->facts->accepted_ms = stage->loop->executor->now_ms;
	stream_attach(socket, stage->loop, &socket_events, h);
}

void proxy_stage_free(struct proxy_stage *stage)
{
	if (stage == NULL)
		return;
	while (stage->all != NULL)
		discard(stage->all); /* NOLINT(clang-analyzer-unix.Malloc): it leaves the list */
	free(stage);
}
