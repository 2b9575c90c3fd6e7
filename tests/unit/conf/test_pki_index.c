/* The index of a PKI: what is written is read again, and what was not written like that is broken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/array.h"
#include "conf/pki_index.h"

#define HEAD "# Certificates that broker-pki issued.\n"
#define KEY  "0000000000000000000000000000000000000000000000000000000000000001"
#define GOOD "ab12 client anna 2026-11-30T19:00:00Z 2027-11-30T19:00:00Z valid " KEY "\n"

static void what_is_written_is_read_again(void **state)
{
	static const char *const names[] = {"anna", "a b", "100%", "-", "ä\xc3\xbc", "x%20y"};
	struct pki_index first = {0}, second = {0};
	struct buf text = {0}, again = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct pki_entry e = {.serial = "ab12",
		                      .kind = PKI_CLIENT,
		                      .name = xstrdup(names[i]),
		                      .issued = 1796065212,
		                      .until = 1827601212,
		                      .revoked = i == 2 ? 1796065300 : 0,
		                      .is_imported = i == 3,
		                      .key = KEY};

		pki_index_add(&first, &e);
	}
	pki_index_add(&first, &(struct pki_entry){.serial = "1", .kind = PKI_SERVER, .revoked = 5});
	pki_index_format(&first, &text);
	assert_int_equal(pki_index_parse(&second, buf_slice(&text)), 0);
	assert_int_equal(second.count, first.count);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_string_equal(second.entries[i].name, names[i]);
	assert_null(second.entries[6].name);
	assert_int_equal(second.entries[2].revoked, 1796065300);
	assert_true(second.entries[3].is_imported);
	pki_index_format(&second, &again);
	assert_true(slice_equal(buf_slice(&text), buf_slice(&again)));
	buf_fini(&text);
	buf_fini(&again);
	pki_index_fini(&first);
	pki_index_fini(&second);
}

static const struct {
	const char *text;
	size_t bad, count;
} rows[] = {
    {HEAD GOOD, 0, 1},
    {HEAD "# a comment\n\n" GOOD, 0, 1},
    {"", 1, 0},
    {GOOD, 1, 1},
    /* A last line that was cut. */
    {HEAD GOOD "ab12 client anna 2026-11-30T19:00:00Z 2027-11-30T19:00:00Z valid 00", 3, 1},
    {HEAD "AB12 client anna 2026-11-30T19:00:00Z 2027-11-30T19:00:00Z valid -\n", 2, 0},
    {HEAD " client anna 2026-11-30T19:00:00Z 2027-11-30T19:00:00Z valid -\n", 2, 0},
    {HEAD "ab12 clients anna 2026-11-30T19:00:00Z 2027-11-30T19:00:00Z valid -\n", 2, 0},
    {HEAD "ab12 client a%2 2026-11-30T19:00:00Z 2027-11-30T19:00:00Z valid -\n", 2, 0},
    {HEAD "ab12 client a%00 2026-11-30T19:00:00Z 2027-11-30T19:00:00Z valid -\n", 2, 0},
    {HEAD "ab12 client \xff 2026-11-30T19:00:00Z 2027-11-30T19:00:00Z valid -\n", 2, 0},
    {HEAD "ab12 client a 2026-13-30T19:00:00Z 2027-11-30T19:00:00Z valid -\n", 2, 0},
    {HEAD "ab12 client a 2026-02-30T19:00:00Z 2027-11-30T19:00:00Z valid -\n", 2, 0},
    {HEAD "ab12 client a 2026-11-30T19:00:00Z 2027-11-30T19:00:00 valid -\n", 2, 0},
    {HEAD "ab12 client a 2026-11-30T19:00:00Z 2027-11-30T19:00:00Z revoked -\n", 2, 0},
    {HEAD "ab12 client a 2026-11-30T19:00:00Z 2027-11-30T19:00:00Z revoked= -\n", 2, 0},
    {HEAD "ab12 client a 2026-11-30T19:00:00Z 2027-11-30T19:00:00Z valid - more\n", 2, 0},
    {HEAD "ab12 client a 2026-11-30T19:00:00Z 2027-11-30T19:00:00Z valid\n", 2, 0},
    {HEAD "ab12 client a 2026-11-30T19:00:00Z 2027-11-30T19:00:00Z valid xyz\n", 2, 0},
    /* What is good behind it is read all the same. */
    {HEAD "garbage\n" GOOD, 2, 1},
};

static void a_broken_line_is_found_and_left_out(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pki_index index = {0};

		assert_int_equal(pki_index_parse(&index, slice_of_str(rows[i].text)), rows[i].bad);
		assert_int_equal(index.count, rows[i].count);
		pki_index_fini(&index);
	}
}

static void the_newest_that_is_not_revoked_is_found(void **state)
{
	struct pki_index index = {0};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct pki_entry e = {.kind = PKI_CLIENT,
		                      .name = xstrdup("anna"),
		                      .issued = 10 + i,
		                      .revoked = i == 2 ? 50 : 0};

		e.serial[0] = (char)('1' + i);
		pki_index_add(&index, &e);
	}
	assert_string_equal(pki_index_newest(&index, PKI_CLIENT, "anna")->serial, "2");
	assert_null(pki_index_newest(&index, PKI_SERVER, "anna"));
	assert_null(pki_index_newest(&index, PKI_CLIENT, "otto"));
	assert_int_equal(pki_index_last_issued(&index), 12);
	assert_int_equal(pki_index_by_serial(&index, "3")->revoked, 50);
	pki_index_fini(&index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_written_is_read_again),
	    cmocka_unit_test(a_broken_line_is_found_and_left_out),
	    cmocka_unit_test(the_newest_that_is_not_revoked_is_found),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
