/* Out of /proc/self, read each time. */
#include "admin/process_figures.h"

#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/descriptors.h"

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

/* Reads all their names. */
static uint64_t read_descriptors(void)
{
	uint64_t count = 0;
	DIR *names = opendir("/proc/self/fd");

	if (names == NULL)
		return 0;
	while (readdir(names) != NULL) /* NOLINT(concurrency-mt-unsafe): a stream of its own */
		count++;
	(void)closedir(names);
	return count > 3 ? count - 3 : 0; /* "." and "..", and the one that reads */
}

/* So many names are read in some microseconds. */
#define FEW_SOCKETS 128

uint64_t process_figures_descriptors_counted(void)
{
	static _Atomic uint64_t rest; /* all but sockets, when there were few; 0: not known */
	uint64_t sockets = descriptors_sockets(), known = atomic_load(&rest), all;

	/* mutant: descriptors_are_not_read_again */
	if (known != 0 && sockets > FEW_SOCKETS)
		return sockets + known;
	all = read_descriptors();
	if (all > sockets)
		atomic_store(&rest, all - sockets);
	return all;
}

uint64_t process_figures_descriptors(void)
{
	struct stat st;

	if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0)
		return (uint64_t)st.st_size;
	return process_figures_descriptors_counted();
}

uint64_t process_figures_descriptor_limit(void)
{
	struct rlimit limit = {0};

	(void)getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur;
}
