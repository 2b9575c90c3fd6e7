/* What happened lately, remembered for questions that come later: a bounded number of texts, and of
 * bytes.  Each is about somebody (a key), and nobody pushes out what is known of the others by
 * coming again and again.  Equal texts about one key may be counted as one.  Pure.  Thread: its
 * owner's. */
#ifndef BASE_RECENT_H
#define BASE_RECENT_H

#include "base/bytes.h"

struct recent_entry {
	/* Of all, the oldest first; and among those whose keys share a bucket. utlist DL. */
	struct recent_entry *prev, *next;
	struct recent_entry *bucket_prev, *bucket_next;
	uint64_t key;
	/* What it says, as far as it is counted by that. */
	uint64_t what;
	/* The order of the last times, from 1. */
	uint64_t number;
	/* How often; when first and last, by the wall clock. */
	uint64_t count;
	int64_t first_ms, last_ms;
	size_t len;
	char text[];
};

#define RECENT_BUCKETS 256

struct recent {
	struct recent_entry *entries;
	struct recent_entry *buckets[RECENT_BUCKETS];
	size_t count;
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

static inline struct slice recent_text(const struct recent_entry *e)
{
	return slice_of(e->text, e->len);
}

#endif
