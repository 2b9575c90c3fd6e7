/* What targets say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "script/script_request.h"
#include "script/script_target.h"

/* Each row: the target after /publish, the status, and the topic. */
static void topics(void **state)
{
	static const struct {
		const char *target;
		unsigned status;
		struct slice topic;
	} rows[] = {
	    {"/home/lamp", 0, SLICE_INIT("home/lamp")},
	    {"/home/living%20room", 0, SLICE_INIT("home/living room")},
	    {"/l%C3%A4mp", 0, SLICE_INIT("l\xc3\xa4mp")},
	    {"/a%2Fb", 0, SLICE_INIT("a/b")},
	    {"/a%2fb", 0, SLICE_INIT("a/b")},
	    {"//a//", 0, SLICE_INIT("/a//")},
	    {"/..", 0, SLICE_INIT("..")},
	    {"/a/../b", 0, SLICE_INIT("a/../b")},
	    {"/%2523", 0, SLICE_INIT("%23")}, /* decoded once */
	    {"/$SYS/x", 0, SLICE_INIT("$SYS/x")},
	    {"/a+b", 400, SLICE_INIT("")},
	    {"/%2B", 400, SLICE_INIT("")},
	    {"/a/%23", 400, SLICE_INIT("")},
	    {"/%00", 400, SLICE_INIT("")},
	    {"/a%0ab", 400, SLICE_INIT("")},
	    {"/a%7f", 400, SLICE_INIT("")},
	    {"/%ff", 400, SLICE_INIT("")},
	    {"/%c3", 400, SLICE_INIT("")},
	    {"/%ed%a0%80", 400, SLICE_INIT("")}, /* a surrogate */
	    {"/%", 400, SLICE_INIT("")},
	    {"/%2", 400, SLICE_INIT("")},
	    {"/%zz", 400, SLICE_INIT("")},
	    {"/% 2", 400, SLICE_INIT("")},
	    {"/", 404, SLICE_INIT("")},
	    {"", 404, SLICE_INIT("")},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf path = {0}, topic = {0};
		struct http_request r = {0};
		struct http_fault fault;

		buf_printf(&path, "/publish%s", rows[i].target);
		r.path = buf_slice(&path);
		fault = script_target_topic(&r, "/publish", &topic);
		if (fault.status != rows[i].status || (fault.status != 0) != (fault.cause != NULL))
			fail_msg("%s: %u", rows[i].target, fault.status);
		if (fault.status == 0 && !slice_equal(buf_slice(&topic), rows[i].topic))
			fail_msg("%s: %.*s", rows[i].target, (int)topic.len, (char *)topic.data);
		buf_fini(&path);
		buf_fini(&topic);
	}
}

static void words_of_the_query(void **state)
{
	static const struct {
		const char *query;
		unsigned status;
		uint8_t qos;
		bool retain;
	} rows[] = {
	    {"", 0, 0, false},
	    {"qos=0", 0, 0, false},
	    {"qos=1&retain=true", 0, 1, true},
	    {"retain=false&qos=2", 0, 2, false},
	    {"qos=1&", 0, 1, false},
	    {"qos=1&qos=2", 400, 0, false},
	    {"qos=1&qos=1", 400, 0, false},
	    {"retain=true&qos=1&retain=false", 400, 0, false},
	    {"other=1&qos=2", 400, 0, false},
	    {"qos=2&retian=true", 400, 0, false},
	    {"qos=2&&retain=true", 400, 0, false},
	    {"Qos=1", 400, 0, false},
	    {"xqos=1", 400, 0, false},
	    {"qos=3", 400, 0, false},
	    {"qos=-1", 400, 0, false},
	    {"qos=01", 400, 0, false},
	    {"qos=%31", 400, 0, false},
	    {"qos=", 400, 0, false},
	    {"qos", 400, 0, false},
	    {"retain=1", 400, 0, false},
	    {"retain=TRUE", 400, 0, false},
	    {"retain=", 400, 0, false},
	    {"retain=true%20", 400, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct http_request r = {.query = slice_of_str(rows[i].query)};
		uint8_t qos = 0;
		bool retain = false;
		struct http_fault fault = script_target_options(&r, &qos, &retain);

		if (fault.status != rows[i].status ||
		    (fault.status == 0 && (qos != rows[i].qos || retain != rows[i].retain)))
			fail_msg("%s: %u, %u, %d", rows[i].query, fault.status, qos, retain);
	}
}

static void filters(void **state)
{
	static const struct {
		const char *query, *filter; /* NULL: refused */
	} rows[] = {
	    {"filter=home/%23", "home/#"},
	    {"filter=%2b/x", "+/x"},
	    {"filter=+/x", "+/x"}, /* in a query this is no blank: nobody writes a form */
	    {"a=b&filter=x", "x"},
	    {"filter=%2523", "%23"},
	    {"filter=$share/g/a", "$share/g/a"},
	    {"", NULL},
	    {"filter", NULL},
	    {"filter=", NULL},
	    {"filter=a%23", NULL},
	    {"filter=a/%23/b", NULL},
	    {"filter=a%2bb", NULL},
	    {"filter=%zz", NULL},
	    {"filter=%00", NULL},
	    {"filter=%ff", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct http_request r = {.query = slice_of_str(rows[i].query)};
		struct buf filter = {0};
		struct http_fault fault = script_target_filter(&r, &filter);

		if ((fault.status == 0) != (rows[i].filter != NULL) ||
		    (fault.status == 0 &&
		     !slice_equal(buf_slice(&filter), slice_of_str(rows[i].filter))))
			fail_msg("%s: %u, %.*s", rows[i].query, fault.status, (int)filter.len,
			         (char *)filter.data);
		buf_fini(&filter);
	}
}

static void reasons(void **state)
{
	static const struct {
		enum reason reason;
		unsigned status;
	} rows[] = {
	    {REASON_SUCCESS, 200},
	    {REASON_NO_MATCHING_SUBSCRIBERS, 200},
	    {REASON_UNSPECIFIED, 503},
	    {REASON_NOT_AUTHORIZED, 403},
	    {REASON_BANNED, 403},
	    {REASON_PACKET_TOO_LARGE, 413},
	    {REASON_TOPIC_NAME_INVALID, 400},
	    {REASON_MALFORMED, 400},
	    {REASON_QOS_NOT_SUPPORTED, 400},
	    {REASON_RETAIN_NOT_SUPPORTED, 400},
	    {REASON_MESSAGE_RATE_TOO_HIGH, 429},
	    {REASON_QUOTA_EXCEEDED, 503},
	    {REASON_SERVER_BUSY, 503},
	    {REASON_SERVER_SHUTTING_DOWN, 503},
	    {REASON_ADMINISTRATIVE_ACTION, 503},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(script_request_status(rows[i].reason), rows[i].status);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(topics),

	    cmocka_unit_test(words_of_the_query),
	    cmocka_unit_test(filters),
	    cmocka_unit_test(reasons),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
