/* One compare and exchange for each change of state: sender and receiver race for it. */
#include "routing/flow.h"

#include <stdlib.h>

#include "base/container.h"
#include "worker/shared.h"

#define FLOW_LOW ((size_t)2 << 20)

static bool flow_turns(struct flow *flow, int from, int to)
{
	return atomic_compare_exchange_strong(&flow->state, &from, to);
}

/* Stalled, where it is above its mark and not so already. */
static void flow_check(struct flow *flow)
{
	struct flows *flows = flow->flows;

	if (atomic_load(&flow->bytes) <= FLOW_HIGH || !flow_turns(flow, FLOW_OPEN, FLOW_STALLED))
		return;
	flows->stalled++;
	/* The receiver may have emptied it between the two: then nobody else will say so. */
	if (atomic_load(&flow->bytes) < FLOW_LOW && flow_turns(flow, FLOW_STALLED, FLOW_OPEN))
		flows->stalled--;
}

static void on_low(struct task *task, void *executor_arg)
{
	struct flow *flow = container_of(task, struct flow, low);
	struct flows *flows = flow->flows;

	(void)executor_arg;
	REQUIRE(atomic_load(&flow->state) == FLOW_WAKING && flows->stalled > 0);
	atomic_store(&flow->state, FLOW_OPEN);
	flows->stalled--;
	flow_check(flow); /* filled again while this was on its way */
	if (flows->stalled == 0)
		flows->on_open(flows->from);
}

void flow_init_all(struct flows *flows, struct worker *from, void (*on_open)(struct worker *w))
{
	unsigned workers = from->shared->worker_count;

	*flows = (struct flows){.from = from, .on_open = on_open};
	flows->to = aligned_alloc(64, workers * sizeof(*flows->to));
	REQUIRE(flows->to != NULL);
	for (unsigned i = 0; i < workers; i++)
		flows->to[i] = (struct flow){.low.run = on_low, .flows = flows};
}

void flow_fini_all(struct flows *flows)
{
	free(flows->to);
}

void flow_add(struct flow *flow, size_t bytes, bool to_itself)
{
	REQUIRE_EXECUTOR(&flow->flows->from->executor);
	atomic_fetch_add(&flow->bytes, bytes);
	if (!to_itself)
		flow_check(flow);
}

void flow_remove(struct flow *flow, size_t bytes)
{
	size_t before = atomic_fetch_sub(&flow->bytes, bytes), left = before - bytes;

	REQUIRE(bytes <= before);
	if (left < FLOW_LOW && flow_turns(flow, FLOW_STALLED, FLOW_WAKING))
		executor_send(&flow->flows->from->executor, &flow->low);
}

void flow_hold(const struct flows *flows, struct client_link *link)
{
	REQUIRE_OWNER(link);
	if (flows->stalled > 0)
		client_link_pause(link, PAUSE_PRESSURE);
}
