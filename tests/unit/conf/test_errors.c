/* Collecting errors: order, bounds, escaping, the nearest word. */
#include <errno.h>

#include "base/log.h"
#include "base/nearest.h"
#include "support.h"

static void errors_are_in_the_order_of_files_and_lines(void **state)
{
	struct errors e = {0};
	char *text;

	(void)state;
	errors_add(&e, "b.yaml", 9, 1, "nine");
	errors_add(&e, "a.yaml", 2, 0, "two");
	errors_warn(&e, "b.yaml", 3, 7, "three %d", 7);
	errors_add(&e, "b.yaml", 3, 2, "earlier column");
	errors_add(&e, "a.yaml", 0, 0, "whole");
	errors_add(&e, "b.yaml", 9, 1, "nine, told second");
	text = errors_text(&e);
	assert_text("order", text,
	            "b.yaml:3:2: error: earlier column\n"
	            "b.yaml:3:7: warning: three 7\n"
	            "b.yaml:9:1: error: nine\n"
	            "b.yaml:9:1: error: nine, told second\n"
	            "a.yaml: error: whole\n"
	            "a.yaml:2: error: two\n");
	assert_int_equal(e.error_count, 5);
	assert_int_equal(e.count, 6);
	free(text);
	errors_fini(&e);
	assert_int_equal(e.count + e.error_count, 0);
}

static void errors_beyond_the_bound_are_counted(void **state)
{
	struct errors e = {0};
	char *text;

	(void)state;
	for (unsigned i = 0; i < 150; i++)
		errors_warn(&e, "f", 1000 + i, 1, "odd");
	for (unsigned i = 0; i < 250; i++)
		errors_add(&e, "f", 250 - i, 1, "wrong");
	assert_int_equal(e.count, 2 * ERRORS_MAX); /* warnings take no place of errors */
	assert_int_equal(e.error_count, 250);
	text = errors_text(&e);
	assert_non_null(strstr(text, "\nand 150 more errors\nand 50 more warnings\n"));
	free(text);
	errors_fini(&e);
}

static void what_is_the_same_is_said_once(void **state)
{
	struct errors e = {0};
	char *text;

	(void)state;
	for (int i = 0; i < 3; i++) {
		errors_warn(&e, "f", 1, 1, "odd");
		errors_add(&e, "f", 1, 1, "odd");
		errors_add(&e, "f", 2, 1, "odd");
	}
	assert_int_equal(e.count, 3);
	assert_int_equal(e.error_count, 6); /* whoever compares it sees that there was one */
	text = errors_text(&e);
	assert_string_equal(text, "f:1:1: warning: odd\nf:1:1: error: odd\nf:2:1: error: odd\n");
	free(text);
	errors_fini(&e);
}

static void control_characters_of_a_file_are_escaped(void **state)
{
	struct errors e = {0};
	char *text, *lengthy = xalloc(5000);

	(void)state;
	memset(lengthy, 'x', 4999);
	lengthy[4999] = '\0';
	errors_add(&e, "a\nb", 1, 1, "%s", "\x1b[2J\n\xc2\x9b\xff caf\xc3\xa9");
	errors_add(&e, "a\nb", 2, 1, "%s", lengthy);
	text = errors_text(&e);
	assert_true(slice_starts_with(
	    slice_of_str(text),
	    SLICE("a\\x0ab:1:1: error: \\x1b[2J\\x0a\\xc2\\x9b\\xff caf\xc3\xa9\n")));
	assert_in_range(strlen(text), 1000, 1200);
	free(text);
	free(lengthy);
	errors_fini(&e);
}

static void nearest_name_is_within_a_third_of_its_length(void **state)
{
	static const char *const words[] = {"listeners", "limits",  "log",
	                                    "tls",       "max_qos", "max_packet_size"};
	static const struct {
		const char *word, *want;
	} rows[] = {
	    {"listner", "listeners"},
	    {"lisetners", "listeners"},
	    {"limit", "limits"},
	    {"Limits", "limits"},
	    {"lgo", "log"},
	    {"ts", "tls"},
	    {"tsl", "tls"},
	    {"maxPacketSize", "max_packet_size"},
	    {"max-qos", "max_qos"},
	    {"x", NULL},
	    {"", NULL},
	    {"persistence", NULL},
	    {"max_q", NULL},
	    {"listeners", "listeners"},
	    {"lissssteners", "listeners"},
	    {"lixxxxxers", NULL},
	};
	char lengthy[200];

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		const char *got = nearest_word(rows[i].word, words, ROWS(words));

		if (rows[i].want == NULL ? got != NULL
		                         : got == NULL || strcmp(got, rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].word, got == NULL ? "none" : got);
	}
	memset(lengthy, 'l', sizeof(lengthy) - 1);
	lengthy[sizeof(lengthy) - 1] = '\0';
	assert_null(nearest_word(lengthy, words, ROWS(words)));
	assert_null(nearest_word("log", words, 0));
}

static void keep_line(void *arg, enum event e, struct slice line)
{
	struct buf *out = arg;

	buf_printf(out, "%s|", event_name(e));
	buf_put_slice(out, line);
}

static void errors_go_to_the_log_line_by_line(void **state)
{
	struct errors e = {0};
	struct buf lines = {0};

	(void)state;
	errors_add(&e, "b.yaml", 4, 2, "wrong");
	errors_warn(&e, "b.yaml", 1, 0, "odd");
	log_set_sink(keep_line, &lines);
	errors_log(&e);
	log_set_sink(NULL, NULL);
	buf_put_u8(&lines, '\0');
	assert_non_null(strstr((char *)lines.data, "config-warning|"));
	assert_non_null(strstr((char *)lines.data, "b.yaml:1"));
	assert_non_null(strstr((char *)lines.data, "config-error|"));
	assert_non_null(strstr((char *)lines.data, "b.yaml:4:2"));
	assert_true(strstr((char *)lines.data, "b.yaml:1") <
	            strstr((char *)lines.data, "b.yaml:4:2"));
	buf_fini(&lines);
	errors_fini(&e);
}

static void passing_causes_are_told_from_lasting_ones(void **state)
{
	static const struct {
		int error;
		bool may_pass;
	} rows[] = {{EMFILE, true}, {ENFILE, true},  {ENOMEM, true},  {EIO, true},
	            {0, false},     {ENOENT, false}, {EACCES, false}, {EADDRINUSE, false}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct errors e = {0};

		errors_note_cause(&e, rows[i].error);
		assert_int_equal(e.may_pass, rows[i].may_pass);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(passing_causes_are_told_from_lasting_ones),
	    cmocka_unit_test(errors_are_in_the_order_of_files_and_lines),
	    cmocka_unit_test(errors_beyond_the_bound_are_counted),
	    cmocka_unit_test(what_is_the_same_is_said_once),
	    cmocka_unit_test(control_characters_of_a_file_are_escaped),
	    cmocka_unit_test(nearest_name_is_within_a_third_of_its_length),
	    cmocka_unit_test(errors_go_to_the_log_line_by_line),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
