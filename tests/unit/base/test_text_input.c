/* What editors and shells leave in a text, and what is no text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/text_input.h"

#define MARK "\xef\xbb\xbf"

static void only_line_is_what_was_meant(void **state)
{
	static const struct {
		const char *name;
		struct slice text;
		const char *says; /* NULL: refused */
		const char *why;
	} rows[] = {
	    {"bare", SLICE_INIT("pw"), "pw", NULL},
	    {"newline", SLICE_INIT("pw\n"), "pw", NULL},
	    {"line end of Windows", SLICE_INIT("pw\r\n"), "pw", NULL},
	    {"mark", SLICE_INIT(MARK "pw\n"), "pw", NULL},
	    {"mark and line end", SLICE_INIT(MARK "pw\r\n"), "pw", NULL},
	    {"blanks are kept", SLICE_INIT(" p w \n"), " p w ", NULL},
	    {"letters of all kinds", SLICE_INIT("p\xc3\xa9w\n"), "p\xc3\xa9w", NULL},
	    {"one line end only", SLICE_INIT("pw\n\n"), NULL, "more than one line"},
	    {"two lines", SLICE_INIT("pw\nmore\n"), NULL, "more than one line"},
	    {"empty", SLICE_INIT(""), NULL, "empty"},
	    {"an empty line", SLICE_INIT("\r\n"), NULL, "empty"},
	    {"the mark alone", SLICE_INIT(MARK), NULL, "empty"},
	    {"too long", SLICE_INIT("0123456789"), NULL, "too long"},
	    {"NUL", SLICE_INIT("a\0b"), NULL, "NUL"},
	    {"UTF-16 with a mark", SLICE_INIT("\xff\xfep\0w\0\n\0"), NULL, "UTF-16"},
	    {"UTF-16, the other way", SLICE_INIT("\xfe\xff\0p\0w"), NULL, "UTF-16"},
	    {"UTF-16 without a mark", SLICE_INIT("p\0w\0"), NULL, "UTF-16"},
	    {"Latin-1", SLICE_INIT("caf\xe9"), NULL, "not UTF-8"},
	    {"tab", SLICE_INIT("a\tb"), NULL, "control character"},
	    {"carriage return within", SLICE_INIT("a\rb"), NULL, "control character"},
	    {"escape", SLICE_INIT("a\x1b[A"), NULL, "control character"},
	    {"a mark within", SLICE_INIT("a" MARK "b"), NULL, "control character"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slice text = rows[i].text;
		const char *why = text_input_only_line(&text, 9);

		if ((why == NULL) != (rows[i].says != NULL) ||
		    (why == NULL && !slice_equal(text, slice_of_str(rows[i].says))) ||
		    (why != NULL && strstr(why, rows[i].why) == NULL))
			fail_msg("%s: %s, '%.*s'", rows[i].name, why == NULL ? "taken" : why,
			         (int)text.len, (const char *)text.data);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_line_is_what_was_meant),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
