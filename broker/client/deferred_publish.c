/* The time at which each came, and the packet itself, one after the other. */
#include "client/deferred_publish.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "client/conn_memory.h"
#include "proto/packet_publish.h"
#include "worker/worker.h"

#define BEHIND_MAX ((size_t)16 << 10) /* after the first packet */

struct deferred_publish deferred_publish_take(struct slice *in)
{
	struct reader r = reader_of(*in);
	struct deferred_publish p = {.received_ms = read_u64(&r)};
	size_t needed;
	enum frame_result result;

	*in = slice_skip(*in, sizeof(p.received_ms));
	result = frame_next(in, SIZE_MAX, &p.frame, &needed);
	REQUIRE(result == FRAME_COMPLETE);
	return p;
}

static void note_bytes(struct conn *c)
{
	struct slice in = c->deferred == NULL ? SLICE_EMPTY : buf_slice(c->deferred);

	if (in.len > 0)
		(void)deferred_publish_take(&in);
	c->link.limit.many_deferred = in.len > BEHIND_MAX;
}

void deferred_publish_add(struct conn *c, const struct frame *f, struct slice packet)
{
	REQUIRE_OWNER(&c->link);
	if (c->state == CONN_CLOSING)
		return;
	if (c->deferred == NULL)
		c->deferred = xnew(c->deferred);
	buf_put_u64(c->deferred, c->link.worker->executor.now_ms);
	buf_put_slice(c->deferred, packet);
	c->link.limit.deferred += packet_publish_qos(f) > 0;
	note_bytes(c);
	conn_memory_count(c);
}

void deferred_publish_consume(struct conn *c, size_t bytes)
{
	REQUIRE_OWNER(&c->link);
	REQUIRE(c->deferred != NULL && bytes <= c->deferred->len);
	buf_consume(c->deferred, bytes);
	if (c->deferred->len == 0)
		deferred_publish_free(c);
	else
		note_bytes(c);
}

void deferred_publish_free(struct conn *c)
{
	if (c->deferred == NULL)
		return;
	buf_fini(c->deferred);
	free(c->deferred);
	c->deferred = NULL;
	note_bytes(c);
}
