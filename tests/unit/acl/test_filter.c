/* The algebra of filters: vectors, and every pair of small filters against every small topic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "acl/acl.h"
#include "acl/pattern.h"
#include "acl/rule_filter.h"
#include "base/alloc.h"
#include "base/hash.h"
#include "proto/topic.h"

/* Of two filters without names. */
static bool overlaps(struct slice a, struct slice b)
{
	struct rule_filter filter = {0};
	size_t bad;
	bool found;

	assert_true(rule_filter_parse(&filter, a, &bad));
	found = rule_filter_overlaps(&filter, b, &(struct pattern_names){0});
	rule_filter_fini(&filter);
	return found;
}

static void filters_cover_and_overlap_by_table(void **state)
{
	static const struct {
		const char *outer, *inner;
		bool covers, overlaps;
	} rows[] = {
	    {"a/b", "a/b", true, true},         {"a/b", "a/c", false, false},
	    {"a/+", "a/b", true, true},         {"a/b", "a/+", false, true},
	    {"#", "a/+/b/#", true, true},       {"a/#", "a", true, true},
	    {"a", "a/#", false, true},          {"a/+", "a/#", false, true},
	    {"a/#", "a/+/#", true, true},       {"a/+/#", "a/#", false, true},
	    {"+/#", "#", true, true},           {"+/+/#", "#", false, true},
	    {"+/+/#", "/#", true, true},        {"+", "/#", false, false},
	    {"+", "+/#", false, true},          {"#", "$SYS/#", false, false},
	    {"+/x", "$SYS/x", false, false},    {"$SYS/#", "$SYS/x", true, true},
	    {"a/+", "a/$x", true, true},        {"a/+/c", "a/b/+", false, true},
	    {"a/+/c", "a/b/+/d", false, false}, {"/", "/", true, true},
	    {"+/+", "/", true, true},           {"/+", "+/", false, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slice a = slice_of_str(rows[i].outer), b = slice_of_str(rows[i].inner);

		if (rule_filter_covers(a, b) != rows[i].covers)
			fail_msg("covers %s %s", rows[i].outer, rows[i].inner);
		if (overlaps(a, b) != rows[i].overlaps || overlaps(b, a) != rows[i].overlaps)
			fail_msg("overlaps %s %s", rows[i].outer, rows[i].inner);
	}
}

#define TEXTS_MAX 1000
#define TEXT_SIZE 16
#define WORDS     (TEXTS_MAX / 64 + 1)

struct texts {
	char text[TEXTS_MAX][TEXT_SIZE];
	size_t count;
};

/* The text number `code` of so many levels. */
static void text_write(char *out, const char *const *alphabet, size_t letters, size_t levels,
                       size_t code)
{
	size_t n = 0;

	for (size_t i = 0; i < levels; i++, code /= letters)
		n += (size_t)snprintf(out + n, TEXT_SIZE - n, "%s%s", i > 0 ? "/" : "",
		                      alphabet[code % letters]);
}

/* All texts of one to `depth` levels over the alphabet. */
static void texts_fill(struct texts *t, const char *const *alphabet, size_t letters, size_t depth)
{
	size_t total = 1;

	for (size_t levels = 1; levels <= depth; levels++) {
		total *= letters;
		assert_true(t->count + total <= TEXTS_MAX);
		for (size_t n = 0; n < total; n++)
			text_write(t->text[t->count++], alphabet, letters, levels, n);
	}
}

static void texts_keep(struct texts *t, bool (*valid)(struct slice))
{
	size_t kept = 0;

	for (size_t i = 0; i < t->count; i++) {
		if (valid(slice_of_str(t->text[i])))
			memmove(t->text[kept++], t->text[i], sizeof(t->text[i]));
	}
	t->count = kept;
}

static struct texts small_filters, small_topics;
static uint64_t matched[TEXTS_MAX][WORDS]; /* a bit per topic, for each filter */

static void fill_matched(size_t f)
{
	for (size_t t = 0; t < small_topics.count; t++) {
		if (topic_matches(slice_of_str(small_filters.text[f]),
		                  slice_of_str(small_topics.text[t])))
			matched[f][t / 64] |= UINT64_C(1) << (t % 64);
	}
}

static void compare_pair(size_t a, size_t b, size_t *covered, size_t *met)
{
	const char *x = small_filters.text[a], *y = small_filters.text[b];
	uint64_t outside = 0, common = 0;

	for (size_t w = 0; w < WORDS; w++) {
		outside |= matched[b][w] & ~matched[a][w];
		common |= matched[b][w] & matched[a][w];
	}
	if (rule_filter_covers(slice_of_str(x), slice_of_str(y)) != (outside == 0))
		fail_msg("covers %s %s", x, y);
	if (overlaps(slice_of_str(x), slice_of_str(y)) != (common != 0))
		fail_msg("overlaps %s %s", x, y);
	*covered += outside == 0;
	*met += common != 0;
}

/* A letter more than the filters have stands for all the others there are. */
static void all_short_filters_agree_with_their_topics(void **state)
{
	static const char *const in_filters[] = {"a", "b", "$s", "", "+", "#"};
	static const char *const in_topics[] = {"a", "b", "$s", "", "z"};
	size_t covered = 0, met = 0;

	(void)state;
	texts_fill(&small_filters, in_filters, 6, 3);
	texts_keep(&small_filters, topic_filter_valid);
	texts_fill(&small_topics, in_topics, 5, 4);
	texts_keep(&small_topics, topic_name_valid);
	for (size_t f = 0; f < small_filters.count; f++)
		fill_matched(f);
	for (size_t i = 0; i < small_filters.count * small_filters.count; i++)
		compare_pair(i / small_filters.count, i % small_filters.count, &covered, &met);
	assert_true(small_filters.count > 150 && covered > small_filters.count && met > covered);
}

/* A policy of one rule, asked for each filter: with names that have values its filter is the one
 * that one would write with them. */
static void compare_policy(const char *rule, const char *plain, const struct texts *asked,
                           enum conf_partial_subscriptions partial)
{
	char *yaml = xasprintf("users: {a: {rules: [\"allow subscribe %s\"]}}", rule);
	struct errors errors = {0};
	struct acl *acl = acl_parse("acl.yaml", slice_of_str(yaml), partial, &errors);
	struct acl_subject *subject;

	assert_non_null(acl);
	subject =
	    acl_subject_new(acl, &(struct acl_who){.user = SLICE("a"), .client_id = SLICE("b")});
	for (size_t i = 0; i < asked->count; i++) {
		struct slice outer = slice_of_str(plain), inner = slice_of_str(asked->text[i]);
		struct acl_request request = {.action = ACL_SUBSCRIBE, .topic = inner};
		bool want = partial == PARTIAL_SUBSCRIPTIONS_FILTER
		                ? overlaps(outer, inner)
		                : rule_filter_covers(outer, inner);

		if (acl_check(subject, &request).allowed != want)
			fail_msg("%s, asked %s", rule, asked->text[i]);
	}
	acl_subject_free(subject);
	acl_free(acl);
	errors_fini(&errors);
	free(yaml);
}

static void filter_of_a_rule_overlaps_like_a_plain_one(void **state)
{
	static const char *const in_rules[] = {"a", "%u", "d%c", "$s", "", "+", "#"};
	static const char *const in_values[] = {"a", "a", "db", "$s", "", "+", "#"};
	static const char *const in_asked[] = {"a", "db", "d", "$s", "", "+", "#"};
	static struct texts rules, values, asked;

	(void)state;
	texts_fill(&rules, in_rules, 7, 3);
	texts_fill(&values, in_values, 7, 3);
	texts_fill(&asked, in_asked, 7, 3);
	texts_keep(&rules, topic_filter_valid);
	texts_keep(&values, topic_filter_valid);
	texts_keep(&asked, topic_filter_valid);
	assert_int_equal(rules.count, values.count);
	for (size_t r = 0; r < rules.count; r++) {
		compare_policy(rules.text[r], values.text[r], &asked, PARTIAL_SUBSCRIPTIONS_REFUSE);
		compare_policy(rules.text[r], values.text[r], &asked, PARTIAL_SUBSCRIPTIONS_FILTER);
	}
}

static void patterns_match_by_table(void **state)
{
	static const struct {
		const char *pattern, *bytes;
		unsigned flags;
		bool matches;
	} rows[] = {
	    {"", "", 0, true},
	    {"a", "", 0, false},
	    {"x%uy", "xUSERy", 0, true},
	    {"x%uy", "xUSER", 0, false},
	    {"%u", "USERS", 0, false},
	    {"%u", "USERS", PATTERN_OPEN, true},
	    {"%c", "x", 0, false},
	    {"%c", "", PATTERN_HOLES, true},
	    {"%c", "$x", PATTERN_HOLES, true},
	    {"%c", "$x", PATTERN_HOLES | PATTERN_FIRST, false},
	    {"$%c", "$x", PATTERN_HOLES | PATTERN_FIRST, true},
	    {"a%cb", "ab", PATTERN_HOLES, true},
	    {"a%cb", "axxbxb", PATTERN_HOLES, true},
	    {"a%cb", "axxbx", PATTERN_HOLES, false},
	    {"a%cb", "axxbx", PATTERN_HOLES | PATTERN_OPEN, true},
	    {"a%cb", "axx", PATTERN_HOLES | PATTERN_OPEN, false},
	    {"%c-%c-%u", "1-2-3-USER", PATTERN_HOLES, true},
	    {"%c-%c-%u", "1-USER", PATTERN_HOLES, false},
	    {"%c%u%cx", "USERUSERx", PATTERN_HOLES, true},
	    {"%cab%c", "aab", PATTERN_HOLES, true},
	    {"%cabab%c", "ababab", PATTERN_HOLES, true},
	    {"a%ca", "a", PATTERN_HOLES, false},
	};
	struct pattern_names names = {.user = SLICE("USER")};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pattern p = {0};
		struct slice raw = slice_of_str(rows[i].pattern);

		assert_int_equal(pattern_parse(&p, raw), raw.len);
		if (pattern_matches(&p, &names, slice_of_str(rows[i].bytes), rows[i].flags) !=
		    rows[i].matches)
			fail_msg("%s: %s", rows[i].pattern, rows[i].bytes);
		pattern_fini(&p);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(filters_cover_and_overlap_by_table),
	    cmocka_unit_test(all_short_filters_agree_with_their_topics),
	    cmocka_unit_test(filter_of_a_rule_overlaps_like_a_plain_one),
	    cmocka_unit_test(patterns_match_by_table),
	};

	hash_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
