/* One list swap under a mutex per drain that finds something; the wake-up only where the receiver
 * sleeps: a receiver announces that it sleeps and looks then, a sender looks for a sleeping
 * receiver last. */
#include "base/mailbox.h"

#include "base/clock.h"
#include "base/require.h"

void mailbox_init(struct mailbox *in, mailbox_wake_fn *wake, void *wake_arg)
{
	mutex_init(&in->lock, LOCK_MAILBOX);
	in->head = NULL;
	in->tail = &in->head;
	in->taken = NULL;
	atomic_init(&in->is_filled, false);
	atomic_init(&in->asleep, true);
	in->wake = wake;
	in->wake_arg = wake_arg;
}

void mailbox_fini(struct mailbox *in)
{
	REQUIRE(in->head == NULL && in->taken == NULL);
	mutex_fini(&in->lock);
}

void mailbox_send(struct mailbox *in, struct task *task, bool wake)
{
	REQUIRE(!task->in_flight && task->run != NULL);
	task->in_flight = true;
	task->next = NULL;
	mutex_lock(&in->lock);
	*in->tail = task;
	in->tail = &task->next;
	atomic_store(&in->is_filled, true);
	mutex_unlock(&in->lock);
	if (wake && atomic_exchange(&in->asleep, false) && in->wake != NULL)
		in->wake(in->wake_arg);
}

static struct task *take_all(struct mailbox *in)
{
	struct task *all;

	mutex_lock(&in->lock);
	all = in->head;
	in->head = NULL;
	in->tail = &in->head;
	atomic_store_explicit(&in->is_filled, false, memory_order_relaxed);
	mutex_unlock(&in->lock);
	return all;
}

/* Of a turn. The clock is asked after each of them, for one may be much. */
/* mutant: tasks_have_a_budget */
#define DRAIN_NS UINT64_C(250000)

bool mailbox_drain(struct mailbox *in, size_t budget, void *executor_arg)
{
	uint64_t begin_ns;

	REQUIRE(budget > 0);
	if (mailbox_is_empty(in))
		return false;
	if (in->taken == NULL)
		in->taken = take_all(in);
	begin_ns = clock_monotonic_ns();
	for (size_t n = 0; in->taken != NULL && n < budget; n++) {
		struct task *task = in->taken;

		REQUIRE(task->in_flight);
		in->taken = task->next;
		task->in_flight = false;
		task->run(task, executor_arg);
		if (clock_monotonic_ns() - begin_ns > DRAIN_NS)
			break;
	}
	return in->taken != NULL || !mailbox_is_empty(in);
}

/* Sequentially consistent, as the store of mailbox_send: one who falls asleep sees the task, or its
 * sender sees that he sleeps. */
bool mailbox_is_empty(const struct mailbox *in)
{
	return in->taken == NULL && !atomic_load(&in->is_filled);
}

bool mailbox_sleep(struct mailbox *in)
{
	atomic_store(&in->asleep, true);
	return mailbox_is_empty(in);
}

void mailbox_awake(struct mailbox *in)
{
	atomic_store_explicit(&in->asleep, false, memory_order_relaxed);
}
