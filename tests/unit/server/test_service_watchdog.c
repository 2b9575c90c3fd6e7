/* The watchdog of the service manager, with two workers that answer, are slow, or hang; and a
 * manager. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/service_watchdog.h"

#define INTERVAL_MS 4000
#define ROUND_MS    (INTERVAL_MS / 4)

static uint64_t now_ms;
static unsigned silent_lines;
static char silent_line[256];
static struct executor main_executor, workers[2];
static struct service_watchdog *watchdog;
static int manager;
static char directory[] = "/tmp/vakt-watchdog-XXXXXX";
static char path[64];

static uint64_t fake_monotonic_ns(void *arg)
{
	(void)arg;
	return now_ms * 1000000;
}

static int64_t fake_wall_ms(void *arg)
{
	(void)arg;
	return CLOCK_EARLIEST_MS + (int64_t)now_ms;
}

static void on_log(void *arg, enum event event, struct slice line)
{
	(void)arg;
	if (event != EVENT_WORKER_SILENT)
		return;
	silent_lines++;
	snprintf(silent_line, sizeof(silent_line), "%.*s", (int)line.len, (const char *)line.data);
}

static void turn(struct executor *executor)
{
	executor_enter(executor);
	while (executor_turn(executor) == 0)
		;
	executor_leave();
}

/* What the manager has heard since the last time. */
static unsigned heard(void)
{
	char text[64];
	unsigned count = 0;
	ssize_t n;

	while ((n = recv(manager, text, sizeof(text), MSG_DONTWAIT)) > 0) {
		assert_int_equal(n, strlen("WATCHDOG=1"));
		assert_memory_equal(text, "WATCHDOG=1", (size_t)n);
		count++;
	}
	return count;
}

static void pass(uint64_t ms)
{
	now_ms += ms;
	turn(&main_executor);
}

static void answer(unsigned worker)
{
	turn(&workers[worker]);
	turn(&main_executor);
}

static int begin(void **state)
{
	static const struct clock_source clock = {.monotonic_ns = fake_monotonic_ns,
	                                          .wall_ms = fake_wall_ms};
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	(void)state;
	now_ms = 100000;
	silent_lines = 0;
	clock_use(&clock);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
	    bind(manager, (const struct sockaddr *)(const void *)&address, sizeof(address)), 0);
	setenv("NOTIFY_SOCKET", path, 1);
	setenv("WATCHDOG_USEC", "4000000", 1);
	unsetenv("WATCHDOG_PID");
	executor_init(&main_executor, 2, NULL, NULL);
	executor_update_now(&main_executor);
	watchdog = service_watchdog_new(&main_executor);
	for (unsigned i = 0; i < 2; i++) {
		executor_init(&workers[i], i, NULL, NULL);
		service_watchdog_add(watchdog, &workers[i]);
	}
	service_watchdog_start(watchdog);
	pass(0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	service_watchdog_stop(watchdog);
	for (unsigned i = 0; i < 2; i++)
		answer(i);
	(void)heard();
	service_watchdog_free(watchdog);
	for (unsigned i = 0; i < 2; i++)
		executor_fini(&workers[i]);
	executor_fini(&main_executor);
	close(manager);
	unlink(path);
	clock_use(NULL);
	return 0;
}

static void manager_hears_of_each_round_that_all_answer(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 5; round++) {
		assert_int_equal(heard(), 0);
		answer(0);
		assert_int_equal(heard(), 0);
		answer(1);
		assert_int_equal(heard(), 1);
		pass(ROUND_MS);
	}
	assert_int_equal(silent_lines, 0);
}

static void worker_that_hangs_is_named_once(void **state)
{
	(void)state;
	answer(0);
	for (unsigned round = 0; round < 5; round++)
		pass(ROUND_MS);
	assert_int_equal(heard(), 0);
	assert_int_equal(silent_lines, 1);
	assert_non_null(strstr(silent_line, " worker=1 ms=3000"));
	/* It goes on: the round is over, and the next one counts. */
	answer(1);
	assert_int_equal(heard(), 0);
	pass(ROUND_MS);
	answer(1);
	answer(0);
	assert_int_equal(heard(), 1);
}

static void answer_after_half_of_the_interval_is_too_late(void **state)
{
	(void)state;
	answer(1);
	pass(INTERVAL_MS / 2);
	answer(0);
	assert_int_equal(heard(), 1);
	pass(ROUND_MS);
	answer(1);
	pass(INTERVAL_MS / 2 + 1);
	answer(0);
	assert_int_equal(heard(), 0);
}

static void nothing_is_said_once_it_stops(void **state)
{
	(void)state;
	service_watchdog_stop(watchdog);
	answer(0);
	answer(1);
	pass(INTERVAL_MS);
	assert_int_equal(heard(), 0);
}

static void expect_none(const char *usec, const char *pid)
{
	if (usec == NULL)
		unsetenv("WATCHDOG_USEC");
	else
		setenv("WATCHDOG_USEC", usec, 1);
	if (pid == NULL)
		unsetenv("WATCHDOG_PID");
	else
		setenv("WATCHDOG_PID", pid, 1);
	assert_null(service_watchdog_new(&main_executor));
}

static void without_a_manager_that_watches_there_is_none(void **state)
{
	struct service_watchdog *other;
	char pid[24];

	(void)state;
	expect_none(NULL, NULL);
	expect_none("", NULL);
	expect_none("0", NULL);
	expect_none("-1", NULL);
	expect_none("4000000x", NULL);
	expect_none("99999999999999999999", NULL);
	expect_none("4000000", "1");
	snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	setenv("WATCHDOG_PID", pid, 1);
	other = service_watchdog_new(&main_executor);
	assert_non_null(other);
	service_watchdog_free(other);
	service_watchdog_add(NULL, &workers[0]);
	service_watchdog_start(NULL);
	service_watchdog_stop(NULL);
	service_watchdog_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(manager_hears_of_each_round_that_all_answer, begin,
	                                    end),
	    cmocka_unit_test_setup_teardown(worker_that_hangs_is_named_once, begin, end),
	    cmocka_unit_test_setup_teardown(answer_after_half_of_the_interval_is_too_late, begin,
	                                    end),
	    cmocka_unit_test_setup_teardown(nothing_is_said_once_it_stops, begin, end),
	    cmocka_unit_test_setup_teardown(without_a_manager_that_watches_there_is_none, begin,
	                                    end),
	};
	int failed;

	log_set_sink(on_log, NULL);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (mkdtemp(directory) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/notify", directory);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(directory);
	return failed;
}
