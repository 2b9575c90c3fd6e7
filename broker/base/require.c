/* A failed check ends the process loudly: where, what, and how we got there. */
#include "base/require.h"

#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

_Noreturn void require_failed(const char *condition, const char *file, int line)
{
	void *frames[48];
	int depth;

	fprintf(stderr, "%s:%d: check failed: %s\n", file, line, condition);
	depth = backtrace(frames, 48);
	backtrace_symbols_fd(frames, depth, STDERR_FILENO);
	abort();
}
