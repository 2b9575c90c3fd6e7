/* The machine's clocks, or those of a simulation; the source is set before threads start and then
 * only read. */
#include "base/clock.h"

#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include "base/array.h"

static uint64_t machine_monotonic_ns(void *arg)
{
	struct timespec now;

	(void)arg;
	/* Unlike CLOCK_MONOTONIC it goes on while the machine is suspended. */
	/* mutant: clock_suspend */
	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int64_t machine_wall_ms(void *arg)
{
	struct timespec now;

	(void)arg;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static const struct clock_source machine = {
    .monotonic_ns = machine_monotonic_ns,
    .wall_ms = machine_wall_ms,
};
static const struct clock_source *current = &machine;

void clock_use(const struct clock_source *source)
{
	current = source == NULL ? &machine : source;
}

uint64_t clock_monotonic_ns(void)
{
	return current->monotonic_ns(current->arg);
}

uint64_t clock_monotonic_ms(void)
{
	return clock_monotonic_ns() / 1000000u;
}

int64_t clock_wall_ms(void)
{
	return current->wall_ms(current->arg);
}

bool clock_is_set(int64_t wall_ms)
{
	return wall_ms >= CLOCK_EARLIEST_MS;
}

const char *clock_text(int64_t wall_ms, char out[CLOCK_TEXT_MAX])
{
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm tm;

	if (gmtime_r(&seconds, &tm) == NULL ||
	    strftime(out, CLOCK_TEXT_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		out[0] = '\0';
	return out;
}

const char *clock_duration(int64_t seconds, char out[CLOCK_TEXT_MAX])
{
	static const struct {
		int64_t seconds;
		const char *name;
	} units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
	int64_t left = seconds < 0 ? -seconds : seconds;
	size_t u = 0;

	while (u + 1 < ARRAY_LEN(units) && left < units[u].seconds)
		u++;
	left /= units[u].seconds;
	(void)snprintf(out, CLOCK_TEXT_MAX, "%lld %s%s", (long long)left, units[u].name,
	               left == 1 ? "" : "s");
	return out;
}
