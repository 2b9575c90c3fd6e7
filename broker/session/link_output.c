/* One sum, one charge: what a connection has is added up again whenever some of it changed, so that
 * nothing is forgotten. */
#include "session/link_output.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/array.h"
#include "session/trace.h"
#include "worker/memory_quota.h"

#define SPARE_BUFFER_MAX ((size_t)65536)
#define SPARE_BYTES_MAX  ((size_t)1 << 20) /* of all of them */
/* Why nothing more is written to it. */
#define READS_SLOWLY "the client does not read fast enough"

void link_output_init(struct worker *w)
{
	w->output = xnew(w->output);
}

void link_output_fini(struct worker *w)
{
	REQUIRE(w->output->dirty == NULL && w->output->review == NULL);
	for (unsigned i = 0; i < w->output->spare_count; i++)
		buf_fini(&w->output->spare[i]);
	free(w->output);
}

/* --- buffers --- */

static struct buf take_buffer(struct worker_output *output)
{
	struct buf b = {0};

	if (output->spare_count > 0)
		b = output->spare[--output->spare_count];
	output->spare_bytes -= b.cap;
	return b;
}

static void give_buffer(struct worker_output *output, struct buf *b)
{
	const size_t max = ARRAY_LEN(output->spare);

	buf_clear(b);
	if (b->cap > SPARE_BUFFER_MAX || output->spare_bytes + b->cap > SPARE_BYTES_MAX ||
	    output->spare_count == max) {
		buf_fini(b);
	} else if (b->cap > 0) {
		output->spare[output->spare_count++] = *b;
		output->spare_bytes += b->cap;
	}
	*b = (struct buf){0};
}

/* --- writing --- */

static void write_out(struct client_link *link)
{
	if (link->out.len == 0)
		return;
	if (trace_is_on())
		trace_sent(link, buf_slice(&link->out));
	count_by(&link->worker->counters.bytes_sent, link->out.len);
	link->bytes_out += link->out.len;
	stream_write(link->stream, buf_slice(&link->out));
	buf_clear(&link->out);
}

void link_output_write_now(struct client_link *link)
{
	write_out(link);
	link_output_count(link);
}

struct buf *link_output_buf_slow(struct client_link *link)
{
	struct worker_output *output = link->worker->output;

	REQUIRE_OWNER(link);
	if (!link->dirty) {
		link->worker->work += LINK_OUTPUT_STEPS;
		if (link->out.cap == 0)
			link->out = take_buffer(output);
		link->dirty = true;
		link->next_dirty = output->dirty;
		output->dirty = link;
	} else if (link->out.len >= LINK_OUTPUT_FLUSH) {
		link_output_write_now(link);
	}
	return &link->out;
}

/* What was not even offered to the peer is no pending: nobody would tell when it is drained. */
size_t link_output_pending(struct client_link *link)
{
	if (link->out.len >= LINK_OUTPUT_FLUSH)
		link_output_write_now(link);
	return link->out.len + stream_backlog(link->stream);
}

/* Does it read so slowly that it is not read either? Where memory is short that is soon. */
static bool reads_too_slowly(struct client_link *link, size_t pending)
{
	if (pending <= STREAM_BACKLOG_LOW)
		return false;
	return pending > LINK_OUTPUT_MAX ||
	       quota_memory(link->worker, link->charge.payer, LINK_OUTPUT_FREE) != NULL;
}

void link_output_flush(struct client_link *link)
{
	size_t pending;

	REQUIRE_OWNER(link);
	REQUIRE(!link->dirty); /* it was taken off the list */
	write_out(link);
	give_buffer(link->worker->output, &link->out);
	pending = stream_backlog(link->stream);
	if (link->output_counted != pending || link->acks_counted != link_output_acks(link))
		link_output_count(link);
	if (link->accepted && reads_too_slowly(link, pending) &&
	    (link->pauses & PAUSE_OUTPUT) == 0) {
		client_link_pause(link, PAUSE_OUTPUT);
		link->worker->upcalls->on_output_paused(link);
	}
	/* A delivery: what acknowledges it may have to be read. */
	if (link->accepted && (link->pauses & PAUSE_STORE) != 0)
		client_link_review(link);
}

void link_output_close(struct client_link *link)
{
	REQUIRE_OWNER(link);
	write_out(link);
	give_buffer(link->worker->output, &link->out);
}

void link_output_drop(struct client_link *link)
{
	give_buffer(link->worker->output, &link->out);
}

/* --- memory --- */

void link_output_count(struct client_link *link)
{
	REQUIRE_OWNER(link);
	link->output_counted = link->out.len + stream_backlog(link->stream);
	link->acks_counted = link_output_acks(link);
	charge_set(link->worker, &link->charge,
	           link->input_bytes + link->output_counted + link->aliases.bytes +
	               link->aliases_out.bytes + link->request_bytes +
	               (size_t)64 * link->acks_counted * PENDING_ACK_COST);
}

bool link_output_admits_alias(void *arg, size_t bytes)
{
	struct client_link *link = arg;

	/* mutant: memory_alias */
	return quota_memory(link->worker, link->charge.payer, bytes) == NULL;
}

const char *link_output_check(struct client_link *link, size_t bytes, bool drains)
{
	size_t pending = link_output_pending(link);
	const char *exceeds;

	if (pending >= LINK_OUTPUT_MAX)
		return READS_SLOWLY;
	/* mutant: memory_slow_reader */
	if (pending + bytes <= LINK_OUTPUT_FREE)
		return NULL;
	exceeds = drains ? quota_memory_drain(link->worker, link->charge.payer, bytes)
	                 : quota_memory(link->worker, link->charge.payer, bytes);
	/* What a client that reads is given is gone in a moment. */
	if (exceeds != NULL && stream_backlog(link->stream) == 0 && bytes <= LINK_OUTPUT_READER) {
		link_output_write_now(link);
		if (stream_backlog(link->stream) == 0)
			return NULL;
	}
	return exceeds;
}
