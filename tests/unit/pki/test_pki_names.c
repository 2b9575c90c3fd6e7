/* Names of servers: which can be in a certificate, and that they come out as they went in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/array.h"
#include "pki/pki_names.h"

/* `want` NULL: refused. */
static const struct {
	const char *text;
	const char *want;
	enum pki_name_type type;
} rows[] = {
    {"lamp.house", "lamp.house", PKI_NAME_DNS},
    {"DNS:lamp", "lamp", PKI_NAME_DNS},
    {"a_b-c.D9", "a_b-c.D9", PKI_NAME_DNS},
    {"192.168.1.2", "192.168.1.2", PKI_NAME_IP},
    {"IP:10.0.0.1", "10.0.0.1", PKI_NAME_IP},
    {"fd00:0:0::0002", "fd00::2", PKI_NAME_IP},
    {"::1", "::1", PKI_NAME_IP},
    {"DNS:192", NULL, 0},
    {"", NULL, 0},
    {"DNS:", NULL, 0},
    {"IP:lamp", NULL, 0},
    {"192.168.1", NULL, 0},
    {"192.168.1.256", NULL, 0},
    {"192.168.1.2:8883", NULL, 0},
    {"lamp:8883", NULL, 0},
    {"fd00::2/64", NULL, 0},
    {"*.house", NULL, 0},
    {"a b", NULL, 0},
    {"a,DNS:b", NULL, 0},
    {"a\nb", NULL, 0},
    {"\xc3\xa4", NULL, 0},
    {".a", NULL, 0},
    {"a.", NULL, 0},
    {"a..b", NULL, 0},
    {"-a", NULL, 0},
    {"a-.b", NULL, 0},
};

static void a_name_is_taken_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pki_names names = {0};
		char *why = pki_names_add_host(&names, rows[i].text);

		if (rows[i].want == NULL) {
			assert_non_null(why);
			assert_int_equal(names.count, 0);
		} else {
			assert_null(why);
			assert_int_equal(names.count, 1);
			assert_string_equal(names.list[0].text, rows[i].want);
			assert_int_equal(names.list[0].type, rows[i].type);
		}
		free(why);
		pki_names_fini(&names);
	}
}

static void a_part_of_a_name_has_at_most_63_characters(void **state)
{
	char text[300];
	struct pki_names names = {0};
	char *why;

	(void)state;
	memset(text, 'a', sizeof(text));
	text[64] = '\0';
	why = pki_names_add_host(&names, text);
	assert_non_null(why);
	free(why);
	text[63] = '\0';
	assert_null(pki_names_add_host(&names, text));
	pki_names_fini(&names);
}

static void a_name_that_is_said_twice_is_there_once(void **state)
{
	struct pki_names names = {0};

	(void)state;
	assert_null(pki_names_add_host(&names, "lamp"));
	assert_null(pki_names_add_host(&names, "DNS:LAMP"));
	assert_null(pki_names_add_host(&names, "::1"));
	assert_null(pki_names_add_host(&names, "0:0::1"));
	assert_int_equal(names.count, 2);
	pki_names_fini(&names);
}

static void order_makes_no_difference(void **state)
{
	struct pki_names a = {0}, b = {0};

	(void)state;
	assert_null(pki_names_add_host(&a, "lamp"));
	assert_null(pki_names_add_host(&a, "::1"));
	assert_null(pki_names_add_host(&b, "::1"));
	assert_false(pki_names_equal(&a, &b));
	assert_null(pki_names_add_host(&b, "Lamp"));
	assert_true(pki_names_equal(&a, &b));
	assert_string_equal(pki_names_common(&b), "Lamp");
	pki_names_fini(&a);
	pki_names_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_name_is_taken_or_refused),
	    cmocka_unit_test(a_part_of_a_name_has_at_most_63_characters),
	    cmocka_unit_test(a_name_that_is_said_twice_is_there_once),
	    cmocka_unit_test(order_makes_no_difference),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
