/* Where the PKI is that nobody named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "pki/pki_options.h"

#define SYSTEM "system"

static const struct row {
	const char *name;
	bool has_pki, has_config, has_system;
	const char *config;
	const char *want; /* SYSTEM: beside the system's; NULL: it cannot be known */
} rows[] = {
    {"nothing", false, false, false, NULL, NULL},
    {"a directory", true, false, false, NULL, "pki"},
    {"a broker.yaml", false, true, false, NULL, "pki"},
    {"the system's", false, false, true, NULL, SYSTEM},
    {"a directory before the system's", true, false, true, NULL, "pki"},
    {"a broker.yaml before the system's", false, true, true, NULL, "pki"},
    {"a configuration before all", true, true, true, "house/broker.yaml", "house/pki"},
    {"a configuration here", false, false, true, "my.yaml", "pki"},
    {"a configuration in the root", false, false, true, "/broker.yaml", "/pki"},
};

static void touch(const char *path)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(fclose(f), 0);
}

static void try_row(const struct row *row)
{
	char *system_config = xasprintf("%s/vakt.yaml", row->has_system ? "etc" : "elsewhere"),
	     *got;

	if (row->has_pki)
		assert_int_equal(mkdir("pki", 0700), 0);
	if (row->has_config)
		touch("broker.yaml");
	got = pki_options_place(row->config, system_config);
	if (row->want == NULL)
		assert_null(got);
	else if (got == NULL)
		fail_msg("%s: it was not found", row->name);
	else if (strcmp(got, strcmp(row->want, SYSTEM) == 0 ? "etc/pki" : row->want) != 0)
		fail_msg("%s: %s", row->name, got);
	(void)rmdir("pki");
	(void)unlink("broker.yaml");
	free(got);
	free(system_config);
}

static void every_row(void **state)
{
	char directory[] = "/tmp/vakt-pki-options.XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(directory));
	assert_int_equal(chdir(directory), 0);
	assert_int_equal(mkdir("etc", 0700), 0);
	touch("etc/vakt.yaml");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		try_row(&rows[i]);
	(void)unlink("etc/vakt.yaml");
	(void)rmdir("etc");
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_row)};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
