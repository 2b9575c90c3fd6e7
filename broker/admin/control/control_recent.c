/* Times as texts; the order as a number that falls. */
#include "admin/control/control_recent.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"

void control_recent_open(struct buf *out, const struct recent_entry *entry, struct slice object)
{
	char first[CLOCK_TEXT_MAX], last[CLOCK_TEXT_MAX];

	REQUIRE(entry->count > 0 && object.len > 0);
	json_open(out);
	json_str(out, "time", clock_text(entry->last_ms, last));
	json_str(out, "first", clock_text(entry->first_ms, first));
	json_number(out, "count", entry->count);
	json_members(out, object);
}

struct slice control_recent_key(const struct recent_entry *entry, unsigned source,
                                char out[RECENT_KEY_MAX])
{
	/* 46 bits of milliseconds last for two thousand years; a list has at most 1,024 entries. */
	uint64_t order = (uint64_t)entry->last_ms << 17 | (entry->number & 2047) << 6;
	int len;

	REQUIRE(source < 64);
	len = snprintf(out, RECENT_KEY_MAX, "%016" PRIx64, UINT64_MAX - (order | source));
	return slice_of(out, (size_t)len);
}
