/* Levels of parts of the log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/log_area.h"

static void set(const char *first, const char *second)
{
	const char *items[] = {first, second};

	log_set_areas(items, second == NULL ? 1 : 2);
}

static void wrong_items_are_named(void **state)
{
	static const struct {
		const char *item, *want;
	} rows[] = {
	    {"store=debug", NULL},        {"client-connected=error", NULL},
	    {"store", "AREA=LEVEL"},      {"store=loud", "error, warning, info or debug"},
	    {"sto=debug", "no event"},    {"=debug", "no event"},
	    {"store-=debug", "no event"}, {"", "AREA=LEVEL"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *said = log_area_wrong(rows[i].item);

		if (rows[i].want == NULL ? said != NULL
		                         : said == NULL || strstr(said, rows[i].want) == NULL)
			fail_msg("'%s': %s", rows[i].item, said == NULL ? "fine" : said);
	}
}

static void an_area_has_its_own_level(void **state)
{
	(void)state;
	log_set_level(LOG_LEVEL_WARNING);
	set("client=info", NULL);
	assert_true(log_wants(EVENT_CLIENT_CONNECTED));
	assert_false(log_wants(EVENT_READY));
	assert_true(log_wants(EVENT_STORE_FULL));
	set("handshake=error", NULL); /* the other one is as before */
	assert_false(log_wants(EVENT_CLIENT_CONNECTED));
	assert_false(log_wants(EVENT_HANDSHAKE_FAILED));
	assert_true(log_wants(EVENT_TLS_BROKEN));
	log_set_areas(NULL, 0);
	assert_true(log_wants(EVENT_HANDSHAKE_FAILED));
}

static void the_longest_area_counts(void **state)
{
	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	set("client-connected=error", "client=info");
	assert_false(log_wants(EVENT_CLIENT_CONNECTED));
	assert_true(log_wants(EVENT_CLIENT_DISCONNECTED));
	set("client=info", "client-connected=error");
	assert_false(log_wants(EVENT_CLIENT_CONNECTED));
	log_set_areas(NULL, 0);
}

static void debug_of_an_area_is_computed(void **state)
{
	(void)state;
	log_set_level(LOG_LEVEL_INFO);
	assert_false(log_is_debug());
	set("http=debug", NULL);
	assert_true(log_is_debug() && log_wants(EVENT_HTTP_ANSWERED));
	assert_false(log_wants(EVENT_HANDSHAKE_DETAILS));
	log_set_areas(NULL, 0);
	assert_false(log_is_debug());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(wrong_items_are_named),
	    cmocka_unit_test(an_area_has_its_own_level),
	    cmocka_unit_test(the_longest_area_counts),
	    cmocka_unit_test(debug_of_an_area_is_computed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
