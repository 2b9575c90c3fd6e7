/* The addresses of listeners. */
#include "conf/conf_load.h"
#include "support.h"

static void bind_addresses_are_parsed_by_table(void **state)
{
	static const struct {
		const char *bind, *host;
		unsigned port;
		const char *path;
	} rows[] = {
	    {"[::]:8883", "::", 8883, NULL},
	    {"0.0.0.0:8883", "0.0.0.0", 8883, NULL},
	    {"127.0.0.1:0", "127.0.0.1", 0, NULL},
	    {"[::1]:65535", "::1", 65535, NULL},
	    {"[2001:DB8:0:0::7]:1", "2001:db8::7", 1, NULL},
	    {"unix:/run/broker/broker.sock", NULL, 0, "/run/broker/broker.sock"},
	    {"unix:b.sock", NULL, 0, "etc/b.sock"},
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		char *text = xasprintf(TLS "listeners: [{bind: \"%s\"}]\n", rows[i].bind);
		struct errors e = {0};
		struct conf *conf = conf_parse("etc/broker.yaml", slice_of_str(text), &e);
		const struct conf_listener *l = conf == NULL ? NULL : conf->listeners;

		if (l == NULL || l->is_unix != (rows[i].path != NULL) || l->port != rows[i].port)
			fail_msg("%s", rows[i].bind);
		else if (l->is_unix)
			assert_string_equal(l->path, rows[i].path);
		else
			assert_string_equal(l->host, rows[i].host);
		if (l != NULL && !l->is_unix)
			assert_string_equal(l->bind, rows[i].bind);
		conf_free(conf);
		free(text);
	}
}

static const struct {
	const char *bind, *want;
} bad_binds[] = {
    {"localhost:8883", "names are not taken, only numeric addresses: write \"127.0.0.1:8883\", or "
                       "\"[::1]:8883\" for IPv6"},
    {"broker.home:8883",
     "'broker.home' is not a numeric address (names are not taken): write \"127.0.0.1:8883\" for "
     "this machine alone, \"[::]:8883\" for all addresses"},
    {"256.0.0.1:8883",
     "'256.0.0.1' is not a numeric address (names are not taken): write \"127.0.0.1:8883\" for "
     "this machine alone, \"[::]:8883\" for all addresses"},
    {"[::g]:8883", "'[::g]' is not a numeric address (names are not taken): write "
                   "\"127.0.0.1:8883\" for this machine alone, \"[::]:8883\" for all addresses"},
    {"[127.0.0.1]:8883",
     "'[127.0.0.1]' is not a numeric address (names are not taken): write \"127.0.0.1:8883\" for "
     "this machine alone, \"[::]:8883\" for all addresses"},
    {"*:8883", "the address is missing: write \"[::]:8883\" for all of them"},
    {":8883", "the address is missing: write \"[::]:8883\" for all of them"},
    {"8883", "the address is missing: write \"[::]:8883\" for all of them"},
    {"::1:8883", "an IPv6 address must be in brackets: write \"[::1]:8883\""},
    {"::1", "the port is missing: write \"[::1]:8883\""},
    {"[::1]", "the port is missing: write \"[::1]:8883\""},
    {"127.0.0.1", "the port is missing: write \"127.0.0.1:8883\""},
    {"127.0.0.1:", "'' is not a port: use a number from 0 to 65535 (0 selects a free one)"},
    {"127.0.0.1:65536",
     "'65536' is not a port: use a number from 0 to 65535 (0 selects a free one)"},
    {"127.0.0.1:mqtts",
     "'mqtts' is not a port: use a number from 0 to 65535 (0 selects a free one)"},
    {"127.0.0.1:-1", "'-1' is not a port: use a number from 0 to 65535 (0 selects a free one)"},
    {"127.0.0.1:08883",
     "'08883' is not a port: use a number from 0 to 65535 (0 selects a free one)"},
    {"unix:", "unix: needs the path of the socket: unix:/run/broker/broker.sock"},
    {"/run/b.sock", "a unix socket is written \"unix:/run/b.sock\""},
    {"unix:/"
     "012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012"
     "3456789012345x",
     "the path of a unix socket has at most 107 bytes"},
};

static void wrong_bind_address_has_a_remedy(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(bad_binds); i++) {
		char *text = xasprintf(TLS "listeners:\n- bind: \"%s\"\n", bad_binds[i].bind);
		char *got = errors_of("f", slice_of_str(text));
		char *want = xasprintf("f:4:9: error: bind: %s\n", bad_binds[i].want);

		assert_text(bad_binds[i].bind, got, want);
		free(text);
		free(got);
		free(want);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bind_addresses_are_parsed_by_table),
	    cmocka_unit_test(wrong_bind_address_has_a_remedy),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
