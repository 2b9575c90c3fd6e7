/* What the journal keeps of sessions: the bytes are those of the format, what is written is read
 * again, and what was not written by us is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "durability/record_codec.h"

/* --- vectors: the format is for ever --- */

#define ZERO "\x00\x00\x00\x00\x00\x00\x00\x00"
#define TIME "\x00\x00\x01\x8f\x00\x00\x00\x07"
#define ANNA                                                                                       \
	"\x01\x00\x04"                                                                             \
	"anna"                                                                                     \
	"\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x06"
#define NOBODY  "\x00\x00\x00" ZERO ZERO
#define FOREVER "\xff\xff\xff\xff"

enum kind { SESSION, SUBSCRIPTION, WAY, SENT, RETAINED, WILL, REPLAY, USER };

static bool way_again(struct slice bytes, struct buf *out)
{
	struct delivery_record way;

	if (!record_read_delivery(bytes, &way))
		return false;
	record_put_delivery(out, &way);
	subscription_ids_fini(&way.ids);
	return true;
}

/* One that `again` does not know does not compile. */
#define VALUE(name, holds, members)                                                                \
	static bool name##_again(struct slice bytes, struct buf *out)                              \
	{                                                                                          \
		struct name##_record k;                                                            \
                                                                                                   \
		return record_read_##name(bytes, &k) && (record_put_##name(out, &k), true);        \
	}
#include "durability/record_values.def"

/* Read and written again into `out`. */
static bool again(enum kind kind, struct slice bytes, struct buf *out)
{
	struct subscription_record subscription;
	struct retained_record retained;

	switch (kind) {
	case SESSION:
		return session_again(bytes, out);
	case SUBSCRIPTION:
		return record_read_subscription(bytes, &subscription) &&
		       (record_put_subscription(out, &subscription), true);
	case WAY:
		return way_again(bytes, out);
	case SENT:
		return inflight_again(bytes, out);
	case RETAINED:
		return record_read_retained(bytes, &retained) &&
		       (record_put_retained(out, &retained), true);
	case WILL:
		return will_again(bytes, out);
	case REPLAY:
		return replay_again(bytes, out);
	case USER:
		return user_id_again(bytes, out);
	}
	return false;
}

static const struct {
	const char *name;
	enum kind kind;
	struct slice bytes;
	bool good;
} vectors[] = {
    {"a session in use", SESSION, SLICE_INIT("\x01" ANNA "\x00\x05phone\x00\x00\x0e\x10" ZERO ZERO),
     true},
    {"a session away, its user removed", SESSION,
     SLICE_INIT("\x01" ANNA "\x00\x05phone" FOREVER TIME TIME), true},
    {"an anonymous session", SESSION, SLICE_INIT("\x01" NOBODY "\x00\x01x" FOREVER TIME ZERO),
     true},
    {"a session by certificate", SESSION,
     SLICE_INIT("\x01\x02\x00\x01u" ZERO TIME "\x00\x01x" FOREVER TIME ZERO), true},
    {"a session of a fourth kind", SESSION,
     SLICE_INIT("\x01\x03\x00\x01u" ZERO ZERO "\x00\x01x" FOREVER TIME ZERO), false},
    {"a session of a later format", SESSION,
     SLICE_INIT("\x02" ANNA "\x00\x05phone\x00\x00\x0e\x10" ZERO ZERO), false},
    {"a session and a byte", SESSION,
     SLICE_INIT("\x01" ANNA "\x00\x05phone\x00\x00\x0e\x10" ZERO ZERO "x"), false},
    {"a client id past the end", SESSION,
     SLICE_INIT("\x01" ANNA "\xff\xffphone\x00\x00\x0e\x10" ZERO ZERO), false},

    {"a subscription", SUBSCRIPTION,
     SLICE_INIT("\x01\x00\x03"
                "a/#\x01\x00\x00\x00\x00\x00\x00\x00"),
     true},
    {"one with everything", SUBSCRIPTION,
     SLICE_INIT("\x01\x00\x0c$share/g/a/+\x02\x01\x01\x02\x0f\xff\xff\xff"), true},
    {"one with QoS 3", SUBSCRIPTION,
     SLICE_INIT("\x01\x00\x01"
                "a\x03\x00\x00\x00\x00\x00\x00\x00"),
     false},
    {"one with a third retain handling", SUBSCRIPTION,
     SLICE_INIT("\x01\x00\x01"
                "a\x01\x00\x00\x03\x00\x00\x00\x00"),
     false},
    {"one whose no-local is 2", SUBSCRIPTION,
     SLICE_INIT("\x01\x00\x01"
                "a\x01\x02\x00\x00\x00\x00\x00\x00"),
     false},
    {"one whose retain as published is 255", SUBSCRIPTION,
     SLICE_INIT("\x01\x00\x01"
                "a\x01\x00\xff\x00\x00\x00\x00\x00"),
     false},

    {"a way", WAY, SLICE_INIT("\x01\x01\x00\x00\x00\x00\x00"), true},
    {"a way with an identifier", WAY, SLICE_INIT("\x01\x06\x00\x00\x00\x01\x00\x00\x00\x07\x00"),
     true},
    {"a way with several, and members that were tried", WAY,
     SLICE_INIT(
	 "\x01\x02\x00\x00\x00\x03\x00\x00\x00\x07\x00\x00\x00\x07\x0f\xff\xff\xff\x02" TIME TIME),
     true},
    {"a way with QoS 3", WAY, SLICE_INIT("\x01\x03\x00\x00\x00\x00\x00"), false},
    {"a way with a flag that is none", WAY, SLICE_INIT("\x01\x09\x00\x00\x00\x00\x00"), false},
    {"a way with identifier 0", WAY,
     SLICE_INIT("\x01\x01\x00\x00\x00\x02\x00\x00\x00\x07\x00\x00\x00\x00\x00"), false},
    {"a way with more identifiers than bytes", WAY,
     SLICE_INIT("\x01\x01\xff\xff\xff\xff\x00\x00\x00\x07\x00"), false},
    {"a way with 17 members", WAY,
     SLICE_INIT("\x01\x01\x00\x00\x00\x00\x11" TIME TIME TIME TIME TIME TIME TIME TIME TIME TIME
                    TIME TIME TIME TIME TIME TIME TIME),
     false},

    {"sent", SENT, SLICE_INIT("\x01\x00\x01\x00"), true},
    {"released", SENT, SLICE_INIT("\x01\xff\xff\x01"), true},
    {"sent with packet identifier 0", SENT, SLICE_INIT("\x01\x00\x00\x00"), false},
    {"neither sent nor released", SENT, SLICE_INIT("\x01\x00\x01\x02"), false},

    {"retained", RETAINED, SLICE_INIT("\x01" ZERO), true},
    {"retained and owned", RETAINED, SLICE_INIT("\x01" ZERO "upporch"), true},
    {"deleted and owned", RETAINED, SLICE_INIT("\x01" TIME "upporch"), true},

    {"a will", WILL, SLICE_INIT("\x01" ANNA "\x00\x05phone\x00\x00\x00\x00" ZERO), true},
    {"a will that waits", WILL, SLICE_INIT("\x01" NOBODY "\x00\x05phone\x00\x00\x00\x09" TIME),
     true},
    {"a will and a byte", WILL, SLICE_INIT("\x01" ANNA "\x00\x05phone\x00\x00\x00\x00" ZERO "\x00"),
     false},

    {"a replay", REPLAY, SLICE_INIT("\x01" TIME), true},
    {"a replay of format 0", REPLAY, SLICE_INIT("\x00" TIME), false},

    {"an id in use", USER, SLICE_INIT("\x01" TIME "\x00\x01u\x00\x00\x00" ZERO ZERO), true},
    {"an id set aside for a while", USER, SLICE_INIT("\x01" TIME "\x00\x01u\x00\x01\x01" TIME ZERO),
     true},
    {"an id that is merged", USER, SLICE_INIT("\x01" TIME "\x00\x01u\x00\x02\x00" TIME TIME), true},
    {"an id in a fifth state", USER, SLICE_INIT("\x01" TIME "\x00\x01u\x00\x04\x00" ZERO ZERO),
     false},
    {"an id of nobody", USER, SLICE_INIT("\x01" TIME "\x00\x00\x00\x00\x00" ZERO ZERO), false},
};

static void record_of_each_vector_is_encoded_and_decoded(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct buf out = {0};
		bool good = again(vectors[i].kind, vectors[i].bytes, &out);

		if (good != vectors[i].good ||
		    (good && !slice_equal(buf_slice(&out), vectors[i].bytes)))
			fail_msg("%s", vectors[i].name);
		buf_fini(&out);
	}
}

/* What is cut is refused; but an owner is as long as it is. */
static void record_cut_short_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		size_t end = vectors[i].bytes.len;

		if (vectors[i].kind == RETAINED)
			end = 1 + sizeof(uint64_t);
		for (size_t len = 0; vectors[i].good && len < end; len++) {
			uint8_t *bytes = xrealloc_array(NULL, len + (len == 0), 1);
			struct buf out = {0};

			memcpy(bytes, vectors[i].bytes.data, len);
			if (again(vectors[i].kind, slice_of(bytes, len), &out))
				fail_msg("%s, %zu bytes", vectors[i].name, len);
			buf_fini(&out);
			free(bytes);
		}
	}
}

/* Nor is what somebody added to; but an owner is as long as it is. */
static void record_with_a_byte_more_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct buf more = {0}, out = {0};

		buf_put_slice(&more, vectors[i].bytes);
		buf_put_u8(&more, 0);
		if (vectors[i].good && vectors[i].kind != RETAINED &&
		    again(vectors[i].kind, buf_slice(&more), &out))
			fail_msg("%s", vectors[i].name);
		buf_fini(&out);
		buf_fini(&more);
	}
}

static void record_of_another_format_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		for (unsigned format = 0; format <= UINT8_MAX; format++) {
			struct buf other = {0}, out = {0};

			buf_put_u8(&other, (uint8_t)format);
			buf_put_slice(&other, slice_skip(vectors[i].bytes, 1));
			if (vectors[i].good &&
			    again(vectors[i].kind, buf_slice(&other), &out) != (format == 1))
				fail_msg("%s, format %u", vectors[i].name, format);
			buf_fini(&out);
			buf_fini(&other);
		}
	}
}

/* --- what the fields are --- */

static void session_record_after_decoding_is_equal(void **state)
{
	struct session_record k = {.user = {.kind = IDENTITY_PASSWORD,
	                                    .name = SLICE("anna"),
	                                    .entry_id = 5,
	                                    .credential = 6},
	                           .client_id = SLICE("phone"),
	                           .expiry_s = UINT32_MAX,
	                           .away_since_ms = 0x18f00000007,
	                           .removed_since_ms = 0x18f00000007};
	struct session_record back = {0};
	struct buf out = {0};

	(void)state;
	record_put_session(&out, &k);
	assert_true(slice_equal(buf_slice(&out), vectors[1].bytes));
	assert_true(record_read_session(buf_slice(&out), &back));
	assert_int_equal(back.user.kind, IDENTITY_PASSWORD);
	assert_true(slice_equal(back.user.name, SLICE("anna")));
	assert_int_equal(back.user.entry_id, 5);
	assert_int_equal(back.user.credential, 6);
	assert_true(slice_equal(back.client_id, SLICE("phone")));
	assert_int_equal(back.expiry_s, UINT32_MAX);
	assert_int_equal(back.away_since_ms, k.away_since_ms);
	assert_int_equal(back.removed_since_ms, k.removed_since_ms);
	buf_fini(&out);
}

static void subscription_record_after_decoding_is_equal(void **state)
{
	struct subscription_record k = {.filter = SLICE("$share/g/a/+"),
	                                .options = {.qos = 2,
	                                            .no_local = true,
	                                            .retain_as_published = false,
	                                            .retain_handling = 1},
	                                .id = 300};
	struct subscription_record back = {0};
	struct buf out = {0};

	(void)state;
	record_put_subscription(&out, &k);
	assert_true(record_read_subscription(buf_slice(&out), &back));
	assert_true(slice_equal(back.filter, k.filter));
	assert_int_equal(back.options.qos, 2);
	assert_true(back.options.no_local);
	assert_false(back.options.retain_as_published);
	assert_int_equal(back.options.retain_handling, 1);
	assert_int_equal(back.id, 300);
	buf_fini(&out);
}

static void delivery_record_after_decoding_is_equal(void **state)
{
	struct delivery_record k = {.qos = 1, .retain = true, .tried_count = RECORD_TRIED_MAX},
			       back;
	struct buf out = {0};

	(void)state;
	subscription_ids_add(&k.ids, 9);
	subscription_ids_add(&k.ids, 8);
	for (uint64_t i = 0; i < RECORD_TRIED_MAX; i++)
		k.tried[i] = i + 1;
	record_put_delivery(&out, &k);
	assert_true(record_read_delivery(buf_slice(&out), &back));
	assert_int_equal(back.qos, 1);
	assert_true(back.retain);
	assert_int_equal(subscription_ids_count(&back.ids), 2);
	assert_int_equal(subscription_ids_all(&back.ids)[0], 9);
	assert_int_equal(subscription_ids_all(&back.ids)[1], 8);
	assert_int_equal(back.tried_count, RECORD_TRIED_MAX);
	assert_memory_equal(back.tried, k.tried, sizeof(k.tried));
	subscription_ids_fini(&back.ids);
	subscription_ids_fini(&k.ids);
	buf_fini(&out);
}

static void other_records_after_decoding_are_equal(void **state)
{
	struct inflight_record sent = {.packet_id = 0x1234, .released = true};
	struct retained_record retained = {.owner = SLICE("upporch"), .owned_until_ms = 77};
	struct replay_record replay = {.until = 99};
	struct will_record will = {.user = {.kind = IDENTITY_CERTIFICATE, .name = SLICE("u")},
	                           .client_id = SLICE("c"),
	                           .delay_s = 9,
	                           .due_ms = 88};
	struct buf out = {0};

	(void)state;
	record_put_inflight(&out, &sent);
	sent = (struct inflight_record){0};
	assert_true(record_read_inflight(buf_slice(&out), &sent));
	assert_int_equal(sent.packet_id, 0x1234);
	assert_true(sent.released);
	buf_clear(&out);
	record_put_retained(&out, &retained);
	assert_true(record_read_retained(buf_slice(&out), &retained));
	assert_true(slice_equal(retained.owner, SLICE("upporch")));
	assert_int_equal(retained.owned_until_ms, 77);
	buf_fini(&out);
	record_put_replay(&out, &replay);
	assert_true(record_read_replay(buf_slice(&out), &replay));
	assert_int_equal(replay.until, 99);
	buf_clear(&out);
	record_put_will(&out, &will);
	assert_true(record_read_will(buf_slice(&out), &will));
	assert_int_equal(will.user.kind, IDENTITY_CERTIFICATE);
	assert_true(slice_equal(will.client_id, SLICE("c")));
	assert_int_equal(will.delay_s, 9);
	assert_int_equal(will.due_ms, 88);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(record_of_each_vector_is_encoded_and_decoded),
	    cmocka_unit_test(record_cut_short_is_refused),
	    cmocka_unit_test(record_with_a_byte_more_is_refused),
	    cmocka_unit_test(record_of_another_format_is_refused),
	    cmocka_unit_test(session_record_after_decoding_is_equal),
	    cmocka_unit_test(subscription_record_after_decoding_is_equal),
	    cmocka_unit_test(delivery_record_after_decoding_is_equal),
	    cmocka_unit_test(other_records_after_decoding_are_equal),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
