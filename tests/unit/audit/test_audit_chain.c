/* The chain of the audit: vectors that another program computed, and what tampering does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "audit/audit_chain.h"
#include "base/array.h"

/* HMAC-SHA-256 of Python, with the key 00 01 .. 1f. */
static const struct {
	struct slice line, chained;
} vectors[] = {
    {SLICE_INIT("{\"time\":\"t\",\"event\":\"a\"}\n"),
     SLICE_INIT("{\"time\":\"t\",\"event\":\"a\",\"audit_number\":1,\"audit_mac\":"
                "\"3c925e9d3264c9fbaf2c3f5d07fc171112b28f1c56dc5629e863d362e0bfa106\"}")},
    {SLICE_INIT("{\"time\":\"t\",\"event\":\"b\",\"user\":\"anna\"}\n"),
     SLICE_INIT("{\"time\":\"t\",\"event\":\"b\",\"user\":\"anna\",\"audit_number\":2,\"audit_"
                "mac\":\"c4cc5b99242d36a713e9c2d8ec5cfad79e0860fb9ae9e3eaebc5da779a11bb62\"}")},
    {SLICE_INIT("{\"time\":\"t\",\"event\":\"c\"}\n"),
     SLICE_INIT("{\"time\":\"t\",\"event\":\"c\",\"audit_number\":3,\"audit_mac\":"
                "\"91e8245b51e544c21bf36d3c84c564f87161f22d0b981b4afbab43f6c8162c78\"}")},
};

static uint8_t key_bytes[AUDIT_KEY_BYTES];

static struct slice key(void)
{
	for (size_t i = 0; i < sizeof(key_bytes); i++)
		key_bytes[i] = (uint8_t)i;
	return slice_of(key_bytes, sizeof(key_bytes));
}

static void test_vectors(void **state)
{
	struct audit_head head = {0}, read = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct buf out = {0};

		audit_chain_append(key(), &head, vectors[i].line, &out);
		assert_true(out.len == vectors[i].chained.len + 1);
		assert_memory_equal(out.data, vectors[i].chained.data, out.len - 1);
		assert_true(audit_chain_read(vectors[i].chained, &read));
		assert_true(audit_head_equal(&read, &head));
		assert_true(head.number == i + 1);
		buf_fini(&out);
	}
}

static bool verifies(const size_t *order, size_t count)
{
	struct audit_head head = {0};

	for (size_t i = 0; i < count; i++)
		if (!audit_chain_follows(key(), &head, vectors[order[i]].chained))
			return false;
	return true;
}

static void test_orders(void **state)
{
	(void)state;
	assert_true(verifies((const size_t[]){0, 1, 2}, 3));
	assert_false(verifies((const size_t[]){0, 2}, 2));       /* deleted */
	assert_false(verifies((const size_t[]){1, 2}, 2));       /* from the beginning */
	assert_false(verifies((const size_t[]){0, 2, 1}, 3));    /* moved */
	assert_false(verifies((const size_t[]){0, 1, 1, 2}, 4)); /* twice */
}

/* Each bit of a line counts, and a head that did not fit stays what it was. */
static void test_every_bit(void **state)
{
	struct slice line = vectors[1].chained;
	char *copy = slice_dup(line);

	(void)state;
	for (size_t bit = 0; bit < 8 * line.len; bit++) {
		struct audit_head head = {0}, before;

		assert_true(audit_chain_follows(key(), &head, vectors[0].chained));
		before = head;
		copy[bit / 8] = (char)(copy[bit / 8] ^ (1 << bit % 8));
		assert_false(audit_chain_follows(key(), &head, slice_of(copy, line.len)));
		assert_true(audit_head_equal(&head, &before));
		copy[bit / 8] = (char)(copy[bit / 8] ^ (1 << bit % 8));
	}
	for (size_t len = 0; len < line.len; len++) {
		struct audit_head head = {0};

		assert_true(audit_chain_follows(key(), &head, vectors[0].chained));
		assert_false(audit_chain_follows(key(), &head, slice_of(copy, len)));
	}
	free(copy);
}

static void test_other_key(void **state)
{
	static const uint8_t other[AUDIT_KEY_BYTES];
	struct audit_head head = {0};

	(void)state;
	assert_false(
	    audit_chain_follows(slice_of(other, sizeof(other)), &head, vectors[0].chained));
}

static const struct {
	const char *text;
	bool ok;
} heads[] = {
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
    {"0:" ZEROS, true},
    {"18446744073709551615:" ZEROS, true},
    {"18446744073709551616:" ZEROS, false},
    {"99999999999999999999:" ZEROS, false},
    {"01:" ZEROS, false},
    {"-1:" ZEROS, false},
    {":" ZEROS, false},
    {"1" ZEROS, false},
    {"1:" ZEROS "0", false},
    {"1:F000000000000000000000000000000000000000000000000000000000000000", false},
    {"1:", false},
    {"", false},
};

static void test_heads(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		char text[AUDIT_HEAD_TEXT];
		struct audit_head head;

		assert_int_equal(audit_head_parse(slice_of_str(heads[i].text), &head), heads[i].ok);
		if (!heads[i].ok)
			continue;
		audit_head_text(&head, text);
		assert_string_equal(text, heads[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_vectors),   cmocka_unit_test(test_orders),
	    cmocka_unit_test(test_every_bit), cmocka_unit_test(test_other_key),
	    cmocka_unit_test(test_heads),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
