/* What a measured payload begins with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/bench/stamp.h"

static const uint8_t written[STAMP_BYTES] = {'V', 'K', 'T', 'B', 1, 2, 3, 4, 0, 0,  0,  7,
                                             0,   0,   1,   0,   0, 0, 0, 2, 0, 10, 11, 12};
static const struct stamp stamp = {
    .run = 0x01020304, .publisher = 7, .sequence = 256, .due_ns = UINT64_C(0x00000002000a0b0c)};

static void it_is_written(void **state)
{
	uint8_t out[STAMP_BYTES];

	(void)state;
	stamp_write(out, &stamp);
	assert_memory_equal(out, written, sizeof(out));
}

static void it_is_read_again(void **state)
{
	uint8_t longer[STAMP_BYTES + 5] = {0};
	struct stamp got;

	(void)state;
	memcpy(longer, written, sizeof(written));
	assert_true(stamp_read(slice_of(longer, sizeof(longer)), &got));
	assert_int_equal(got.run, stamp.run);
	assert_int_equal(got.publisher, stamp.publisher);
	assert_int_equal(got.sequence, stamp.sequence);
	assert_int_equal(got.due_ns, stamp.due_ns);
}

static void another_payload_is_none(void **state)
{
	uint8_t other[STAMP_BYTES];
	struct stamp got;

	(void)state;
	for (size_t len = 0; len < STAMP_BYTES; len++)
		assert_false(stamp_read(slice_of(written, len), &got));
	memcpy(other, written, sizeof(other));
	other[3] ^= 1;
	assert_false(stamp_read(slice_of(other, sizeof(other)), &got));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_is_written),
	    cmocka_unit_test(it_is_read_again),
	    cmocka_unit_test(another_payload_is_none),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
