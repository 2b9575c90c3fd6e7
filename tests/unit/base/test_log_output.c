/* Outputs of the log that take nothing, or nothing more: who logs goes on, and what is lost is
 * counted and told. */
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log_output.h"
#include "base/require.h"

#define FLUSH_MS 10000

static void put_dropped(struct log_output *o, uint64_t lines, struct buf *out)
{
	(void)o;
	buf_printf(out, "dropped %" PRIu64 "\n", lines);
}

static void put_line(struct log_output *o, unsigned number)
{
	char line[120];

	snprintf(line, sizeof(line), "line %08u %*s\n", number, 100, ".");
	log_output_put(o, slice_of_str(line));
}

/* What a reader finds, up to the end of the pipe. */
struct reading {
	struct thread thread;
	int fd;
	unsigned next; /* lines come in order; those that are missing were dropped */
	unsigned lines;
	uint64_t told;
};

static void see_line(struct reading *r, const char *line)
{
	unsigned number;
	uint64_t told;

	if (sscanf(line, "dropped %" SCNu64, &told) == 1) {
		r->told += told;
		return;
	}
	assert_int_equal(sscanf(line, "line %u", &number), 1);
	assert_true(number >= r->next);
	r->next = number + 1;
	r->lines++;
}

static void *read_all(void *arg)
{
	struct reading *r = arg;
	FILE *in = fdopen(r->fd, "r");
	char line[200];

	assert_non_null(in);
	while (fgets(line, sizeof(line), in) != NULL)
		see_line(r, line);
	fclose(in);
	return NULL;
}

static void start_reading(struct reading *r, int fd)
{
	*r = (struct reading){.fd = fd};
	assert_int_equal(thread_start(&r->thread, "reader", read_all, r), 0);
}

static void make_pipe(int ends[2], int flags)
{
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	if (flags != 0)
		assert_int_equal(fcntl(ends[1], F_SETFL, flags), 0);
}

/* Four times what fits; the first line is written. */
static unsigned put_too_much(struct log_output *o)
{
	unsigned count = 0;

	put_line(o, count++);
	log_output_drain(o, FLUSH_MS);
	while (count < 4 * LOG_OUTPUT_BYTES_MAX / 100)
		put_line(o, count++);
	assert_true(o->dropped > 0);
	assert_true(o->queued_bytes <= 2 * LOG_OUTPUT_BYTES_MAX);
	return count;
}

static void loses_and_tells(int flags)
{
	struct log_output o = LOG_OUTPUT_INITIALIZER("test", -1, put_dropped);
	struct reading r;
	unsigned count;
	int ends[2];

	make_pipe(ends, flags);
	log_output_set_fd(&o, ends[1]);
	assert_int_equal(log_output_start(&o), 0);
	count = put_too_much(&o);
	start_reading(&r, ends[0]); /* it flows again */
	log_output_stop(&o, FLUSH_MS);
	assert_false(o.has_thread);
	assert_int_equal(o.queued_bytes, 0);
	log_output_set_fd(&o, -1);
	thread_join(&r.thread);
	assert_true(r.lines > 0 && r.told > 0);
	assert_int_equal(r.told, o.dropped);
	assert_int_equal(r.lines + r.told, count);
}

static void nobody_who_logs_waits_for_a_reader(void **state)
{
	(void)state;
	loses_and_tells(0);
	loses_and_tells(O_NONBLOCK);
}

/* As after the audit file was moved away: the old one is closed once the thread is back from it. */
static void another_descriptor_takes_over(void **state)
{
	struct log_output o = LOG_OUTPUT_INITIALIZER("test", -1, put_dropped);
	struct reading before, after;
	unsigned count;
	int old[2], new[2];

	(void)state;
	make_pipe(old, 0);
	make_pipe(new, 0);
	log_output_set_fd(&o, old[1]);
	assert_int_equal(log_output_start(&o), 0);
	count = put_too_much(&o);
	log_output_set_fd(&o, new[1]);
	start_reading(&before, old[0]);
	start_reading(&after, new[0]);
	thread_join(&before.thread); /* it saw the end */
	log_output_stop(&o, FLUSH_MS);
	log_output_set_fd(&o, -1);
	thread_join(&after.thread);
	assert_true(before.lines > 0 && after.lines > 0);
	assert_int_equal(before.lines + after.lines + before.told + after.told, count);
}

/* A disk that is full, then another file. */
static void what_a_disk_refuses_is_counted(void **state)
{
	struct log_output o = LOG_OUTPUT_INITIALIZER("test", -1, put_dropped);
	struct reading r;
	int ends[2], full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	assert_true(full >= 0);
	log_output_set_fd(&o, full);
	assert_int_equal(log_output_start(&o), 0);
	put_line(&o, 0);
	log_output_drain(&o, FLUSH_MS);
	put_line(&o, 1);
	log_output_drain(&o, FLUSH_MS);
	assert_int_equal(o.dropped, 2);
	make_pipe(ends, 0);
	log_output_set_fd(&o, ends[1]);
	start_reading(&r, ends[0]);
	put_line(&o, 2);
	log_output_stop(&o, FLUSH_MS);
	log_output_set_fd(&o, -1);
	thread_join(&r.thread);
	assert_int_equal(r.lines, 1);
	assert_int_equal(r.told, 2);
}

static void a_stop_does_not_wait_for_ever(void **state)
{
	static struct log_output o = LOG_OUTPUT_INITIALIZER("test", -1, put_dropped);
	uint64_t before_ms = clock_monotonic_ms();
	struct reading r;
	int ends[2];

	(void)state;
	make_pipe(ends, 0);
	log_output_set_fd(&o, ends[1]);
	assert_int_equal(log_output_start(&o), 0);
	(void)put_too_much(&o);
	log_output_stop(&o, 50);
	assert_true(clock_monotonic_ms() - before_ms < FLUSH_MS);
	assert_true(o.has_thread);
	put_line(&o, UINT32_MAX); /* nor does who logs afterwards */
	start_reading(&r, ends[0]);
	log_output_stop(&o, FLUSH_MS);
	log_output_set_fd(&o, -1);
	thread_join(&r.thread);
}

static void fill(int fd)
{
	static const char bytes[4096];

	while (write(fd, bytes, sizeof(bytes)) > 0)
		continue;
}

/* Its reason is not read by anybody either. */
static void a_failed_check_ends_the_process(void **state)
{
	int ends[2], status;
	pid_t child;

	(void)state;
	make_pipe(ends, O_NONBLOCK);
	fill(ends[1]);
	assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
	child = fork();
	if (child == 0) {
		dup2(ends[1], STDERR_FILENO);
		require_failed("the test's", __FILE__, __LINE__);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGALRM);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nobody_who_logs_waits_for_a_reader),
	    cmocka_unit_test(another_descriptor_takes_over),
	    cmocka_unit_test(what_a_disk_refuses_is_counted),
	    cmocka_unit_test(a_stop_does_not_wait_for_ever),
	    cmocka_unit_test(a_failed_check_ends_the_process),
	};

	signal(SIGPIPE, SIG_IGN);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
