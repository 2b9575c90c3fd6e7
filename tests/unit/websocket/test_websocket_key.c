/* RFC 6455 4.2.2 and 1.3. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/array.h"
#include "websocket/websocket_key.h"

static void example_of_the_rfc(void **state)
{
	struct buf out = {0};

	(void)state;
	websocket_key_accept(SLICE("dGhlIHNhbXBsZSBub25jZQ=="), &out);
	assert_true(slice_equal(buf_slice(&out), SLICE("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")));
	buf_fini(&out);
}

static void keys(void **state)
{
	static const struct {
		const char *key;
		bool valid;
	} rows[] = {
	    {"dGhlIHNhbXBsZSBub25jZQ==", true},
	    {"AAAAAAAAAAAAAAAAAAAAAA==", true},
	    {"", false},
	    {"dGhlIHNhbXBsZSBub25jZQ", false},
	    {"dGhlIHNhbXBsZSBub25jZQ=", false},
	    {"dGhlIHNhbXBsZSBub25jZR==", false}, /* stray bits */
	    {"dGhlIHNhbXBsZSBub25jZQ== ", false},
	    {"dGhlIHNhbXBsZSBub25jZQA=", false}, /* 17 bytes */
	    {"dGhlIHNhbXBsZSBub25j", false},     /* 15 bytes */
	    {"dGhlIHNhbXBsZSBub2-jZQ==", false}, /* the other alphabet */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (websocket_key_is_valid(slice_of_str(rows[i].key)) != rows[i].valid)
			fail_msg("%s", rows[i].key);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(example_of_the_rfc),
	                                   cmocka_unit_test(keys)};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
