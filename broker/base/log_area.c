/* One small number for each event, which a reload changes while other threads read it. */
#include "base/log_area.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "base/array.h"
#include "base/bytes.h"

static const char *const events[] = {
#define EVENT(id, name, ...) (name),
#include "base/events.def"
#undef EVENT
};

/* As enum log_level counts them. */
static const char *const names[] = {"error", "warning", "info", "debug"};
#define DEBUG 3

/* 0: no area has it; otherwise its level and 1. */
static _Atomic uint8_t levels[ARRAY_LEN(events)];
static atomic_bool some_debug;

/* "store" has store-full, and not stored-elsewhere. */
static bool is_in_area(size_t event, struct slice area)
{
	struct slice name = slice_of_str(events[event]);

	return area.len > 0 && area.len <= name.len &&
	       memcmp(name.data, area.data, area.len) == 0 &&
	       (area.len == name.len || name.data[area.len] == '-');
}

static bool area_exists(struct slice area)
{
	for (size_t e = 0; e < ARRAY_LEN(events); e++) {
		if (is_in_area(e, area))
			return true;
	}
	return false;
}

/* -1: there is no such level. */
static int level_of(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(word, names[i]) == 0)
			return (int)i;
	}
	return -1;
}

static bool read_item(const char *item, struct slice *area, int *level)
{
	const char *equals = strchr(item, '=');

	if (equals == NULL)
		return false;
	*area = slice_of(item, (size_t)(equals - item));
	*level = level_of(equals + 1);
	return true;
}

const char *log_area_wrong(const char *item)
{
	struct slice area;
	int level;

	if (!read_item(item, &area, &level))
		return "an area of the log is written AREA=LEVEL, like store=debug";
	if (level < 0)
		return "a level is error, warning, info or debug";
	if (!area_exists(area))
		return "no event has a name that begins so; broker(8) lists the events, and an "
		       "area is the beginning of a name up to a hyphen, like store, client or tls";
	return NULL;
}

static uint8_t find_level(size_t event, const char *const *items, size_t count)
{
	struct slice area, best = SLICE_EMPTY;
	int level, found = -1;

	for (size_t i = 0; i < count; i++) {
		if (!read_item(items[i], &area, &level) || level < 0 || !is_in_area(event, area))
			continue;
		/* mutant: log_longest_area */
		if (area.len < best.len)
			continue;
		best = area;
		found = level;
	}
	return (uint8_t)(found + 1);
}

void log_area_set(const char *const *items, size_t count)
{
	bool debug = false;

	for (size_t e = 0; e < ARRAY_LEN(events); e++) {
		uint8_t level = find_level(e, items, count);

		debug = debug || level == DEBUG + 1;
		atomic_store_explicit(&levels[e], level, memory_order_relaxed);
	}
	atomic_store_explicit(&some_debug, debug, memory_order_relaxed);
}

int log_area_level(unsigned event, int otherwise)
{
	int level = atomic_load_explicit(&levels[event], memory_order_relaxed);

	return level == 0 ? otherwise : level - 1;
}

bool log_area_is_debug(void)
{
	return atomic_load_explicit(&some_debug, memory_order_relaxed);
}
