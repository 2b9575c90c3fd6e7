/* Names, filters, shares and matching against the simplest definitions.
 * Input: a filter, a line feed, a name. */
#include <stdint.h>

#include "base/require.h"
#include "base/utf8.h"
#include "proto/topic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_char(struct slice s, size_t at, char c)
{
	return at < s.len && s.data[at] == (uint8_t)c;
}

static bool naive_name_valid(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (is_char(s, i, '+') || is_char(s, i, '#'))
			return false;
	}
	return s.len > 0 && utf8_valid(s);
}

static bool naive_filter_valid(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		bool begins = i == 0 || is_char(s, i - 1, '/');
		bool last = i + 1 == s.len;

		if (is_char(s, i, '#') && !(begins && last))
			return false;
		if (is_char(s, i, '+') && !(begins && (last || is_char(s, i + 1, '/'))))
			return false;
	}
	return s.len > 0 && utf8_valid(s);
}

static size_t level_end(struct slice s)
{
	size_t i = 0;

	while (i < s.len && s.data[i] != '/')
		i++;
	return i;
}

/* Level by level: the first of each, then the rest. */
static bool naive_rest(struct slice filter, struct slice name)
{
	size_t f = level_end(filter);
	size_t n = level_end(name);

	if (f == 1 && is_char(filter, 0, '#'))
		return true;
	if (!(f == 1 && is_char(filter, 0, '+')) &&
	    !slice_equal(slice_of(filter.data, f), slice_of(name.data, n)))
		return false;
	if (f == filter.len)
		return n == name.len;
	filter = slice_skip(filter, f + 1);
	if (n == name.len)
		return slice_equal(filter, SLICE("#"));
	return naive_rest(filter, slice_skip(name, n + 1));
}

static bool naive_matches(struct slice filter, struct slice name)
{
	if (is_char(name, 0, '$') && (is_char(filter, 0, '+') || is_char(filter, 0, '#')))
		return false;
	return naive_rest(filter, name);
}

static enum share_result naive_share(struct slice s)
{
	struct slice group;
	size_t end;

	if (s.len < 7 || memcmp(s.data, "$share/", 7) != 0)
		return SHARE_NONE;
	s = slice_skip(s, 7);
	end = level_end(s);
	group = slice_of(s.data, end);
	if (end == 0 || end == s.len || memchr(group.data, '+', end) != NULL ||
	    memchr(group.data, '#', end) != NULL)
		return SHARE_INVALID;
	return naive_filter_valid(slice_skip(s, end + 1)) ? SHARE_OK : SHARE_INVALID;
}

/* The levels and the slashes between them are the whole. */
static void check_walk(struct slice s)
{
	struct topic_walk w = topic_walk_of(s);
	struct slice level;
	size_t levels = 0;
	size_t bytes = 0;

	while (topic_walk_next(&w, &level)) {
		REQUIRE(level_end(level) == level.len);
		bytes += level.len;
		levels++;
	}
	REQUIRE(bytes + levels - 1 == s.len && levels == topic_levels(s));
}

static void check_filter(struct slice filter)
{
	struct slice group = SLICE_EMPTY;
	struct slice inner = SLICE_EMPTY;
	enum share_result share = topic_filter_share(filter, &group, &inner);

	check_walk(filter);
	REQUIRE(topic_filter_valid(filter) == naive_filter_valid(filter));
	REQUIRE(share == naive_share(filter));
	if (share == SHARE_OK)
		REQUIRE(7 + group.len + 1 + inner.len == filter.len && group.len > 0 &&
		        inner.len > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *feed = size == 0 ? NULL : memchr(data, '\n', size);
	size_t cut = feed == NULL ? size : (size_t)(feed - data);
	struct slice filter = slice_of(data, cut);
	struct slice name = slice_skip(slice_of(data, size), feed == NULL ? size : cut + 1);
	bool match = topic_matches(filter, name);

	check_filter(filter);
	check_filter(name);
	REQUIRE(topic_name_valid(name) == naive_name_valid(name));
	REQUIRE(topic_name_valid(filter) == naive_name_valid(filter));
	if (topic_filter_valid(filter) && topic_name_valid(name))
		REQUIRE(match == naive_matches(filter, name));
	return 0;
}
