/* Topic names, topic filters, and the plain definition of matching.  Pure; every function reads its
 * input once from left to right. */
#include "proto/topic.h"

#include "base/utf8.h"

#define TOP_BITS UINT64_C(0x8080808080808080)
#define ONES     UINT64_C(0x0101010101010101)

/* A lane whose byte is below n (at most 0x80) gets its top bit; lanes above such a one may be
 * wrong, so the answer is only "some" or "none". */
static uint64_t has_less(uint64_t word, unsigned n)
{
	return (word - ONES * n) & ~word & TOP_BITS;
}

static bool word_is_plain(const uint8_t *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return (((word | (word + ONES)) & TOP_BITS) | /* above 0x7e */
	        has_less(word, 0x20) | has_less(word ^ (ONES * '+'), 1) |
	        has_less(word ^ (ONES * '#'), 1)) == 0;
}

static bool byte_is_plain(uint8_t b)
{
	return b >= 0x20 && b < 0x7f && b != '+' && b != '#';
}

bool topic_is_plain(struct slice s)
{
	size_t i = 0;

	if (s.len < 8) {
		for (; i < s.len; i++) {
			if (!byte_is_plain(s.data[i]))
				return false;
		}
		return true;
	}
	for (; i + 8 <= s.len; i += 8) {
		if (!word_is_plain(s.data + i))
			return false;
	}
	return word_is_plain(s.data + s.len - 8); /* overlaps what was seen already */
}

/* [MQTT5-4.7.0-1] [MQTT5-4.7.3-1, -2] [MQTT3-4.7.1-1] [MQTT3-4.7.3-1, -2] */
bool topic_name_valid(struct slice name)
{
	if (name.len == 0)
		return false;
	return topic_is_plain(name) || (utf8_valid(name) && !topic_has_wildcard(name));
}

static bool level_is(struct slice level, char wildcard)
{
	return level.len == 1 && level.data[0] == (uint8_t)wildcard;
}

/* [MQTT5-4.7.1-1, -2] [MQTT3-4.7.1-2, -3] */
bool topic_filter_valid(struct slice filter)
{
	struct topic_walk w = topic_walk_of(filter);
	struct slice level;

	if (filter.len == 0 || !utf8_valid(filter))
		return false;
	while (topic_walk_next(&w, &level)) {
		if (level_is(level, '#'))
			return w.done;
		if (!level_is(level, '+') && topic_has_wildcard(level))
			return false;
	}
	return true;
}

size_t topic_levels(struct slice s)
{
	uint32_t separators = 0;

	for (size_t i = 0; i < s.len; i++)
		separators += s.data[i] == '/';
	return (size_t)separators + 1;
}

bool topic_has_wildcard(struct slice s)
{
	return s.len > 0 &&
	       (memchr(s.data, '+', s.len) != NULL || memchr(s.data, '#', s.len) != NULL);
}

enum share_result topic_filter_share(struct slice whole, struct slice *group, struct slice *filter)
{
	struct topic_walk w;

	if (!slice_starts_with(whole, SLICE(TOPIC_SHARE_PREFIX)))
		return SHARE_NONE;
	w = topic_walk_of(slice_skip(whole, sizeof(TOPIC_SHARE_PREFIX) - 1));
	topic_walk_next(&w, group);
	*filter = w.rest;
	if (group->len == 0 || topic_has_wildcard(*group))
		return SHARE_INVALID; /* [MQTT5-4.8.2-1, -2] */
	return topic_filter_valid(*filter) ? SHARE_OK : SHARE_INVALID;
}

/* Byte by byte, nothing is normalised. [MQTT-4.7.3-4] */
bool topic_matches(struct slice filter, struct slice name)
{
	struct topic_walk filters = topic_walk_of(filter);
	struct topic_walk names = topic_walk_of(name);
	struct slice want, have;

	if (name.len > 0 && name.data[0] == '$' && filter.len > 0 &&
	    (filter.data[0] == '+' || filter.data[0] == '#'))
		return false; /* [MQTT-4.7.2-1] */
	while (topic_walk_next(&filters, &want)) {
		if (level_is(want, '#'))
			return true; /* the parent level too */
		if (!topic_walk_next(&names, &have))
			return false;
		if (!level_is(want, '+') && !slice_equal(want, have))
			return false;
	}
	return names.done;
}

static bool begins_with_wildcard(struct slice filter)
{
	return filter.len > 0 && (filter.data[0] == '+' || filter.data[0] == '#');
}

bool topic_filters_overlap(struct slice a, struct slice b)
{
	struct topic_walk walk_a = topic_walk_of(a), walk_b = topic_walk_of(b);
	struct slice level_a, level_b;

	if ((a.len > 0 && a.data[0] == '$' && begins_with_wildcard(b)) ||
	    (b.len > 0 && b.data[0] == '$' && begins_with_wildcard(a)))
		return false; /* [MQTT-4.7.2-1] */
	for (;;) {
		bool more_a = topic_walk_next(&walk_a, &level_a);
		bool more_b = topic_walk_next(&walk_b, &level_b);

		/* '#' matches the parent level, too */
		if ((more_a && level_is(level_a, '#')) || (more_b && level_is(level_b, '#')))
			return true;
		if (!more_a || !more_b)
			return more_a == more_b;
		if (!level_is(level_a, '+') && !level_is(level_b, '+') &&
		    !slice_equal(level_a, level_b))
			return false;
	}
}

struct topic_walk topic_walk_of(struct slice s)
{
	return (struct topic_walk){.rest = s, .done = false};
}

/* [MQTT-4.7.3-3] */
bool topic_walk_next(struct topic_walk *w, struct slice *level)
{
	const uint8_t *slash;

	if (w->done)
		return false;
	slash = w->rest.len == 0 ? NULL : memchr(w->rest.data, '/', w->rest.len);
	if (slash == NULL) {
		*level = w->rest;
		w->rest = SLICE_EMPTY;
		w->done = true;
		return true;
	}
	*level = slice_of(w->rest.data, (size_t)(slash - w->rest.data));
	w->rest = slice_skip(w->rest, level->len + 1);
	return true;
}
