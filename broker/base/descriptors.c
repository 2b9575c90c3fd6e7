/* A program may be started with descriptors 0, 1 or 2 closed (`2>&-`).  The next file that it opens
 * then gets that number, and every message for people is written into that file. */
#include "base/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void descriptors_reserve_standard(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		/* mutant: standard_descriptors_reserved */
		if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
			continue;
		/* The lowest free number is this one. Opened the wrong way round: who reads from a
		 * closed standard input, or writes to a closed standard output, goes on to get an
		 * error. */
		if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			_exit(2);
	}
}
