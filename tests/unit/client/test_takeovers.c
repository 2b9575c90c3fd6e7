/* When two devices are said to use one client id: rows of takeovers, and a table that is full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/array.h"
#include "client/takeovers.h"

#define LAMP 42

/* Each letter is the address of a new connection, after the seconds that stand before it: the first
 * one takes nothing over. "!" and "?": what must be found then: two devices, or one address. */
static const struct {
	const char *name, *connections;
} rows[] = {
    {"nothing is lost", "0A"},
    {"a device is back after its connection was lost", "0A 5A"},
    {"from another address", "0A 5B"},
    {"now and then, all day", "0A 61A 61A 61A 61A 61A 61A 61A 61A 61A"},
    {"a bad quarter of an hour", "0A 30A 30A 30A 200A 30A 30A 30A 200A 30A 30A 30A"},
    {"two devices", "0A 1B 1A 1B 1A 1B! 1A 1B 1A"},
    {"two devices that wait before they try again", "0A 60B 60A 60B 60A 60B! 60A 60B 60A"},
    {"two devices that wait long", "0A 61B 61A 61B 61A 61B 61A 61B 61A"},
    {"three devices", "0A 1B 1C 1A 1B 1C! 1A 1B 1C"},
    {"two devices behind one address", "0A 1A 1A 1A 1A 1A? 1A 1A"},
    {"a device that starts anew again and again, and moves once", "0A 9A 9A 9A 9B 9B? 9B 9B"},
    {"they stop, and begin again within the hour", "0A 1B 1A 1B 1A 1B! 99A 1B 1A 1B 1A 1B 1A"},
    {"said again after an hour", "0A 1B 1A 1B 1A 1B! 3600A 1B 1A 1B 1A! 1B 1A"},
};

static enum takeovers_finding wanted(char mark)
{
	return mark == '!'   ? TAKEOVERS_TWO_CLIENTS
	       : mark == '?' ? TAKEOVERS_ONE_ADDRESS
	                     : TAKEOVERS_FEW;
}

static void run_row(const char *name, const char *at)
{
	struct takeovers t = {0};
	uint64_t now_ms = 1;
	char last = 0;

	while (*at != '\0') {
		unsigned seconds = 0;
		char address;
		enum takeovers_finding found;

		for (; *at >= '0' && *at <= '9'; at++)
			seconds = seconds * 10 + (unsigned)(*at - '0');
		now_ms += seconds * UINT64_C(1000);
		address = *at++;
		found =
		    last == 0 ? TAKEOVERS_FEW : takeovers_note(&t, LAMP, address != last, now_ms);
		last = address;
		if (found == TAKEOVERS_GO_ON)
			found = TAKEOVERS_FEW;
		if (found != wanted(*at))
			fail_msg("%s: before \"%s\"", name, at);
		at += *at == '!' || *at == '?';
		at += *at == ' ';
	}
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		run_row(rows[i].name, rows[i].connections);
}

/* It is shown while it goes on, and no longer. */
static void test_shown(void **state)
{
	struct takeovers t = {0};

	(void)state;
	for (uint64_t i = 1; i <= 7; i++)
		(void)takeovers_note(&t, LAMP, true, i * 1000);
	(void)takeovers_note(&t, 1, true, 7000);
	assert_int_equal(takeovers_of(&t, LAMP, 67000), 7);
	assert_int_equal(takeovers_of(&t, 1, 7000), 0);
	assert_int_equal(takeovers_sessions(&t, 67000), 1);
	assert_int_equal(takeovers_of(&t, LAMP, 67001), 0);
	assert_int_equal(takeovers_sessions(&t, 67001), 0);
}

/* Others push out the one that rested longest, not the one that goes on. */
static void test_full(void **state)
{
	struct takeovers t = {0};
	uint64_t now_ms = 1000;

	(void)state;
	for (uint64_t i = 0; i < 10; i++) {
		(void)takeovers_note(&t, LAMP, true, now_ms++);
		for (uint64_t k = 0; k < TAKEOVERS_WATCHED - 1; k++)
			(void)takeovers_note(&t, 1000 * (i + 1) + k, true, now_ms++);
	}
	assert_int_equal(takeovers_of(&t, LAMP, now_ms), 10);
	assert_int_equal(takeovers_sessions(&t, now_ms), 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_shown),
	    cmocka_unit_test(test_full),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
