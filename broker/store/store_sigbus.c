/* See store_sigbus.h.  The handler calls only what a signal handler may. */
#include "store/store_sigbus.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static const char *program_name;
static const char explanation[] =
    ": a file of the store cannot be read or written where it is mapped (SIGBUS): the disk fails, "
    "its file system has no space, or somebody has cut the file; check the disk and free some "
    "space, then start again. What was acknowledged is stored.\n";

static void write_text(const char *text)
{
	if (write(STDERR_FILENO, text, strlen(text)) < 0)
		return; /* nobody reads it */
}

/* SA_RESETHAND: the second time it ends the process, with a core file where there are any. */
static void on_sigbus(int number)
{
	int flags = fcntl(STDERR_FILENO, F_GETFL);

	if (flags >= 0) /* a pipe that nobody reads must not keep it alive */
		(void)fcntl(STDERR_FILENO, F_SETFL, flags | O_NONBLOCK);
	write_text(program_name);
	write_text(explanation);
	(void)raise(number);
}

void store_sigbus_explain(const char *program)
{
	struct sigaction action = {.sa_handler = on_sigbus, .sa_flags = (int)SA_RESETHAND};

	program_name = program;
	sigemptyset(&action.sa_mask);
	(void)sigaction(SIGBUS, &action, NULL);
}
