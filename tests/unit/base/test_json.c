/* Lines of the control socket: what is written, what is taken, and that each undoes the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/json.h"

struct row {
	const char *name;
	struct slice line;
	const char *want; /* written again; NULL: refused */
};

#define ROW(name, line, want)                                                                      \
	{                                                                                          \
		name, SLICE_INIT(line), want                                                       \
	}

static const struct row rows[] = {
    ROW("empty", "{}", "{}\n"),
    ROW("one member", "{\"command\":\"clients\"}", "{\"command\":\"clients\"}\n"),
    ROW("every type", "{\"a\":\"x\",\"b\":12,\"c\":true,\"d\":false,\"e\":null}",
        "{\"a\":\"x\",\"b\":12,\"c\":true,\"d\":false,\"e\":null}\n"),
    ROW("blanks", " { \"a\" : 1 , \"b\" :\t\"\" } ", "{\"a\":1,\"b\":\"\"}\n"),
    ROW("escapes", "{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}",
        "{\"a\":\"\\\"\\\\/\\u0008\\u000c\\n\\u000d\\t\"}\n"),
    ROW("a terminal's escape", "{\"a\":\"\\u001b[2J\"}", "{\"a\":\"\\u001b[2J\"}\n"),
    ROW("NUL inside", "{\"a\":\"x\\u0000y\"}", "{\"a\":\"x\\u0000y\"}\n"),
    ROW("two bytes", "{\"a\":\"\\u00e5\"}", "{\"a\":\"\xc3\xa5\"}\n"),
    ROW("three bytes", "{\"a\":\"\\u20AC\"}", "{\"a\":\"\xe2\x82\xac\"}\n"),
    ROW("a pair", "{\"a\":\"\\ud83d\\ude00\"}", "{\"a\":\"\xf0\x9f\x98\x80\"}\n"),
    ROW("the largest number", "{\"a\":18446744073709551615}", "{\"a\":18446744073709551615}\n"),
    ROW("an empty name", "{\"\":0}", "{\"\":0}\n"),
    ROW("nothing", "", NULL),
    ROW("no object", "\"a\"", NULL),
    ROW("a list", "[1]", NULL),
    ROW("a nested object", "{\"a\":{}}", NULL),
    ROW("a nested list", "{\"a\":[]}", NULL),
    ROW("unclosed", "{\"a\":1", NULL),
    ROW("text unclosed", "{\"a\":\"x", NULL),
    ROW("a comma too many", "{\"a\":1,}", NULL),
    ROW("no comma", "{\"a\":1\"b\":2}", NULL),
    ROW("no colon", "{\"a\" 1}", NULL),
    ROW("no value", "{\"a\":}", NULL),
    ROW("a name twice", "{\"a\":1,\"a\":2}", NULL),
    ROW("a name twice, escaped", "{\"a\":1,\"\\u0061\":2}", NULL),
    ROW("more behind it", "{} {}", NULL),
    ROW("negative", "{\"a\":-1}", NULL),
    ROW("a fraction", "{\"a\":1.5}", NULL),
    ROW("an exponent", "{\"a\":1e3}", NULL),
    ROW("a leading zero", "{\"a\":01}", NULL),
    ROW("a number too large", "{\"a\":18446744073709551616}", NULL),
    ROW("a bare word", "{\"a\":yes}", NULL),
    ROW("a bare name", "{a:1}", NULL),
    ROW("single quotes", "{'a':1}", NULL),
    ROW("an unknown escape", "{\"a\":\"\\x41\"}", NULL),
    ROW("a short escape", "{\"a\":\"\\u12\"}", NULL),
    ROW("half a pair", "{\"a\":\"\\ud83d\"}", NULL),
    ROW("half a pair and text", "{\"a\":\"\\ud83dxxxxxx\"}", NULL),
    ROW("the second half alone", "{\"a\":\"\\ude00\"}", NULL),
    ROW("a pair of two first halves", "{\"a\":\"\\ud83d\\ud83d\"}", NULL),
    ROW("a raw control character", "{\"a\":\"\x01\"}", NULL),
    ROW("a raw newline", "{\"a\":\"\n\"}", NULL),
    ROW("a raw NUL", "{\"a\":\"\0\"}", NULL),
    ROW("no UTF-8", "{\"a\":\"\xff\"}", NULL),
    ROW("a surrogate in UTF-8", "{\"a\":\"\xed\xa0\x80\"}", NULL),
};

static void write_again(const struct json_object *o, struct buf *out)
{
	json_open(out);
	for (size_t i = 0; i < o->count; i++) {
		const struct json_member *m = &o->members[i];
		char *name = slice_dup(m->name);

		if (m->kind == JSON_TEXT)
			json_text(out, name, m->text);
		else if (m->kind == JSON_NUMBER)
			json_number(out, name, m->number);
		else if (m->kind == JSON_BOOL)
			json_bool(out, name, m->number != 0);
		else
			json_str(out, name, NULL);
		free(name);
	}
	json_close(out);
}

static void check(const char *name, struct slice line, const char *want)
{
	struct json_object o;
	struct buf out = {0};

	if (!json_parse(line, &o)) {
		if (want != NULL)
			fail_msg("%s: refused", name);
		return;
	}
	if (want == NULL)
		fail_msg("%s: taken", name);
	write_again(&o, &out);
	if (!slice_equal(buf_slice(&out), slice_of_str(want)))
		fail_msg("%s: %.*s", name, (int)out.len, (const char *)out.data);
	buf_fini(&out);
	json_fini(&o);
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(rows[i].name, rows[i].line, rows[i].want);
}

/* No prefix of an object is an object; what was written is read again as it is. */
static void test_prefixes_and_the_way_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slice line;

		if (rows[i].want == NULL)
			continue;
		line = slice_of_str(rows[i].want);
		line.len--; /* the newline */
		check(rows[i].name, line, rows[i].want);
		for (size_t len = 0; len < line.len; len++)
			check(rows[i].name, slice_of(line.data, len), NULL);
	}
}

static void test_what_is_no_utf8_is_written_as_a_replacement(void **state)
{
	struct buf out = {0};

	(void)state;
	json_open(&out);
	json_text(&out, "a", SLICE("x\xff\xc3"));
	json_text(&out, "b", SLICE("\xe2\x80\xa8\x7f\xc2\x9b"));
	json_close(&out);
	assert_true(slice_equal(buf_slice(&out), SLICE("{\"a\":\"x\xef\xbf\xbd\xef\xbf\xbd\","
	                                               "\"b\":\"\\u2028\\u007f\\u009b\"}\n")));
	buf_fini(&out);
}

static void test_members_are_found(void **state)
{
	struct json_object o;

	(void)state;
	assert_true(json_parse(SLICE("{\"id\":\"lamp\",\"n\":7}"), &o));
	assert_true(slice_equal(json_text_of(&o, "id"), SLICE("lamp")));
	assert_int_equal(json_find(&o, "n")->number, 7);
	assert_int_equal(json_text_of(&o, "n").len, 0); /* it is no text */
	assert_null(json_find(&o, "i"));
	json_fini(&o);
}

static void test_too_many_members(void **state)
{
	struct json_object o;
	struct buf line = {0};
	char name[16];

	(void)state;
	json_open(&line);
	for (int i = 0; i <= JSON_MEMBERS_MAX; i++) {
		struct slice whole;

		snprintf(name, sizeof(name), "m%d", i);
		json_number(&line, name, 1);
		json_close(&line);
		whole = slice_of(line.data, line.len - 1);
		assert_int_equal(json_parse(whole, &o), i < JSON_MEMBERS_MAX);
		if (i < JSON_MEMBERS_MAX)
			json_fini(&o);
		line.len -= 2;
	}
	buf_fini(&line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_prefixes_and_the_way_back),
	    cmocka_unit_test(test_what_is_no_utf8_is_written_as_a_replacement),
	    cmocka_unit_test(test_members_are_found),
	    cmocka_unit_test(test_too_many_members),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
