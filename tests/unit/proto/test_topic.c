/* Topic names, filters, shares, matching: the examples of the standards and the corners around
 * them. */
#include "proto/topic.h"
#include "rows.h"

static const struct {
	const char *text;
	bool name;
	bool filter;
} validity[] = {
    {"", false, false}, /* [MQTT-4.7.3-1] */
    {"'a'", true, true},
    {"'/'", true, true},
    {"'//'", true, true},
    {"' '", true, true},
    {"'sport/tennis/player1'", true, true},
    {"'$SYS/broker/load'", true, true},
    {"'Accounts payable'", true, true},
    {"'a' 00", false, false}, /* [MQTT-4.7.3-2] */
    {"00", false, false},
    {"'abcdefgh' 00", false, false},
    {"'abcdefg' 00 'hijklmnop'", false, false},
    {"'a' c3a9", true, true},
    {"'abcdefgh/' c3a9", true, true},
    {"efbbbf 'a'", true, true}, /* [MQTT5-1.5.4-3] [MQTT3-1.5.3-3] */
    {"'a' c3", false, false},   /* [MQTT5-1.5.4-1] [MQTT3-1.5.3-1] */
    {"eda080", false, false},
    {"'abcdefgh' ff", false, false},
    {"7f", true, true},
    {"01", true, true},
    {"'#'", false, true}, /* [MQTT-3.3.2-2] [MQTT5-4.7.0-1] [MQTT3-4.7.1-1] */
    {"'+'", false, true},
    {"'a/#'", false, true},
    {"'/#'", false, true},
    {"'a#'", false, false}, /* [MQTT5-4.7.1-1] [MQTT3-4.7.1-2] */
    {"'#a'", false, false},
    {"'#/a'", false, false},
    {"'#/'", false, false},
    {"'#/#'", false, false},
    {"'##'", false, false},
    {"'a/#/b'", false, false},
    {"'sport/tennis#'", false, false},
    {"'+/+'", false, true},
    {"'/+'", false, true},
    {"'+/'", false, true},
    {"'+/tennis/#'", false, true},
    {"'sport/+/player1'", false, true},
    {"'sport+'", false, false}, /* [MQTT5-4.7.1-2] [MQTT3-4.7.1-3] */
    {"'+a'", false, false},
    {"'a/+b/c'", false, false},
    {"'++'", false, false},
    {"'+#'", false, false},
    {"'#+'", false, false},
    {"'abcdefgh+'", false, false},
    {"'abcdefg#hijklmnop'", false, false},
    {"'abcdefghijklmno+'", false, false},
    {"'abcdefgh/' c3a9 '/+'", false, true},
};

static void names_and_filters(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(validity); i++) {
		struct slice s = exact_bytes(validity[i].text);

		if (topic_name_valid(s) != validity[i].name)
			fail_msg("name %s", validity[i].text);
		if (topic_filter_valid(s) != validity[i].filter)
			fail_msg("filter %s", validity[i].text);
		slice_free(s);
	}
}

/* Every byte at every place of names of every short length. */
static void plain_is_what_it_says(void **state)
{
	(void)state;
	for (size_t len = 1; len <= 20; len++) {
		uint8_t *name = xcalloc(1, len);

		memset(name, 'x', len);
		assert_true(topic_is_plain(slice_of(name, len)));
		for (size_t at = 0; at < len; at++) {
			for (unsigned b = 0; b < 256; b++) {
				bool plain = b >= 0x20 && b < 0x7f && b != '+' && b != '#';

				name[at] = (uint8_t)b;
				assert_int_equal(topic_is_plain(slice_of(name, len)), plain);
			}
			name[at] = 'x';
		}
		free(name);
	}
	assert_true(topic_is_plain(SLICE_EMPTY));
}

static const struct {
	const char *filter;
	const char *name;
	bool want;
} matches[] = {
    {"sport/tennis/player1/#", "sport/tennis/player1", true},
    {"sport/tennis/player1/#", "sport/tennis/player1/ranking", true},
    {"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true},
    {"sport/tennis/player1/#", "sport/tennis/player2", false},
    {"sport/tennis/player1/#", "sport/tennis", false},
    {"sport/#", "sport", true},
    {"sport/#", "sport/", true},
    {"sport/#", "sports", false},
    {"#", "sport", true},
    {"#", "/", true},
    {"#", "a/b/c/d", true},
    {"sport/tennis/+", "sport/tennis/player1", true},
    {"sport/tennis/+", "sport/tennis/player1/ranking", false},
    {"sport/tennis/+", "sport/tennis", false},
    {"sport/tennis/+", "sport/tennis/", true},
    {"sport/+", "sport", false},
    {"sport/+", "sport/", true},
    {"+", "finance", true},
    {"+", "/finance", false},
    {"+", "finance/", false},
    {"+/+", "/finance", true},
    {"/+", "/finance", true},
    {"+/+", "finance", false},
    {"+/+/+", "a//b", true},
    {"+/#", "a", true},
    {"+/#", "/", true},
    {"a/+/c/#", "a/b/c", true},
    {"a/+/c/#", "a//c/d", true},
    {"a/+/c/#", "a/b", false},
    {"a", "a", true},
    {"a", "A", false}, /* [MQTT-4.7.3-4] */
    {"a", "a/", false},
    {"a/", "a", false},
    {"a/", "a/", true},
    {"/a", "a", false},
    {"a//b", "a/b", false},
    {"a b", "a b", true},
    {"ab", "abc", false},
    {"abc", "ab", false},
    {"#", "$SYS/a", false}, /* [MQTT-4.7.2-1] */
    {"#", "$", false},
    {"+/a", "$SYS/a", false},
    {"+", "$SYS", false},
    {"+/#", "$SYS/a", false},
    {"$SYS/#", "$SYS/a", true},
    {"$SYS/#", "$SYS", true},
    {"$SYS/monitor/+", "$SYS/monitor/Clients", true},
    {"a/+", "a/$b", true},
    {"a/#", "a/$b/c", true},
    {"/#", "/$b", true},
};

static const struct {
	const char *a, *b;
	bool want;
} overlaps[] = {
    {"a/b", "a/b", true},       {"a/b", "a/c", false},  {"a/b", "a", false},
    {"a/b", "a/b/", false},     {"a/+", "+/b", true},   {"a/+", "b/+", false},
    {"+", "a/b", false},        {"#", "a/b/c", true},   {"a/#", "a", true},
    {"a/#", "a/b/#", true},     {"a/#", "b/#", false},  {"a/+/c", "a/b/+", true},
    {"a/+/c", "a/b/d", false},  {"+/+", "a/#", true},   {"+", "a/#", true},
    {"a/b/#", "a", false},      {"#", "$SYS/a", false}, {"+/a", "$SYS/#", false},
    {"$SYS/#", "$SYS/+", true}, {"a/#", "a/$b", true},  {"", "a", false},
};

static void overlapping(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(overlaps); i++) {
		struct slice a = slice_of_str(overlaps[i].a), b = slice_of_str(overlaps[i].b);

		if (topic_filters_overlap(a, b) != overlaps[i].want ||
		    topic_filters_overlap(b, a) != overlaps[i].want)
			fail_msg("%s and %s", overlaps[i].a, overlaps[i].b);
	}
}

static void matching(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(matches); i++) {
		struct slice filter = exact_copy(slice_of_str(matches[i].filter));
		struct slice name = exact_copy(slice_of_str(matches[i].name));

		if (topic_matches(filter, name) != matches[i].want)
			fail_msg("%s on %s", matches[i].filter, matches[i].name);
		slice_free(filter);
		slice_free(name);
	}
}

static void shares(void **state)
{
	static const struct {
		const char *whole;
		enum share_result want;
		const char *group;
		const char *filter;
	} rows[] = {
	    {"sport/#", SHARE_NONE, NULL, NULL},
	    {"$share", SHARE_NONE, NULL, NULL},
	    {"$shared/g/a", SHARE_NONE, NULL, NULL},
	    {"$SHARE/g/a", SHARE_NONE, NULL, NULL},
	    {"$SYS/#", SHARE_NONE, NULL, NULL},
	    {"", SHARE_NONE, NULL, NULL},
	    {"$share/consumer1/sport/tennis/+", SHARE_OK, "consumer1", "sport/tennis/+"},
	    {"$share/consumer2//finance", SHARE_OK, "consumer2", "/finance"},
	    {"$share/g/#", SHARE_OK, "g", "#"},
	    {"$share/g/$SYS/#", SHARE_OK, "g", "$SYS/#"},
	    {"$share/$g/a", SHARE_OK, "$g", "a"},
	    {"$share/g//", SHARE_OK, "g", "/"},
	    {"$share/g/a/", SHARE_OK, "g", "a/"},
	    {"$share/", SHARE_INVALID, NULL, NULL}, /* [MQTT5-4.8.2-1] */
	    {"$share//a", SHARE_INVALID, NULL, NULL},
	    {"$share/g", SHARE_INVALID, NULL, NULL}, /* [MQTT5-4.8.2-2] */
	    {"$share/g/", SHARE_INVALID, NULL, NULL},
	    {"$share/+/a", SHARE_INVALID, NULL, NULL},
	    {"$share/#", SHARE_INVALID, NULL, NULL},
	    {"$share/#/a", SHARE_INVALID, NULL, NULL},
	    {"$share/g+/a", SHARE_INVALID, NULL, NULL},
	    {"$share/g/a#", SHARE_INVALID, NULL, NULL},
	    {"$share/g/#/a", SHARE_INVALID, NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice whole = exact_copy(slice_of_str(rows[i].whole));
		struct slice group = SLICE_EMPTY;
		struct slice filter = SLICE_EMPTY;

		if (topic_filter_share(whole, &group, &filter) != rows[i].want)
			fail_msg("%s", rows[i].whole);
		if (rows[i].want == SHARE_OK) {
			assert_true(slice_equal(group, slice_of_str(rows[i].group)));
			assert_true(slice_equal(filter, slice_of_str(rows[i].filter)));
		}
		slice_free(whole);
	}
}

static void walk_gives_every_level(void **state)
{
	static const struct {
		const char *s;
		size_t count;
		const char *levels[5];
	} rows[] = {
	    {"", 1, {""}},
	    {"a", 1, {"a"}},
	    {"/", 2, {"", ""}},
	    {"a/", 2, {"a", ""}},
	    {"/a", 2, {"", "a"}},
	    {"//", 3, {"", "", ""}},
	    {"ab//cd/#", 4, {"ab", "", "cd", "#"}},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice s = exact_copy(slice_of_str(rows[i].s));
		struct topic_walk w = topic_walk_of(s);
		struct slice level;

		for (size_t n = 0; n < rows[i].count; n++) {
			assert_true(topic_walk_next(&w, &level));
			assert_true(slice_equal(level, slice_of_str(rows[i].levels[n])));
			assert_int_equal(w.done, n + 1 == rows[i].count);
		}
		assert_false(topic_walk_next(&w, &level));
		assert_false(topic_walk_next(&w, &level));
		assert_int_equal(topic_levels(s), rows[i].count);
		for (size_t max = 0; max < rows[i].count + 3; max++)
			assert_int_equal(topic_exceeds_levels(s, max), rows[i].count > max);
		slice_free(s);
	}
}

/* As deep as a string can be: no recursion, no quadratic work. */
static void deepest_topic(void **state)
{
	size_t len = 65535;
	uint8_t *slashes = xcalloc(1, len);
	uint8_t *plusses = xcalloc(1, len);
	struct slice name = slice_of(slashes, len);
	struct slice filter = slice_of(plusses, len);

	(void)state;
	memset(slashes, '/', len);
	for (size_t i = 0; i < len; i++)
		plusses[i] = i % 2 == 0 ? '+' : '/';
	assert_true(topic_name_valid(name));
	assert_true(topic_filter_valid(filter));
	assert_int_equal(topic_levels(name), 65536);
	assert_int_equal(topic_levels(filter), 32768);
	assert_false(topic_matches(filter, name));
	assert_true(topic_matches(filter, slice_of(slashes, 32767)));
	assert_true(topic_matches(name, name));
	free(slashes);
	free(plusses);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_and_filters),
	    cmocka_unit_test(plain_is_what_it_says),
	    cmocka_unit_test(overlapping),
	    cmocka_unit_test(matching),
	    cmocka_unit_test(shares),
	    cmocka_unit_test(walk_gives_every_level),
	    cmocka_unit_test(deepest_topic),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("topic", tests, NULL, NULL);
}
