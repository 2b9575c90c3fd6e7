/* schedstat: nanoseconds that ran, nanoseconds that waited, time slices. */
#include "usage.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATH_SIZE    320
#define PAUSE_NS     5000000
#define PAUSES       2000
#define REST_NS      20000 /* less than that in a pause: a timer may tick */
#define STABLE_COUNT 10

/* Two numbers of a file; what is gone has none: a thread may end while it is looked at. */
static bool read_numbers(const char *path, uint64_t *first, uint64_t *second)
{
	char line[128], *end;
	FILE *f = fopen(path, "re");
	bool ok;

	*first = *second = 0;
	if (f == NULL)
		return false;
	ok = fgets(line, sizeof(line), f) != NULL;
	fclose(f);
	if (!ok)
		return false;
	*first = strtoull(line, &end, 10);
	*second = strtoull(end, NULL, 10);
	return true;
}

static uint64_t cpu_ns(pid_t pid)
{
	char path[PATH_SIZE];
	const struct dirent *entry;
	uint64_t sum = 0, one, waited;
	DIR *tasks;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	if (tasks == NULL)
		return 0;
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): a stream of its own */
	while ((entry = readdir(tasks)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", (int)pid,
		               entry->d_name);
		if (read_numbers(path, &one, &waited))
			sum += one;
	}
	closedir(tasks);
	return sum;
}

bool usage_read(pid_t pid, struct usage_process *out)
{
	char path[PATH_SIZE];
	uint64_t size;

	out->cpu_ns = cpu_ns(pid);
	(void)snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	if (out->cpu_ns == 0 || !read_numbers(path, &size, &out->resident_bytes))
		return false;
	out->resident_bytes *= (uint64_t)sysconf(_SC_PAGESIZE);
	return true;
}

bool usage_read_settled(pid_t pid, struct usage_process *out)
{
	static const struct timespec pause = {.tv_nsec = PAUSE_NS};
	struct usage_process last;
	unsigned same = 0;

	if (!usage_read(pid, &last))
		return false;
	for (unsigned i = 0; i < PAUSES && same < STABLE_COUNT; i++) {
		(void)nanosleep(&pause, NULL);
		if (!usage_read(pid, out))
			return false;
		same = out->cpu_ns - last.cpu_ns < REST_NS &&
		               out->resident_bytes == last.resident_bytes
		           ? same + 1
		           : 0;
		last = *out;
	}
	return true;
}

void usage_read_thread(struct usage_thread *out)
{
	(void)read_numbers("/proc/thread-self/schedstat", &out->cpu_ns, &out->waited_ns);
}
