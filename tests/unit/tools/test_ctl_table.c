/* Tables of broker-ctl: alignment, and that nothing a name holds steers the terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/utf8.h"
#include "ctl/ctl_table.h"

static const struct column columns[] = {
    {"name", "NAME", COLUMN_TEXT},
    {"count", "COUNT", COLUMN_NUMBER},
    {"left", "LEFT", COLUMN_SECONDS},
    {"who", "WHO", COLUMN_TEXT},
};

static const struct column pairs[] = {
    {"", "", COLUMN_TEXT},
    {"", "", COLUMN_TEXT},
};

static void add(struct ctl_table *t, struct slice line)
{
	struct json_object o;

	assert_true(json_parse(line, &o));
	ctl_table_add(t, &o);
	json_fini(&o);
}

static void expect(const struct ctl_table *t, const char *want)
{
	struct buf out = {0};

	ctl_table_print(t, &out);
	buf_put_u8(&out, 0);
	assert_string_equal((const char *)out.data, want);
	buf_fini(&out);
}

static void columns_are_aligned(void **state)
{
	struct ctl_table t = {.columns = columns, .column_count = 4};

	(void)state;
	add(&t, SLICE("{\"name\":\"a\",\"count\":1,\"left\":90,\"who\":\"anna\"}"));
	add(&t, SLICE("{\"who\":null,\"name\":\"a longer one\",\"count\":123456}"));
	add(&t, SLICE("{\"name\":\"l\xc3\xa4mp\",\"count\":true,\"left\":7200,\"more\":1}"));
	expect(&t, "NAME           COUNT  LEFT  WHO\n"
	           "a                  1   90s  anna\n"
	           "a longer one  123456     -  -\n"
	           "l\xc3\xa4mp             yes    2h  -\n");
	ctl_table_fini(&t);
}

static void empty_table_has_its_titles(void **state)
{
	struct ctl_table t = {.columns = columns, .column_count = 4};

	(void)state;
	expect(&t, "NAME  COUNT  LEFT  WHO\n");
	ctl_table_fini(&t);
}

static void table_of_pairs_has_no_titles(void **state)
{
	struct ctl_table t = {.columns = pairs, .column_count = 2, .no_titles = true};
	struct json_member m = {.kind = JSON_NUMBER, .number = UINT64_MAX};

	(void)state;
	ctl_table_add_pair(&t, "retained bytes", &m);
	m = (struct json_member){.kind = JSON_TEXT, .text = SLICE("x\ny")};
	ctl_table_add_pair(&t, "w", &m);
	expect(&t, "retained bytes  18446744073709551615\n"
	           "w               x\\x0ay\n");
	ctl_table_fini(&t);
}

static void seconds_are_shown_in_the_largest_unit(void **state)
{
	static const struct {
		const char *line, *want;
	} rows[] = {
	    {"{\"left\":0}", "0s"},      {"{\"left\":119}", "119s"},
	    {"{\"left\":120}", "2m"},    {"{\"left\":7199}", "119m"},
	    {"{\"left\":7200}", "2h"},   {"{\"left\":172799}", "47h"},
	    {"{\"left\":172800}", "2d"}, {"{\"left\":2592000}", "30d"},
	};
	static const struct column left[] = {{"left", "LEFT", COLUMN_SECONDS}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ctl_table t = {.columns = left, .column_count = 1, .no_titles = true};
		struct buf out = {0};

		add(&t, slice_of_str(rows[i].line));
		ctl_table_print(&t, &out);
		out.data[out.len - 1] = 0;
		assert_string_equal((const char *)out.data, rows[i].want);
		buf_fini(&out);
		ctl_table_fini(&t);
	}
}

static void unsafe_characters_are_escaped(void **state)
{
	static const struct {
		const char *name;
		struct slice text;
		const char *want;
	} rows[] = {
	    {"plain", SLICE_INIT("porch/lamp"), "porch/lamp"},
	    {"not ASCII", SLICE_INIT("l\xc3\xa4mp \xf0\x9f\x92\xa1"),
	     "l\xc3\xa4mp \xf0\x9f\x92\xa1"},
	    {"an escape sequence", SLICE_INIT("\x1b[2J"), "\\x1b[2J"},
	    {"NUL, newline, delete", SLICE_INIT("\0\n\x7f"), "\\x00\\x0a\\x7f"},
	    {"C1: a one-byte CSI", SLICE_INIT("\xc2\x9b"), "\\x9b"},
	    {"a turn of direction", SLICE_INIT("\xe2\x80\xae"), "\\u202e"},
	    {"isolates", SLICE_INIT("\xe2\x81\xa6\xe2\x81\xa9"), "\\u2066\\u2069"},
	    {"a line separator", SLICE_INIT("\xe2\x80\xa8"), "\\u2028"},
	    {"a backslash", SLICE_INIT("\\x1b"), "\\\\x1b"},
	    {"no UTF-8", SLICE_INIT("\xff\xc3"), "\\xff\\xc3"},
	    {"nothing", SLICE_INIT(""), ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out = {0};

		utf8_put_printable(&out, rows[i].text);
		if (!slice_equal(buf_slice(&out), slice_of_str(rows[i].want)))
			fail_msg("%s: %.*s", rows[i].name, (int)out.len, (const char *)out.data);
		buf_fini(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(columns_are_aligned),
	    cmocka_unit_test(empty_table_has_its_titles),
	    cmocka_unit_test(table_of_pairs_has_no_titles),
	    cmocka_unit_test(seconds_are_shown_in_the_largest_unit),
	    cmocka_unit_test(unsafe_characters_are_escaped),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
