/* How a message is written, and what of it a terminal gets. */
#include <stdlib.h>
#include <time.h>

#include "program/command_line.h"
#include "pubsub/json_text.h"
#include "pubsub/message_format.h"
#include "pubsub/message_output.h"
#include "rows.h"

/* 2026-11-30 23:59:01.250 UTC */
#define NOW_MS 1796083141250

static const struct {
	const char *name;
	struct message_output output;
	const char *payload, *want;
} rows[] = {
    {"text", {.kind = OUTPUT_TEXT}, "'on'", "on\n"},
    {"text without newline", {.no_newline = true}, "'on'", "on"},
    {"topic", {.topics = true}, "'on'", "a/b on\n"},
    {"a pipe gets the bytes", {.kind = OUTPUT_TEXT}, "1b07", "\033\a\n"},
    {"a terminal does not", {.escapes = true}, "1b07 0a 09 'x'", "\\x1b\\x07\n\tx\n"},
    {"terminal: C1 and direction", {.escapes = true}, "c29b e280ae", "\\x9b\\u202e\n"},
    {"terminal: no UTF-8", {.escapes = true}, "ff", "\\xff\n"},
    {"raw", {.kind = OUTPUT_RAW}, "'on'", "on"},
    {"csv",
     {.kind = OUTPUT_CSV},
     "'a,' 22 'b' 22",
     "2026-11-30T23:59:01+0000,\"a/b\",1,1,\"a,\"\"b\"\"\"\r\n"},
    {"csv of bytes",
     {.kind = OUTPUT_CSV},
     "ff00",
     "2026-11-30T23:59:01+0000,\"a/b\",1,1,\"0xff00\"\r\n"},
    {"json",
     {.kind = OUTPUT_JSON},
     "22 5c 0a 01",
     "{\"time\":\"2026-11-30T23:59:01+0000\",\"topic\":\"a/"
     "b\",\"qos\":1,\"retain\":true,\"packet_id\":7,"
     "\"payload\":\"\\\"\\\\\\n\\u0001\"}\n"},
    {"json of bytes",
     {.kind = OUTPUT_JSON},
     "ff00",
     "{\"time\":\"2026-11-30T23:59:01+0000\",\"topic\":\"a/"
     "b\",\"qos\":1,\"retain\":true,\"packet_id\":7,"
     "\"payload_base64\":\"/wA=\"}\n"},
    {"pretty",
     {.kind = OUTPUT_JSON, .pretty = true},
     "",
     "{\n  \"time\": \"2026-11-30T23:59:01+0000\",\n  \"topic\": \"a/b\",\n  \"qos\": 1,\n  "
     "\"retain\": true,\n"
     "  \"packet_id\": 7,\n  \"payload\": \"\"\n}\n"},
    {"format",
     {.format = "%t|%p|%l|%q%r%m|%x|%X|%%|%U|@Y\\t\\\\"},
     "'ok' af",
     "a/b|ok\xaf|3|117|6f6baf|6F6BAF|%|1796083141.250000000|2026\t\\\n"},
    {"format without newline", {.format = "%p", .no_newline = true}, "'ok'", "ok"},
    {"format on a terminal", {.format = "\\e[1m%p", .escapes = true}, "1b", "\033[1m\\x1b\n"},
    {"times", {.format = "@H:@M:@S.@N @@ \\v\\x"}, "", "23:59:01.250000000 @ \v\\x\n"},
    {"widths", {.format = "[%5t][%-5t][%05t][%2t]"}, "", "[  a/b][a/b  ][  a/b][a/b]\n"},
    {"widths of numbers",
     {.format = "[%4l][%04l][%-4l][%-04l][%03m]"},
     "'ab'",
     "[   2][0002][2   ][2   ][007]\n"},
    {"maximum widths",
     {.format = "[%.2t][%4.2t][%-4.1t][%.0t][%.10I]"},
     "",
     "[a/][  a/][a   ][][2026-11-30]\n"},
    {"no maximum for a payload", {.format = "[%.1p][%.1x]"}, "'ab'", "[ab][6162]\n"},
    {"hexadecimal with zeros", {.format = "[%06x][%6X]"}, "'k'", "[00006b][    6B]\n"},
    {"no field for some", {.format = "[%5q][%5r][%5%]"}, "", "[1][1][%]\n"},
    {"width in characters", {.format = "[%3p]"}, "c3a9", "[  \u00e9]\n"},
    {"width of bytes", {.format = "[%3p]"}, "ff", "[  \xff]\n"},
    {"width on a terminal", {.format = "[%6p]", .escapes = true}, "1b", "[  \\x1b]\n"},
    {"payload that is JSON",
     {.format = "%J"},
     "'{' 22 'a' 22 ': [1, 2.5e3]}'",
     "{\"time\":\"2026-11-30T23:59:01+0000\",\"topic\":\"a/"
     "b\",\"qos\":1,\"retain\":true,\"packet_id\":7,"
     "\"payload\":{\"a\": [1, 2.5e3]}}\n"},
    {"payload that is no JSON", {.format = "[%J]"}, "'{a}'", "[]\n"},
    {"properties that are not there", {.format = "[%C%D%E%F%P%R%S]"}, "", "[]\n"},
};

static void outputs(void **state)
{
	struct buf out = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice payload = exact_bytes(rows[i].payload);
		struct publish m = {.retain = true,
		                    .qos = 1,
		                    .packet_id = 7,
		                    .topic = SLICE("a/b"),
		                    .payload = payload};

		message_output_put(&out, &rows[i].output, &m, NOW_MS);
		if (!slice_equal(buf_slice(&out), slice_of_str(rows[i].want)))
			fail_msg("%s: %.*s", rows[i].name, (int)out.len, (const char *)out.data);
		buf_clear(&out);
		slice_free(payload);
	}
	buf_fini(&out);
}

static void properties(void **state)
{
	struct slice body = exact_bytes(
	    "0001 't' 16 02 0000003c 03 0001 't' 26 0001 'k' 0001 'v' 26 0001 'k' 0001 'w' 'x'");
	const struct message_output o = {.format = "%C %E [%P]"};
	struct frame f = frame_with(PACKET_PUBLISH, 0, body);
	struct buf out = {0};
	struct publish m;

	(void)state;
	((uint8_t *)(uintptr_t)body.data)[3] = (uint8_t)(body.len - 5);
	expect_reason("properties", packet_publish_decode_of_server(&f, MQTT_5_0, &m), REASON_OK);
	message_output_put(&out, &o, &m, NOW_MS);
	expect_bytes("format", &out, "'t 60 [k:v k:w]' 0a");
	buf_fini(&out);
	slice_free(body);
}

static void json_texts(void **state)
{
	static const char *const good[] = {"0",
	                                   "-0",
	                                   "1.5e-3",
	                                   "\"\"",
	                                   " [ ] ",
	                                   "{}",
	                                   "null",
	                                   "true",
	                                   "[1,[],{\"a\":{\"b\":[false]}}]",
	                                   "\"\\u00e9\\n\"",
	                                   "{\"a\" : 1 , \"b\" : 2}\n"};
	static const char *const bad[] = {"",         " ",       "01",
	                                  "1.",       "-",       ".5",
	                                  "1e",       "[1,]",    "[,1]",
	                                  "{",        "]",       "[1}",
	                                  "{\"a\"}",  "{1:2}",   "{\"a\":1,}",
	                                  "1 2",      "tru",     "'a'",
	                                  "\"\n\"",   "\"\\x\"", "\"\\u12\"",
	                                  "\"a",      "+1",      "NaN",
	                                  "\"\xff\"", "[1 2]",   "{\"a\":1 \"b\":2}"};

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++)
		if (!json_text_valid(slice_of_str(good[i])))
			fail_msg("refused: %s", good[i]);
	for (size_t i = 0; i < COUNT(bad); i++)
		if (json_text_valid(slice_of_str(bad[i])))
			fail_msg("taken: %s", bad[i]);
}

static void checks(void **state)
{
	enum output_kind kind;

	(void)state;
	static const char *const good[] = {"",       "%t %p @H", "@@", "%-010.10t",
	                                   "%9999t", "\\x",      "%%"};
	static const char *const bad[] = {"%y",
	                                  "100%",
	                                  "%-",
	                                  "%10",
	                                  "%10.",
	                                  "%@H",
	                                  "a@",
	                                  "\\",
	                                  "%10000t",
	                                  "%.10000t",
	                                  "%99999999999999999999t"};

	for (size_t i = 0; i < COUNT(good); i++)
		assert_true(message_format_check(good[i]));
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(message_format_check(bad[i]));
	assert_true(message_output_parse("csv", &kind));
	assert_int_equal(kind, OUTPUT_CSV);
}

int main(void)
{
	static const struct command_line line = {.program = "test"};
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(outputs),
	    cmocka_unit_test(properties),
	    cmocka_unit_test(json_texts),
	    cmocka_unit_test(checks),
	};

	command_line_start(&line);
	(void)setenv("TZ", "UTC", 1);
	tzset();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("message output", tests, NULL, NULL);
}
