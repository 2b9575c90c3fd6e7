/* What a process has used, from /proc.  See load.h. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

enum { PAUSE_MS = 5, PAUSES = 2000 };

static void pause_ms(unsigned ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	(void)nanosleep(&t, NULL);
}

/* The first number of a file; 0 where it is gone: a thread may end while it is looked at. */
static uint64_t first_number(const char *path)
{
	uint64_t value = 0;
	FILE *f = fopen(path, "r");

	if (f == NULL)
		return 0;
	if (fscanf(f, "%" SCNu64, &value) != 1) /* NOLINT(cert-err34-c): the kernel's own */
		value = 0;
	fclose(f);
	return value;
}

uint64_t usage_cpu_ns(pid_t pid)
{
	char path[64];
	const struct dirent *entry;
	uint64_t sum = 0;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	if (tasks == NULL)
		die("the broker is gone");
	while ((entry = readdir(tasks)) != NULL) {
		char file[320];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "/proc/%d/task/%s/schedstat", (int)pid, entry->d_name);
		sum += first_number(file);
	}
	closedir(tasks);
	if (sum == 0)
		die("no schedstat for the broker, or the broker is gone");
	return sum;
}

uint64_t usage_cpu_settled_ns(pid_t pid)
{
	uint64_t last = usage_cpu_ns(pid), now;

	for (unsigned i = 0; i < PAUSES; i++) {
		pause_ms(PAUSE_MS);
		now = usage_cpu_ns(pid);
		if (now - last < 20000) /* a timer may tick */
			return now;
		last = now;
	}
	die("the broker does not come to rest");
}

static uint64_t resident_bytes(pid_t pid)
{
	char path[64];
	uint64_t pages = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	f = fopen(path, "r");
	if (f == NULL || fscanf(f, "%*u %" SCNu64, &pages) != 1) /* NOLINT(cert-err34-c) */
		die("the broker is gone");
	fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t usage_resident_bytes(pid_t pid)
{
	uint64_t last, now;
	unsigned same = 0;

	(void)usage_cpu_settled_ns(pid);
	last = resident_bytes(pid);
	for (unsigned i = 0; i < PAUSES && same < 10; i++) {
		pause_ms(PAUSE_MS);
		now = resident_bytes(pid);
		same = now == last ? same + 1 : 0;
		last = now;
	}
	return last;
}
