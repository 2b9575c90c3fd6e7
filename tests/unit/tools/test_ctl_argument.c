/* Names as the tables of broker-ctl print them, read again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/ctl_argument.h"

#define REFUSED "(refused)"

static void names_are_read(void **state)
{
	static const struct {
		const char *text;
		struct slice want;
	} rows[] = {
	    {"", SLICE_INIT("")},
	    {"porch/lamp", SLICE_INIT("porch/lamp")},
	    {"living room/l\xc3\xa4mp", SLICE_INIT("living room/l\xc3\xa4mp")},
	    {"\\x1b[2J", SLICE_INIT("\x1b[2J")},
	    {"a\\x00b", SLICE_INIT("a\0b")},
	    {"\\x9b", SLICE_INIT("\xc2\x9b")}, /* a code point, no byte */
	    {"\\xE9\\xe9", SLICE_INIT("\xc3\xa9\xc3\xa9")},
	    {"\\u202e.", SLICE_INIT("\xe2\x80\xae.")},
	    {"\\uffff", SLICE_INIT("\xef\xbf\xbf")},
	    {"\\U0001f4a1", SLICE_INIT("\xf0\x9f\x92\xa1")},
	    {"\\U0010ffff", SLICE_INIT("\xf4\x8f\xbf\xbf")},
	    {"\\\\x1b\\\\", SLICE_INIT("\\x1b\\")},
	    {"\\", SLICE_INIT(REFUSED)},
	    {"a\\n", SLICE_INIT(REFUSED)},
	    {"\\x1", SLICE_INIT(REFUSED)},
	    {"\\xg0", SLICE_INIT(REFUSED)},
	    {"\\u12", SLICE_INIT(REFUSED)},
	    {"\\ud800", SLICE_INIT(REFUSED)},
	    {"\\udfff", SLICE_INIT(REFUSED)},
	    {"\\U00110000", SLICE_INIT(REFUSED)},
	    {"\\U0001f4a", SLICE_INIT(REFUSED)},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out = {0};
		struct slice got = SLICE(REFUSED);

		if (ctl_argument_unescape(rows[i].text, &out))
			got = buf_slice(&out);
		if (!slice_equal(got, rows[i].want))
			fail_msg("%s: %.*s", rows[i].text, (int)got.len, (const char *)got.data);
		buf_fini(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_are_read),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
