/* The socket's path in a configuration that may be broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/ctl_config.h"

static void paths_are_found(void **state)
{
	static const struct {
		const char *text, *want; /* NULL: there is none */
	} rows[] = {
	    {"control:\n  socket: run/c.sock\n", "run/c.sock"},
	    {"control: { socket: /run/b/c.sock }\n", "/run/b/c.sock"},
	    {"control: {socket: c.sock}", "c.sock"},
	    {"a: b\ncontrol:   # what broker-ctl uses\n\n  # here\n  socket:  'a b.sock' # x\n",
	     "a b.sock"},
	    {"{\"tls\": {},\n \"control\" : {\"socket\": \"c.sock\"}}", "c.sock"},
	    {"{\"control\": {\"socket\": \"c.sock\"}}", "c.sock"},
	    {"listeners: [\ncontrol:\n\tsocket: c.sock\r\nx: y\n", "c.sock"},
	    {"control:\n  socket: c.sock , more\n", "c.sock"},
	    {"# control: { socket: a }\ncontrol: { socket: b }\n", "b"},
	    {"controls: { socket: a }\n", NULL},
	    {"control: { sockets: a }\n", NULL},
	    {"control:\nsockets: a\n", NULL},
	    {"control: { other: x, socket: a }\n", NULL}, /* there is no other key */
	    {"control: { socket: }\n", NULL},
	    {"control: { socket: '' }\n", NULL},
	    {"control: { socket: 'a\n", NULL},
	    {"control:", NULL},
	    {"control", NULL},
	    {"", NULL},
	    {"listeners: [{ bind: 'unix:control' }]\n", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *got = ctl_config_socket(slice_of_str(rows[i].text));

		if ((got == NULL) != (rows[i].want == NULL) ||
		    (got != NULL && strcmp(got, rows[i].want) != 0))
			fail_msg("%s: %s", rows[i].text, got == NULL ? "none" : got);
		free(got);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(paths_are_found),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
