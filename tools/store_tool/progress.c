/* The work only counts; a thread looks at the count and draws, so that work within a library
 * (LMDB's copy) is shown, too: there it looks at the size of the file. */
#include "store_tool/progress.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/require.h"
#include "store/store_progress.h"

#define FIRST_MS 1000 /* shorter work is not shown */
#define EVERY_MS 200
#define BAR      30

static struct {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t over_now;
	bool running, over, drawn;
	const char *what;
	uint64_t total;
	int fd;
	_Atomic uint64_t done;
	struct timespec began;
} bar = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct timespec later(struct timespec from, long ms)
{
	from.tv_sec += ms / 1000;
	from.tv_nsec += ms % 1000 * 1000000;
	if (from.tv_nsec >= 1000000000) {
		from.tv_sec++;
		from.tv_nsec -= 1000000000;
	}
	return from;
}

static uint64_t done_now(void)
{
	struct stat st;

	if (bar.fd < 0)
		return atomic_load_explicit(&bar.done, memory_order_relaxed);
	return fstat(bar.fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static void draw(struct timespec now)
{
	static const char marks[] = "##############################";
	uint64_t done = done_now();
	int percent = done < bar.total ? (int)((double)done * 100 / (double)bar.total) : 100;
	int full = percent * BAR / 100;

	_Static_assert(sizeof(marks) == BAR + 1, "one for each place");
	if (bar.total == 0)
		fprintf(stderr, "\r%-8s %llu", bar.what, (unsigned long long)done);
	else
		fprintf(stderr, "\r%-8s [%.*s%*s] %3d%%, %ld s", bar.what, full, marks, BAR - full,
		        "", percent, (long)(now.tv_sec - bar.began.tv_sec));
	(void)fflush(stderr);
	bar.drawn = true;
}

static void *watch(void *arg)
{
	struct timespec next = later(bar.began, FIRST_MS);

	(void)pthread_mutex_lock(&bar.lock);
	while (!bar.over) {
		if (pthread_cond_timedwait(&bar.over_now, &bar.lock, &next) == 0)
			continue;
		draw(next);
		next = later(next, EVERY_MS);
	}
	(void)pthread_mutex_unlock(&bar.lock);
	return arg;
}

static void begin_work(const char *what, uint64_t total, int fd)
{
	pthread_condattr_t attributes;

	REQUIRE(!bar.running);
	bar.what = what;
	bar.total = total;
	bar.fd = fd;
	bar.over = bar.drawn = false;
	atomic_store_explicit(&bar.done, 0, memory_order_relaxed);
	(void)clock_gettime(CLOCK_MONOTONIC, &bar.began);
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&bar.over_now, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	bar.running = pthread_create(&bar.thread, NULL, watch, NULL) == 0;
}

static void add_work(uint64_t more)
{
	(void)atomic_fetch_add_explicit(&bar.done, more, memory_order_relaxed);
}

/* The line is empty again. */
static void end_work(void)
{
	if (!bar.running)
		return;
	(void)pthread_mutex_lock(&bar.lock);
	bar.over = true;
	(void)pthread_cond_signal(&bar.over_now);
	(void)pthread_mutex_unlock(&bar.lock);
	(void)pthread_join(bar.thread, NULL);
	(void)pthread_cond_destroy(&bar.over_now);
	bar.running = false;
	if (bar.drawn)
		fprintf(stderr, "\r%*s\r", BAR + 32, "");
}

void progress_show(bool quiet)
{
	static const struct store_progress watcher = {begin_work, add_work, end_work};

	if (isatty(STDERR_FILENO) && !(quiet && isatty(STDOUT_FILENO)))
		store_progress_watch(&watcher);
}
