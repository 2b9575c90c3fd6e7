/* Which pages may make a browser send a request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/array.h"
#include "http/http_origin.h"

struct row {
	const char *fields; /* after the Host, broker:8443 */
	const char *allowed[3];
	bool origin_fine, fetch_fine;
};

#define SAME                                                                                       \
	{                                                                                          \
		"same"                                                                             \
	}
#define ORIGIN(text) "Origin: " text "\r\n"
#define SITE(text)   "Sec-Fetch-Site: " text "\r\n"

static const struct row rows[] = {
    {"", SAME, true, true},
    {"", {NULL}, true, true},
    {ORIGIN("https://broker:8443"), SAME, true, true},
    {ORIGIN("https://BROKER:8443"), SAME, true, true},
    {ORIGIN("https://broker:8443"), {NULL}, false, false},
    {ORIGIN("https://broker"), SAME, false, false},
    {ORIGIN("https://broker:443"), SAME, false, false},
    {ORIGIN("http://broker:8443"), SAME, false, false},
    {ORIGIN("https://broker:8443.evil.example"), SAME, false, false},
    {ORIGIN("https://evil.example"), SAME, false, false},
    {ORIGIN("null"), SAME, false, false},
    {ORIGIN(""), SAME, false, false},
    {ORIGIN("https://evil.example"), {"any"}, true, true},
    {ORIGIN("null"), {"any"}, true, true},
    {ORIGIN("null"), {"null"}, true, true},
    {ORIGIN("https://app.example"), {"same", "https://app.example"}, true, true},
    {ORIGIN("https://app.example:443"), {"same", "https://app.example"}, true, true},
    {ORIGIN("https://app.example:444"), {"same", "https://app.example"}, false, false},
    {ORIGIN("https://sub.app.example"), {"same", "https://app.example"}, false, false},
    {ORIGIN("https://broker:8443") ORIGIN("https://broker:8443"), SAME, false, false},
    {SITE("same-origin"), SAME, true, true},
    {SITE("none"), SAME, true, true},
    {SITE("same-site"), SAME, true, false},
    {SITE("cross-site"), SAME, true, false},
    {SITE("cross-site"), {"any"}, true, false},
    {SITE("none") SITE("none"), SAME, true, false},
    {ORIGIN("https://app.example") SITE("cross-site"), {"https://app.example"}, true, true},
    {ORIGIN("https://evil.example") SITE("none"), SAME, false, false},
};

static void table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf head = {0};
		struct http_request r;
		char *items[3];
		struct conf_strings allowed = {.items = items};
		bool origin_fine, fetch_fine;

		for (; allowed.count < 3 && rows[i].allowed[allowed.count] != NULL; allowed.count++)
			items[allowed.count] =
			    slice_dup(slice_of_str(rows[i].allowed[allowed.count]));
		buf_printf(&head, "GET / HTTP/1.1\r\nHost: broker:8443\r\n%s\r\n", rows[i].fields);
		assert_int_equal(http_request_parse(buf_slice(&head), &r).status, 0);
		origin_fine = http_origin_refused(&r, &allowed) == NULL;
		fetch_fine = http_origin_refused_fetch(&r, &allowed) == NULL;
		if (origin_fine != rows[i].origin_fine || fetch_fine != rows[i].fetch_fine)
			fail_msg("row %zu, %s: %d %d", i, rows[i].fields, origin_fine, fetch_fine);
		for (size_t k = 0; k < allowed.count; k++)
			free(items[k]);
		buf_fini(&head);
	}
}

/* The usual port may be written or not. */
static void default_port(void **state)
{
	static const char *const hosts[] = {"broker", "broker:443"};
	char *items[] = {(char[]){"same"}};
	struct conf_strings same = {.items = items, .count = 1};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct buf head = {0};
		struct http_request r;

		buf_printf(&head, "GET / HTTP/1.1\r\nHost: %s\r\nOrigin: https://%s\r\n\r\n",
		           hosts[i & 1], hosts[i >> 1]);
		assert_int_equal(http_request_parse(buf_slice(&head), &r).status, 0);
		assert_null(http_origin_refused(&r, &same));
		buf_fini(&head);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(table), cmocka_unit_test(default_port)};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
