/* What happened lately, remembered for questions that come later: a bounded number of texts, and of
 * bytes.  Each is about somebody (a key), and nobody pushes out what is known of the others by
 * coming again and again.  Equal texts about one key may be counted as one.  Pure.  Thread: its
 * owner's. */
#ifndef BASE_RECENT_H
#define BASE_RECENT_H

#include "base/bytes.h"

struct recent_entry {
	uint64_t key;
	/* What it says, as far as it is counted by that. */
	uint64_t what;
	/* The order of the last times, from 1. */
	uint64_t number;
	/* How often; when first and last, by the wall clock. */
	uint64_t count;
	int64_t first_ms, last_ms;
	char *text;
	size_t len;
};

struct recent {
	/* In any order. */
	struct recent_entry *entries;
	size_t count, cap;
	/* Of all, and of one key. */
	size_t max, max_per_key;
	/* What it takes, and at most. */
	size_t bytes, max_bytes;
	uint64_t last_number;
};

void recent_init(struct recent *r, size_t max, size_t max_per_key, size_t max_bytes);
void recent_fini(struct recent *r);
/* Is this remembered about the key? Then it is counted once more. For whoever wants to make the
 * text only if it is not. */
bool recent_again(struct recent *r, uint64_t key, uint64_t what, int64_t wall_ms);
/* Remember a copy of the text. Where there is no place, the oldest of this key is forgotten if
 * there are max_per_key of it, else the oldest of all. */
void recent_add(struct recent *r, uint64_t key, uint64_t what, struct slice text, int64_t wall_ms);
/* Both: equal texts about a key are counted as one. */
void recent_count(struct recent *r, uint64_t key, struct slice text, int64_t wall_ms);

#endif
