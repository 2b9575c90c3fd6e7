/* The output chain: order and count, however it is filled and emptied. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/output_chain.h"

static void a_chain_keeps_order_and_count(void **state)
{
	struct output_chain c = {0};
	uint8_t bytes[50000], next = 0;
	size_t in = 0, out = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i % 251);
	for (size_t n = 1; in < sizeof(bytes); n = n * 3 + 1) {
		n = n < sizeof(bytes) - in ? n : sizeof(bytes) - in;
		output_chain_put(&c, slice_of(bytes + in, n));
		in += n;
	}
	assert_int_equal(c.len, sizeof(bytes));
	while (c.len > 0) {
		struct iovec pieces[4];
		size_t count = output_chain_peek(&c, pieces, 4), n = pieces[0].iov_len;

		assert_in_range(count, 1, 4);
		n = n > 7000 ? 7000 : n;
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(((uint8_t *)pieces[0].iov_base)[i], next);
			next = (uint8_t)((next + 1) % 251);
		}
		out += n;
		output_chain_consume(&c, n);
		assert_int_equal(c.len, sizeof(bytes) - out);
	}
	assert_null(c.head);
	output_chain_put(&c, SLICE("x"));
	output_chain_fini(&c);
	assert_int_equal(c.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_chain_keeps_order_and_count),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
