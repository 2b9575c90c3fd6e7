/* A wall clock that a test sets while a program runs, and a suspended machine: preloaded
 * (LD_PRELOAD) into it.  CLOCK_MONOTONIC stays as it is, and so do the times of files.
 *
 * VAKT_WALL_CLOCK  a file: by how many seconds the wall clock is wrong; read at each call
 * VAKT_SUSPENDED   a file: how many seconds the machine has been suspended; the same */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t seconds_of(const char *variable)
{
	const char *path = getenv(variable);
	char text[32] = "";
	int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) <= 0)
		text[0] = '\0';
	close(fd);
	return (time_t)strtol(text, NULL, 10);
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
	int rc = (int)syscall(SYS_clock_gettime, clock, out);

	if (rc == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		out->tv_sec += seconds_of("VAKT_WALL_CLOCK");
	if (rc == 0 && clock == CLOCK_BOOTTIME)
		out->tv_sec += seconds_of("VAKT_SUSPENDED");
	return rc;
}

time_t time(time_t *out)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (out != NULL)
		*out = now.tv_sec;
	return now.tv_sec;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
	struct timespec now = {0};

	(void)zone;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	*out = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
	return 0;
}
