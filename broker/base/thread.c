/* pthreads with checked results. */
#include "base/thread.h"

#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/require.h"

/* Of the nice value: a tenth of a processor that others want. */
#define YIELDS_BY 10
/* What it gets at once, and so what it gives away with thread_give_way, on kernels since 6.12;
 * older ones ignore it. The least that they permit. */
#define SLICE_NS UINT64_C(100000)

/* As the kernel has it, in its first version (sched_setattr(2)): glibc declares none before 2.41.
 */
struct sched_attributes {
	uint32_t size, scheduler;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime_ns, deadline_ns, period_ns;
};

void mutex_init(struct mutex *m, enum lock_rank rank)
{
	REQUIRE(pthread_mutex_init(&m->m, NULL) == 0);
	m->rank = rank;
}

void mutex_fini(struct mutex *m)
{
	REQUIRE(pthread_mutex_destroy(&m->m) == 0);
}

void mutex_lock(struct mutex *m)
{
	lock_order_take(m, m->rank);
	REQUIRE(pthread_mutex_lock(&m->m) == 0);
}

void mutex_unlock(struct mutex *m)
{
	lock_order_release(m);
	REQUIRE(pthread_mutex_unlock(&m->m) == 0);
}

void condition_init(struct condition *c)
{
	pthread_condattr_t attr;

	REQUIRE(pthread_condattr_init(&attr) == 0);
	REQUIRE(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
	REQUIRE(pthread_cond_init(&c->c, &attr) == 0);
	REQUIRE(pthread_condattr_destroy(&attr) == 0);
}

void condition_fini(struct condition *c)
{
	REQUIRE(pthread_cond_destroy(&c->c) == 0);
}

void condition_wait(struct condition *c, struct mutex *m)
{
	REQUIRE(pthread_cond_wait(&c->c, &m->m) == 0);
}

void condition_wait_for(struct condition *c, struct mutex *m, uint64_t timeout_ms)
{
	condition_wait_until(c, m, clock_monotonic_ns() + timeout_ms * 1000000);
}

void condition_wait_until(struct condition *c, struct mutex *m, uint64_t monotonic_ns)
{
	uint64_t now_ns = clock_monotonic_ns(), until_ns;
	struct timespec until;

	/* The condition's clock stands still in suspend, ours does not. */
	clock_gettime(CLOCK_MONOTONIC, &until);
	until_ns = (uint64_t)until.tv_sec * 1000000000 + (uint64_t)until.tv_nsec +
	           (monotonic_ns > now_ns ? monotonic_ns - now_ns : 0);
	until.tv_sec = (time_t)(until_ns / 1000000000);
	until.tv_nsec = (long)(until_ns % 1000000000);
	(void)pthread_cond_timedwait(&c->c, &m->m, &until);
}

void condition_signal(struct condition *c)
{
	REQUIRE(pthread_cond_signal(&c->c) == 0);
}

void condition_broadcast(struct condition *c)
{
	REQUIRE(pthread_cond_broadcast(&c->c) == 0);
}

int thread_start(struct thread *t, const char *name, thread_fn *fn, void *arg)
{
	sigset_t all, before;
	int failed;

	sigfillset(&all);
	REQUIRE(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
	failed = pthread_create(&t->t, NULL, fn, arg);
	REQUIRE(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
	if (failed == 0)
		(void)pthread_setname_np(t->t, name);
	return -failed;
}

void thread_yield_to_others(void)
{
	int nice = getpriority(PRIO_PROCESS, (id_t)gettid()) + YIELDS_BY;
	struct sched_attributes attributes = {.size = sizeof(attributes),
	                                      .scheduler = SCHED_OTHER,
	                                      .nice = nice > 19 ? 19 : nice,
	                                      .runtime_ns = SLICE_NS};
	int rc = (int)syscall(SYS_sched_setattr, gettid(), &attributes, 0);

	if (rc != 0)
		rc = setpriority(PRIO_PROCESS, (id_t)gettid(), nice);
	(void)rc; /* a system that forbids it only makes others wait longer */
}

void thread_give_way(void)
{
	(void)sched_yield();
}

void thread_join(struct thread *t)
{
	REQUIRE(pthread_join(t->t, NULL) == 0);
}
