/* A failed check ends the process loudly: where, what, and how we got there. */
#include "base/require.h"

#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define END_S 3

static require_abort_fn *before_abort;

void require_before_abort(require_abort_fn *fn)
{
	before_abort = fn;
}

void require_end_soon(void)
{
	sigset_t alarm_only;

	(void)signal(SIGALRM, SIG_DFL);
	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	(void)pthread_sigmask(SIG_UNBLOCK, &alarm_only, NULL);
	/* mutant: require_ends_soon */
	(void)alarm(END_S);
	if (before_abort != NULL)
		before_abort();
}

_Noreturn void require_failed(const char *condition, const char *file, int line)
{
	void *frames[48];
	int depth;

	require_end_soon();
	fprintf(stderr, "%s:%d: check failed: %s\n", file, line, condition);
	depth = backtrace(frames, 48);
	backtrace_symbols_fd(frames, depth, STDERR_FILENO);
	abort();
}
