/* Framing: where packets end, for whole input and for every way to split it. */
#include "rows.h"

static const struct {
	const char *name;
	const char *bytes;
	enum frame_result want;
	size_t needed;
	size_t max_bytes;
} rows[] = {
    {"nothing", "", FRAME_INCOMPLETE, 0, 1000},
    {"first byte only", "30", FRAME_INCOMPLETE, 0, 1000},
    {"empty body", "c000", FRAME_COMPLETE, 2, 1000},
    {"empty body at the limit", "c000", FRAME_COMPLETE, 2, 2},
    {"empty body over the limit", "c000", FRAME_TOO_LARGE, 2, 1},
    {"three bytes", "30 03 000161", FRAME_COMPLETE, 5, 1000},
    {"one byte misses", "30 03 0001", FRAME_INCOMPLETE, 5, 1000},
    {"127 bytes announced", "30 7f", FRAME_INCOMPLETE, 129, 1000},
    {"128 bytes announced", "30 8001", FRAME_INCOMPLETE, 131, 1000},
    {"length unfinished", "30 80", FRAME_INCOMPLETE, 0, 1000},
    {"length unfinished, three", "30 ffffff", FRAME_INCOMPLETE, 0, 1000},
    {"16383 announced", "30 ff7f", FRAME_INCOMPLETE, 16386, 20000},
    {"16384 announced", "30 808001", FRAME_INCOMPLETE, 16388, 20000},
    {"largest there is", "30 ffffff7f", FRAME_INCOMPLETE, FRAME_SIZE_MAX, FRAME_SIZE_MAX},
    {"largest, but refused", "30 ffffff7f", FRAME_TOO_LARGE, FRAME_SIZE_MAX, FRAME_SIZE_MAX - 1},
    {"too large is known early", "30 e907", FRAME_TOO_LARGE, 1004, 1003},
    {"five bytes", "30 8080808001", FRAME_MALFORMED, 0, 1000},
    {"five bytes, known after four", "30 ffffffff", FRAME_MALFORMED, 0, 1000},
    {"five bytes, all empty", "30 8080808000", FRAME_MALFORMED, 0, 1000},
    {"not minimal", "30 8000", FRAME_COMPLETE, 3, 1000},
    {"not minimal, at the limit", "30 8000", FRAME_COMPLETE, 3, 3},
    {"not minimal, over the limit", "30 8000", FRAME_TOO_LARGE, 3, 2},
    {"not minimal in two", "30 838000 000161", FRAME_COMPLETE, 7, 1000},
    {"not minimal in three", "30 ff8000", FRAME_INCOMPLETE, 131, 1000},
    {"not minimal in four", "30 ffff8000", FRAME_INCOMPLETE, 16388, 20000},
    {"reserved type is framed", "00 00", FRAME_COMPLETE, 2, 1000},
};

/* [MQTT5-1.5.5-1] */
static void frame_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice bytes = exact_bytes(rows[i].bytes);
		struct slice in = bytes;
		struct frame f = {0};
		size_t needed = 77;
		enum frame_result got = frame_next(&in, rows[i].max_bytes, &f, &needed);

		if (got != rows[i].want || needed != rows[i].needed)
			fail_msg("%s: %d, %zu needed", rows[i].name, (int)got, needed);
		assert_int_equal(in.len, got == FRAME_COMPLETE ? 0 : bytes.len);
		if (got == FRAME_COMPLETE)
			assert_int_equal(f.size_bytes, bytes.len);
		slice_free(bytes);
	}
}

/* Who knows the version judges it. [MQTT5-1.5.5-1] */
static void padded_lengths(void **state)
{
	static const struct {
		const char *bytes;
		bool padded;
	} lengths[] = {
	    {"c0 00", false},           {"c0 8000", true},
	    {"c0 808000", true},        {"c0 80808000", true},
	    {"30 03 000161", false},    {"30 8300 000161", true},
	    {"30 838000 000161", true}, {"30 83808000 000161", true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(lengths); i++) {
		struct slice bytes = exact_bytes(lengths[i].bytes);
		struct frame f = frame_of_packet(bytes);

		if (f.padded != lengths[i].padded || f.size_bytes != bytes.len)
			fail_msg("%s", lengths[i].bytes);
		slice_free(bytes);
	}
}

static void every_prefix_is_incomplete(void **state)
{
	struct buf b = {0};

	(void)state;
	frame_put_header(&b, PACKET_PUBLISH, 0x0b, 200);
	for (int i = 0; i < 200; i++)
		buf_put_u8(&b, (uint8_t)i);
	for (size_t n = 0; n < b.len; n++) {
		struct slice bytes = exact_copy(slice_of(b.data, n));
		struct slice in = bytes;
		struct frame f;
		size_t needed;

		assert_int_equal(frame_next(&in, 1000, &f, &needed), FRAME_INCOMPLETE);
		assert_int_equal(needed, n < 3 ? 0 : 203);
		slice_free(bytes);
	}
	buf_fini(&b);
}

static void packets_behind_each_other(void **state)
{
	struct slice bytes = exact_bytes("c000 3b 03 000161 e000 30");
	struct slice in = bytes;
	struct frame f;
	size_t needed;

	(void)state;
	assert_int_equal(frame_next(&in, 100, &f, &needed), FRAME_COMPLETE);
	assert_int_equal(f.type, PACKET_PINGREQ);
	assert_int_equal(frame_next(&in, 100, &f, &needed), FRAME_COMPLETE);
	assert_int_equal(f.type, PACKET_PUBLISH);
	assert_int_equal(f.flags, 0x0b);
	assert_true(slice_is(f.body, "000161"));
	assert_int_equal(frame_next(&in, 100, &f, &needed), FRAME_COMPLETE);
	assert_int_equal(f.type, PACKET_DISCONNECT);
	assert_int_equal(frame_next(&in, 100, &f, &needed), FRAME_INCOMPLETE);
	assert_int_equal(in.len, 1);
	slice_free(bytes);
}

static void headers(void **state)
{
	static const struct {
		enum packet_type type;
		uint8_t flags;
		size_t body;
		const char *want;
	} headers[] = {
	    {PACKET_PINGRESP, 0, 0, "d000"},
	    {PACKET_PUBREL, 2, 2, "6202"},
	    {PACKET_PUBLISH, 0x0d, 127, "3d7f"},
	    {PACKET_PUBLISH, 0, 128, "308001"},
	    {PACKET_PUBLISH, 0, 16383, "30ff7f"},
	    {PACKET_PUBLISH, 0, 16384, "30808001"},
	    {PACKET_PUBLISH, 0, 2097151, "30ffff7f"},
	    {PACKET_PUBLISH, 0, 2097152, "3080808001"},
	    {PACKET_AUTH, 0, FRAME_BODY_MAX, "f0ffffff7f"},
	};
	struct buf b = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(headers); i++) {
		frame_put_header(&b, headers[i].type, headers[i].flags, headers[i].body);
		expect_bytes(headers[i].want, &b, headers[i].want);
	}
	buf_fini(&b);
}

static void names(void **state)
{
	(void)state;
	assert_string_equal(packet_type_name(PACKET_RESERVED), "RESERVED");
	assert_string_equal(packet_type_name(PACKET_CONNECT), "CONNECT");
	assert_string_equal(packet_type_name(PACKET_UNSUBACK), "UNSUBACK");
	assert_string_equal(packet_type_name(PACKET_AUTH), "AUTH");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(frame_vectors),
	    cmocka_unit_test(padded_lengths),
	    cmocka_unit_test(every_prefix_is_incomplete),
	    cmocka_unit_test(packets_behind_each_other),
	    cmocka_unit_test(headers),
	    cmocka_unit_test(names),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
