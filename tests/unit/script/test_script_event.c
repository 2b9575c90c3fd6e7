/* A message as a line of JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "script/script_event.h"

#define NOON INT64_C(1764590400000) /* 2025-12-01T12:00:00Z */

static void events(void **state)
{
	static const struct {
		struct slice topic, payload;
		uint8_t qos;
		bool retain;
		const char *line;
	} rows[] = {
	    {SLICE_INIT("home/lamp"), SLICE_INIT("on"), 0, false,
	     "{\"topic\":\"home/"
	     "lamp\",\"qos\":0,\"retain\":false,\"time\":\"2025-12-01T12:00:00Z\","
	     "\"payload\":\"on\"}\n"},
	    {SLICE_INIT("a\"b\\c"), SLICE_INIT("1\n2\r\t\"\\"), 1, true,
	     "{\"topic\":\"a\\\"b\\\\c\",\"qos\":1,\"retain\":true,\"time\":\"2025-12-01T12:00:"
	     "00Z\","
	     "\"payload\":\"1\\n2\\u000d\\t\\\"\\\\\"}\n"},
	    {SLICE_INIT("l\xc3\xa4mp"), SLICE_INIT(""), 2, false,
	     "{\"topic\":\"l\xc3\xa4mp\",\"qos\":2,\"retain\":false,\"time\":\"2025-12-01T12:00:"
	     "00Z\","
	     "\"payload\":\"\"}\n"},
	    {SLICE_INIT("t"), SLICE_INIT("\xff\x00"), 0, false,
	     "{\"topic\":\"t\",\"qos\":0,\"retain\":false,\"time\":\"2025-12-01T12:00:00Z\","
	     "\"payload_base64\":\"/wA=\"}\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct publish message = {.topic = rows[i].topic,
		                                .payload = rows[i].payload,
		                                .qos = rows[i].qos,
		                                .retain = rows[i].retain};
		struct buf out = {0};

		script_event_put(&message, NOON, &out);
		if (!slice_equal(buf_slice(&out), slice_of_str(rows[i].line)))
			fail_msg("%zu: %.*s", i, (int)out.len, (char *)out.data);
		buf_fini(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(events),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
