/* Locks that are taken against their order abort, and say both names. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/thread.h"

#define LOCKS 4

static struct mutex route[LOCKS], retained, mailbox;

typedef void steps_fn(void);

static void lock_in_order(void)
{
	mutex_lock(&route[0]);
	mutex_lock(&retained);
	mutex_lock(&mailbox);
	mutex_unlock(&retained);
	mutex_unlock(&mailbox);
	mutex_unlock(&route[0]);
}

static void lock_all_of_one_rank(void)
{
	for (size_t i = 0; i < LOCKS; i++)
		mutex_lock(&route[i]);
	for (size_t i = LOCKS; i > 0; i--)
		mutex_unlock(&route[i - 1]);
}

static void lock_after_release(void)
{
	mutex_lock(&mailbox);
	mutex_unlock(&mailbox);
	mutex_lock(&route[0]);
	mutex_unlock(&route[0]);
}

static void lock_outer_while_inner(void)
{
	mutex_lock(&retained);
	mutex_lock(&route[0]);
}

static void lock_descending(void)
{
	mutex_lock(&route[1]);
	mutex_lock(&route[0]);
}

static void lock_twice(void)
{
	mutex_lock(&retained);
	mutex_lock(&retained);
}

static void require_held(void)
{
	mutex_lock(&route[0]);
	mutex_lock(&retained);
	mutex_require(&route[0]);
}

static void require_not_held(void)
{
	mutex_lock(&route[0]);
	mutex_require(&retained);
}

/* Runs the steps in a process of their own: its signal, 0: none; *text is what it printed. */
static int run(steps_fn *steps, char text[4096])
{
	int ends[2], status;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		signal(SIGABRT, SIG_DFL);
		dup2(ends[1], STDERR_FILENO);
		alarm(20);
		steps();
		_exit(0);
	}
	close(ends[1]);
	while (len < 4095 && (n = read(ends[0], text + len, 4095 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static const struct {
	const char *name;
	steps_fn *steps;
	const char *error; /* NULL: in order */
} rows[] = {
    {"in order", lock_in_order, NULL},
    {"all of one rank, ascending", lock_all_of_one_rank, NULL},
    {"the outer one after the inner one is released", lock_after_release, NULL},
    {"the outer one while the inner one is held", lock_outer_while_inner,
     "'route tree' is taken while 'retained tree' is held"},
    {"two of one rank, descending", lock_descending,
     "'route tree' is taken while 'route tree' is held"},
    {"a lock that is required and held", require_held, NULL},
    {"a lock that is required and not held", require_not_held, "a lock is held"},
    {"the same one twice", lock_twice, "'retained tree' is taken while 'retained tree' is held"},
};

static void test_order_aborts_when_broken(void **state)
{
	(void)state;
	for (size_t i = 0; i < LOCKS; i++)
		mutex_init(&route[i], LOCK_ROUTE);
	mutex_init(&retained, LOCK_RETAINED);
	mutex_init(&mailbox, LOCK_MAILBOX);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[4096];
		int signal = run(rows[i].steps, text);

		if (signal != (rows[i].error == NULL ? 0 : SIGABRT) ||
		    (rows[i].error != NULL && strstr(text, rows[i].error) == NULL))
			fail_msg("%s: signal %d, %s", rows[i].name, signal, text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_order_aborts_when_broken)};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
