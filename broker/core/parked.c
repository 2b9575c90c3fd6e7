/* What is put by until the store has space. */
#include "core/parked.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "core/admission.h"
#include "core/worker.h"
#include "proto/publish.h"

#define BEHIND_MAX ((size_t)16 << 10) /* behind the first packet */

/* As it lies there. */
struct parked {
	uint64_t received_ms;
	struct frame frame;
};

static struct parked take(struct slice *in)
{
	struct reader r = reader_of(*in);
	struct parked p = {.received_ms = read_u64(&r)};
	size_t needed;
	enum frame_result result;

	*in = slice_skip(*in, sizeof(p.received_ms));
	result = frame_next(in, SIZE_MAX, &p.frame, &needed);
	REQUIRE(result == FRAME_COMPLETE);
	return p;
}

static size_t bytes_behind(const struct conn *c)
{
	struct slice in = buf_slice(c->parked);

	if (in.len > 0)
		(void)take(&in);
	return in.len;
}

bool parked_is_many(const struct conn *c)
{
	return c->parked != NULL && bytes_behind(c) > BEHIND_MAX;
}

void parked_add(struct conn *c, const struct frame *f, struct slice packet)
{
	if (c->state == CONN_CLOSING)
		return;
	if (c->parked == NULL)
		c->parked = xnew(c->parked);
	buf_put_u64(c->parked, c->worker->executor.now_ms);
	buf_put_slice(c->parked, packet);
	c->limit.deferred += publish_frame_qos(f) > 0;
}

static bool may_go_on(const struct conn *c)
{
	return c->state == CONN_ACCEPTED && (c->pauses & ~CONN_PAUSE_STORE) == 0 &&
	       !c->limit.journal_full;
}

/* How many bytes of them were handled. */
static size_t handle(struct conn *c)
{
	struct slice in = buf_slice(c->parked), left = in;

	while (left.len > 0 && may_go_on(c)) {
		struct parked p = take(&in);

		if (!conn_handle(c, &p.frame, p.received_ms))
			break;
		if (c->state == CONN_ACCEPTED)
			c->limit.deferred -= publish_frame_qos(&p.frame) > 0;
		left = in;
	}
	return c->parked->len - left.len;
}

void parked_continue(struct conn *c)
{
	if (c->parked == NULL || !may_go_on(c) || !admission_holds(c))
		return;
	buf_consume(c->parked, handle(c));
	if (c->parked->len == 0)
		parked_free(c);
}

void parked_free(struct conn *c)
{
	if (c->parked == NULL)
		return;
	buf_fini(c->parked);
	free(c->parked);
	c->parked = NULL;
}
