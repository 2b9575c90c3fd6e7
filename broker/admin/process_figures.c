/* Out of /proc/self, read each time. */
#include "admin/process_figures.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

/* What the kernel says there, as text; empty: nothing. */
static void read_text(const char *path, char *text, size_t size)
{
	FILE *f = fopen(path, "re");

	text[0] = '\0';
	if (f == NULL)
		return;
	text[fread(text, 1, size - 1, f)] = '\0';
	(void)fclose(f);
}

/* The number at that place of statm, in pages. */
static uint64_t statm(unsigned place)
{
	char text[256], *at = text;
	uint64_t pages = 0;

	read_text("/proc/self/statm", text, sizeof(text));
	for (unsigned i = 0; i <= place; i++)
		pages = strtoull(at, &at, 10);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t process_figures_virtual(void)
{
	return statm(0);
}

uint64_t process_figures_resident(void)
{
	return statm(1);
}

static double seconds_of(clockid_t clock)
{
	struct timespec t = {0};

	(void)clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double process_figures_cpu_s(void)
{
	return seconds_of(CLOCK_PROCESS_CPUTIME_ID);
}

/* In ticks after the machine has started: the 22nd word, of which the second may have blanks. */
#define START_WORD 22

double process_figures_start_s(void)
{
	char text[1024], *at;
	double ticks;

	read_text("/proc/self/stat", text, sizeof(text));
	at = strrchr(text, ')');
	for (unsigned word = 2; at != NULL && word < START_WORD; word++)
		at = strchr(at + 1, ' ');
	if (at == NULL)
		return 0;
	ticks = strtod(at, NULL);
	return (double)clock_wall_ms() / 1000 - seconds_of(CLOCK_BOOTTIME) +
	       ticks / (double)sysconf(_SC_CLK_TCK);
}

/* Kernels from 6.2 on know it; from others the names have to be read. */
uint64_t process_figures_descriptors(void)
{
	uint64_t count = 0;
	struct stat st;
	DIR *names;

	if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0)
		return (uint64_t)st.st_size;
	names = opendir("/proc/self/fd");
	if (names == NULL)
		return 0;
	while (readdir(names) != NULL) /* NOLINT(concurrency-mt-unsafe): a stream of its own */
		count++;
	(void)closedir(names);
	return count > 3 ? count - 3 : 0; /* "." and "..", and the one that reads */
}

uint64_t process_figures_descriptor_limit(void)
{
	struct rlimit limit = {0};

	(void)getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur;
}
