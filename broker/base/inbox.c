/* One list swap under a mutex per drain; the wake-up only where the receiver sleeps: whoever goes
 * to sleep says so first and looks then, whoever posts looks for sleepers last. */
#include "base/inbox.h"

#include "base/check.h"
#include "base/clock.h"

void inbox_init(struct inbox *in, inbox_wake_fn *wake, void *wake_arg)
{
	mutex_init(&in->lock);
	in->head = NULL;
	in->tail = &in->head;
	in->taken = NULL;
	atomic_init(&in->asleep, true);
	in->wake = wake;
	in->wake_arg = wake_arg;
}

void inbox_fini(struct inbox *in)
{
	REQUIRE(in->head == NULL && in->taken == NULL);
	mutex_fini(&in->lock);
}

void inbox_post(struct inbox *in, struct post *post, bool wake)
{
	REQUIRE(!post->in_flight);
	post->in_flight = true;
	post->next = NULL;
	mutex_lock(&in->lock);
	*in->tail = post;
	in->tail = &post->next;
	mutex_unlock(&in->lock);
	if (wake && atomic_exchange(&in->asleep, false) && in->wake != NULL)
		in->wake(in->wake_arg);
}

static struct post *take_all(struct inbox *in)
{
	struct post *all;

	mutex_lock(&in->lock);
	all = in->head;
	in->head = NULL;
	in->tail = &in->head;
	mutex_unlock(&in->lock);
	return all;
}

/* Of a turn. The clock is asked after some of them, for one may be much. */
#define DRAIN_NS   UINT64_C(2000000)
#define LOOK_POSTS 4

bool inbox_drain(struct inbox *in, size_t budget, void *home_arg)
{
	uint64_t begin_ns = 0; /* not asked yet */

	if (in->taken == NULL)
		in->taken = take_all(in);
	if (in->taken == NULL)
		return !inbox_is_empty(in);
	for (size_t n = 1; in->taken != NULL && n <= budget; n++) {
		struct post *post = in->taken;

		in->taken = post->next;
		post->in_flight = false;
		post->run(post, home_arg);
		if (n % LOOK_POSTS != 0)
			continue;
		if (begin_ns == 0)
			begin_ns = clock_monotonic_ns();
		else if (clock_monotonic_ns() - begin_ns > DRAIN_NS)
			break;
	}
	return in->taken != NULL || !inbox_is_empty(in);
}

bool inbox_is_empty(struct inbox *in)
{
	bool empty;

	if (in->taken != NULL)
		return false;
	mutex_lock(&in->lock);
	empty = in->head == NULL;
	mutex_unlock(&in->lock);
	return empty;
}

bool inbox_sleep(struct inbox *in)
{
	atomic_store(&in->asleep, true);
	return inbox_is_empty(in);
}

void inbox_awake(struct inbox *in)
{
	atomic_store_explicit(&in->asleep, false, memory_order_relaxed);
}
