/* What clients did in a second: from two answers, and what is shown of many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/array.h"
#include "ctl/ctl_top.h"

static const struct column columns[] = {
    {"client_id", "CLIENT ID", COLUMN_TEXT},
    {"messages_in", "IN", COLUMN_NUMBER},
    {"messages_out", "OUT", COLUMN_NUMBER},
    {"queued", "QUEUED", COLUMN_NUMBER},
};

static void take(struct ctl_top *top, uint64_t now_ms, const char *id, unsigned in, unsigned out,
                 unsigned connected_s)
{
	struct json_object row;
	struct buf line = {0};

	json_open(&line);
	json_str(&line, "client_id", id);
	json_str(&line, "user", NULL);
	json_number(&line, "messages_in", in);
	json_number(&line, "messages_out", out);
	json_number(&line, "connected_s", connected_s);
	json_number(&line, "queued", 7);
	json_close(&line);
	assert_true(json_parse(slice_of(line.data, line.len - 1), &row));
	ctl_top_take(top, &row, now_ms);
	json_fini(&row);
	buf_fini(&line);
}

static void expect(struct ctl_top *top, size_t max, const char *want)
{
	struct buf out = {0};

	ctl_top_put(top, columns, ARRAY_LEN(columns), max, &out);
	buf_put_u8(&out, 0);
	assert_string_equal((const char *)out.data, want);
	buf_fini(&out);
}

static void test_rates(void **state)
{
	struct ctl_top *top = ctl_top_new();

	(void)state;
	take(top, 1000, "new", 5, 0, 0);
	take(top, 1000, "old", 1000, 0, 100);
	take(top, 1000, "idle", 0, 0, 50);
	/* since they connected */
	expect(top, 9,
	       "CLIENT ID  IN  OUT  QUEUED\n"
	       "old        10    0       7\n"
	       "new         5    0       7\n"
	       "idle        0    0       7\n");
	take(top, 3000, "old", 1000, 0, 102);
	take(top, 3000, "new", 45, 20, 2);
	take(top, 3000, "idle", 6, 0, 1); /* it connected again */
	/* since the answer before; and no more than there is a place for */
	expect(top, 2,
	       "CLIENT ID  IN  OUT  QUEUED\n"
	       "new        20   10       7\n"
	       "idle        6    0       7\n");
	take(top, 5000, "old", 1004, 0, 104);
	expect(top, 2,
	       "CLIENT ID  IN  OUT  QUEUED\n"
	       "old         2    0       7\n");
	expect(top, 2, "CLIENT ID  IN  OUT  QUEUED\n");
	ctl_top_free(top);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rates)};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
