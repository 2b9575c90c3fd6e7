/* Two counters. */
#include "client/large_publish.h"

#include "proto/packet_publish.h"
#include "worker/worker.h"

static bool is_passed(const struct conn *c, const struct frame *f)
{
	if (f->type != PACKET_PUBLISH)
		return false;
	if (c->deferred != NULL) /* it would be acknowledged before those that wait for the store */
		return false;
	/* mutant: max_packet_size_lenient */
	return client_link_limits(&c->link)->max_packet_size_enforcement == ENFORCEMENT_LENIENT;
}

enum frame_result large_publish_begin(struct conn *c, struct slice *in, struct frame *f)
{
	size_t max = client_link_limits(&c->link)->max_packet_size;

	REQUIRE_OWNER(&c->link);
	REQUIRE(c->skip_left == 0);
	if (!is_passed(c, f))
		return FRAME_TOO_LARGE;
	if (!packet_publish_cut(f, c->link.version)) /* mutant: large_publish_head_is_bounded */
		return in->len < max ? FRAME_INCOMPLETE : FRAME_TOO_LARGE;
	if (f->body.len > max)
		return FRAME_TOO_LARGE;
	c->skip_left = (uint32_t)f->size_bytes; /* a Remaining Length at most */
	c->skipped = 0;
	c->packet_ms = c->link.worker->executor.now_ms;
	large_publish_skip(c, in);
	return FRAME_COMPLETE;
}

void large_publish_skip(struct conn *c, struct slice *in)
{
	size_t n = in->len < c->skip_left ? in->len : c->skip_left;

	REQUIRE_OWNER(&c->link);
	*in = slice_skip(*in, n);
	c->skip_left -= (uint32_t)n;
	c->skipped += (uint32_t)n;
}
