/* Scratch space, outbox and flows of a worker. */
#include "routing/router.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "worker/shared.h"

void router_init(struct worker *w, void (*on_open)(struct worker *w))
{
	struct router *r = xnew(r);

	r->outbox = xcalloc(w->shared->worker_count, sizeof(*r->outbox));
	flow_init_all(&r->flows, w, on_open);
	w->router = r;
}

void router_fini(struct worker *w)
{
	struct router *r = w->router;

	REQUIRE(r->queue == NULL && r->own_begun == r->own_opened);
	for (unsigned executor = 0; executor < w->shared->worker_count; executor++)
		REQUIRE(r->outbox[executor] == NULL);
	publish_match_forget_own(w, &r->own);
	publish_match_fini(&r->match);
	free(r->merges.items);
	buf_fini(&r->fan_out.bytes);
	free(r->ids);
	free(r->outbox);
	flow_fini_all(&r->flows);
	free(r);
}
