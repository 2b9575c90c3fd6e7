/* One buffer is filled while the thread writes the other one.  A line that comes alone is written
 * at once; in a storm of lines the thread wakes up every few milliseconds at most and writes many
 * with one call. */
#include "base/log_output.h"

#include <errno.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/require.h"

#define NS_PER_MS UINT64_C(1000000)
/* From the end of one write to the next, while there is more than one. */
#define PAUSE_NS (5 * NS_PER_MS)
/* A buffer that a storm has left is given back. */
#define IDLE_BYTES 16384

/* What could not be written. A descriptor that somebody has set to non-blocking is waited for. */
struct slice log_output_write_bytes(int fd, struct slice bytes)
{
	while (bytes.len > 0) {
		ssize_t n = write(fd, bytes.data, bytes.len);

		if (n > 0) {
			bytes = slice_skip(bytes, (size_t)n);
		} else if (n < 0 && errno == EAGAIN) {
			struct pollfd writable = {.fd = fd, .events = POLLOUT};

			(void)poll(&writable, 1, -1);
		} else if (n == 0 || errno != EINTR) {
			break;
		}
	}
	return bytes;
}

static struct slice write_as_wanted(const struct log_output *o, int fd, struct slice bytes)
{
	return o->write == NULL ? log_output_write_bytes(fd, bytes) : o->write(fd, bytes);
}

static void count_dropped(struct log_output *o, uint64_t lines)
{
	mutex_require(&o->lock);
	o->dropped_since += lines;
	atomic_fetch_add_explicit(&o->dropped, lines, memory_order_relaxed);
}

/* `rest` of what was to be written was refused: there is no space on the disk, or the reader is
 * gone. Of lines that were put, it has `put_bytes` at most. */
static void lose_rest(struct log_output *o, int fd, struct slice batch, struct slice rest,
                      size_t put_bytes)
{
	size_t written = batch.len - rest.len;
	uint64_t lines = 0;

	for (size_t i = written; i < put_bytes; i++)
		lines += batch.data[i] == '\n';
	if (written > 0 && batch.data[written - 1] != '\n')
		(void)!write(fd, "\n", 1); /* the next line does not go on with half of this one */
	mutex_lock(&o->lock);
	count_dropped(o, lines);
	mutex_unlock(&o->lock);
}

/* False: there will be none any more. The lock is held, as it is by the caller. */
static bool wait_for_lines(struct log_output *o, uint64_t written_ns)
{
	mutex_require(&o->lock);
	while (!o->ending && o->waiting.len == 0)
		condition_wait(&o->changed, &o->lock);
	while (!o->ending && clock_monotonic_ns() - written_ns < PAUSE_NS)
		condition_wait_until(&o->changed, &o->lock, written_ns + PAUSE_NS);
	return o->waiting.len > 0;
}

static void *write_lines(void *arg)
{
	struct log_output *o = arg;
	struct buf batch = {0};
	uint64_t written_ns = 0;

	mutex_lock(&o->lock);
	while (wait_for_lines(o, written_ns)) {
		struct buf empty = batch;
		uint64_t dropped = o->dropped_since;
		size_t put_bytes = o->waiting.len;
		struct slice rest;
		int fd = o->fd;

		batch = o->waiting;
		o->waiting = empty;
		o->dropped_since = 0;
		o->busy_fd = fd;
		mutex_unlock(&o->lock);

		if (dropped > 0)
			o->put_dropped(o, dropped, &batch);
		rest = fd < 0 ? buf_slice(&batch) : write_as_wanted(o, fd, buf_slice(&batch));
		if (rest.len > 0 && fd >= 0)
			lose_rest(o, fd, buf_slice(&batch), rest, put_bytes);
		if (batch.cap > IDLE_BYTES)
			buf_fini(&batch);
		buf_clear(&batch);
		written_ns = clock_monotonic_ns();

		mutex_lock(&o->lock);
		if (rest.len > 0)
			o->dropped_since += dropped; /* nothing of it was logged */
		atomic_fetch_sub_explicit(&o->queued_bytes, put_bytes, memory_order_release);
		if (o->close_busy)
			close(o->busy_fd);
		o->close_busy = false;
		o->busy_fd = -1;
	}
	o->ended = true;
	condition_broadcast(&o->changed);
	mutex_unlock(&o->lock);
	buf_fini(&batch);
	return NULL;
}

int log_output_start(struct log_output *o)
{
	int failed;

	REQUIRE(!o->has_thread);
	condition_init(&o->changed);
	o->ending = o->ended = false;
	failed = thread_start(&o->thread, o->name, write_lines, o);
	if (failed != 0)
		condition_fini(&o->changed);
	o->has_thread = failed == 0;
	return failed;
}

void log_output_stop(struct log_output *o, uint64_t flush_ms)
{
	uint64_t until_ns = clock_monotonic_ns() + flush_ms * NS_PER_MS;
	bool ended;

	if (!o->has_thread)
		return;
	mutex_lock(&o->lock);
	o->ending = true;
	condition_broadcast(&o->changed);
	while (!o->ended && clock_monotonic_ns() < until_ns)
		condition_wait_until(&o->changed, &o->lock, until_ns);
	ended = o->ended;
	mutex_unlock(&o->lock);
	if (!ended)
		return; /* it is stuck, and goes on until the process ends */
	thread_join(&o->thread);
	condition_fini(&o->changed);
	buf_fini(&o->waiting);
	o->has_thread = false;
}

void log_output_put(struct log_output *o, struct slice line)
{
	bool wake = false;

	REQUIRE(line.len > 0 && line.data[line.len - 1] == '\n');
	mutex_lock(&o->lock);
	if (!o->has_thread) {
		if (o->fd >= 0)
			(void)write_as_wanted(o, o->fd, line);
	} else if (o->waiting.len + line.len > LOG_OUTPUT_BYTES_MAX) {
		/* mutant: log_output_counts */
		count_dropped(o, 1);
	} else if (o->fd >= 0) {
		wake = o->waiting.len == 0;
		buf_put_slice(&o->waiting, line);
		atomic_fetch_add_explicit(&o->queued_bytes, line.len, memory_order_relaxed);
	}
	mutex_unlock(&o->lock);
	if (wake)
		condition_signal(&o->changed);
}

void log_output_set_fd(struct log_output *o, int fd)
{
	int before;

	mutex_lock(&o->lock);
	before = o->fd;
	o->fd = fd;
	if (before >= 0 && before == o->busy_fd) {
		o->close_busy = true;
		before = -1;
	}
	mutex_unlock(&o->lock);
	if (before >= 0)
		close(before);
}

void log_output_drain(const struct log_output *o, uint64_t ms)
{
	static const struct timespec span = {.tv_nsec = (long)NS_PER_MS};

	while (ms-- > 0 && atomic_load_explicit(&o->queued_bytes, memory_order_acquire) > 0)
		(void)nanosleep(&span, NULL);
}
