/* SUBSCRIBE, UNSUBSCRIBE and their acknowledgements. */
#include "proto/packet_suback.h"
#include "proto/packet_subscribe.h"
#include "rows.h"

struct row {
	const char *name;
	const char *body;
	enum mqtt_version version;
	enum reason want;
	size_t count;
};

static const struct row subscribes[] = {
    {"v3 one", "0001 0001 'a' 00", MQTT_3_1_1, REASON_OK, 1},
    {"v3 three", "ffff 0001 'a' 00 0003 'b/#' 01 0001 '+' 02", MQTT_3_1_1, REASON_OK, 3},
    {"v3 share", "0001 000a '$share/g/a' 01", MQTT_3_1_1, REASON_OK, 1},
    {"v3 share without a name", "0001 0008 '$share//' 01", MQTT_3_1_1, REASON_OK, 1},
    {"v3 two hashes", "0001 0002 '##' 00", MQTT_3_1_1, REASON_MALFORMED, 0}, /* [MQTT3-4.7.1-2] */
    {"v3 plus glued", "0001 0002 'a+' 00", MQTT_3_1_1, REASON_MALFORMED, 0}, /* [MQTT3-4.7.1-3] */
    {"v3 empty filter", "0001 0000 00", MQTT_3_1_1, REASON_MALFORMED, 0},    /* [MQTT-4.7.3-1] */
    {"v3 none", "0001", MQTT_3_1_1, REASON_PROTOCOL_ERROR, 0},               /* [MQTT3-3.8.3-3] */
    {"v3 qos 3", "0001 0001 'a' 03", MQTT_3_1_1, REASON_MALFORMED, 0},       /* [MQTT3-3.8.3-4] */
    {"v3 no local", "0001 0001 'a' 04", MQTT_3_1_1, REASON_MALFORMED, 0},
    {"v3 reserved bit", "0001 0001 'a' 80", MQTT_3_1_1, REASON_MALFORMED, 0},
    {"v3 second is bad", "0001 0001 'a' 00 0001 'b' 08", MQTT_3_1_1, REASON_MALFORMED, 0},
    {"v3 identifier 0", "0000 0001 'a' 00", MQTT_3_1_1, REASON_MALFORMED, 0}, /* [MQTT3-2.3.1-1] */
    {"v3 no options", "0001 0001 'a'", MQTT_3_1_1, REASON_MALFORMED, 0},
    {"v3 filter not utf-8", "0001 0001 ff 00", MQTT_3_1_1, REASON_MALFORMED,
     0}, /* [MQTT-3.8.3-1] */
    {"v3 filter nul", "0001 0001 00 00", MQTT_3_1_1, REASON_MALFORMED, 0},
    {"v3 filter past end", "0001 0005 'a' 00", MQTT_3_1_1, REASON_MALFORMED, 0},
    {"v3 nothing", "", MQTT_3_1_1, REASON_MALFORMED, 0},
    {"v5 one", "0001 00 0001 'a' 00", MQTT_5_0, REASON_OK, 1},
    {"v5 all options", "0001 00 0001 'a' 2e", MQTT_5_0, REASON_OK, 1},
    {"v5 identifier of subscription", "0001 02 0b 07 0001 'a' 01", MQTT_5_0, REASON_OK, 1},
    {"v5 user property", "0001 05 2600000000 0001 'a' 01", MQTT_5_0, REASON_OK, 1},
    {"v5 share", "0001 00 000a '$share/g/a' 0a", MQTT_5_0, REASON_OK, 1},
    {"v5 no local on what is no share", "0001 00 0006 '$share' 04", MQTT_5_0, REASON_OK, 1},
    {"v5 none", "0001 00", MQTT_5_0, REASON_PROTOCOL_ERROR, 0}, /* [MQTT5-3.8.3-2] */
    {"v5 qos 3", "0001 00 0001 'a' 03", MQTT_5_0, REASON_PROTOCOL_ERROR, 0},
    {"v5 retain handling 3", "0001 00 0001 'a' 30", MQTT_5_0, REASON_PROTOCOL_ERROR, 0},
    {"v5 reserved 6", "0001 00 0001 'a' 40", MQTT_5_0, REASON_MALFORMED, 0}, /* [MQTT5-3.8.3-5] */
    {"v5 reserved 7", "0001 00 0001 'a' 80", MQTT_5_0, REASON_MALFORMED, 0},
    /* [MQTT5-3.8.3-4] */
    {"v5 no local on share", "0001 00 000a '$share/g/a' 04", MQTT_5_0, REASON_PROTOCOL_ERROR, 0},
    {"v5 subscription id 0", "0001 02 0b 00 0001 'a' 01", MQTT_5_0, REASON_PROTOCOL_ERROR, 0},
    {"v5 two ids", "0001 04 0b01 0b02 0001 'a' 01", MQTT_5_0, REASON_PROTOCOL_ERROR, 0},
    {"v5 foreign property", "0001 02 0101 0001 'a' 01", MQTT_5_0, REASON_MALFORMED, 0},
    {"v5 no properties", "0001 0001 'a' 00", MQTT_5_0, REASON_MALFORMED, 0},
    {"v5 identifier 0", "0000 00 0001 'a' 00", MQTT_5_0, REASON_MALFORMED, 0}, /* [MQTT5-2.2.1-3] */
    {"v5 filter not utf-8", "0001 00 0002 'a' c3 00", MQTT_5_0, REASON_MALFORMED, 0},
    {"v5 hash glued", "0001 00 0002 'a#' 00", MQTT_5_0, REASON_MALFORMED, 0}, /* [MQTT5-4.7.1-1] */
    {"v5 plus glued", "0001 00 0002 '+a' 00", MQTT_5_0, REASON_MALFORMED, 0}, /* [MQTT5-4.7.1-2] */
    {"v5 share alone", "0001 00 0008 '$share/g' 00", MQTT_5_0, REASON_MALFORMED, 0},
    /* [MQTT5-4.8.2-1, -2] */
    {"v5 share without a name", "0001 00 0009 '$share//a' 00", MQTT_5_0, REASON_MALFORMED, 0},
    {"v5 share name not utf-8", "0001 00 000a '$share/' ff '/a' 00", MQTT_5_0, REASON_MALFORMED, 0},
};

static const struct row unsubscribes[] = {
    {"v3 one", "0001 0001 'a'", MQTT_3_1_1, REASON_OK, 1},
    {"v3 two", "0001 0001 'a' 0003 'b/#'", MQTT_3_1_1, REASON_OK, 2},
    {"v3 empty filter", "0001 0000", MQTT_3_1_1, REASON_MALFORMED, 0},
    {"v3 hash inside", "0001 0003 '#/a'", MQTT_3_1_1, REASON_MALFORMED, 0},
    {"v3 none", "0001", MQTT_3_1_1, REASON_PROTOCOL_ERROR, 0}, /* [MQTT-3.10.3-2] */
    {"v3 identifier 0", "0000 0001 'a'", MQTT_3_1_1, REASON_MALFORMED, 0},
    {"v3 surplus", "0001 0001 'a' 00", MQTT_3_1_1, REASON_MALFORMED, 0},
    {"v3 filter not utf-8", "0001 0001 ff", MQTT_3_1_1, REASON_MALFORMED, 0}, /* [MQTT-3.10.3-1] */
    {"v5 one", "0001 00 0001 'a'", MQTT_5_0, REASON_OK, 1},
    {"v5 user property", "0001 05 2600000000 0001 'a'", MQTT_5_0, REASON_OK, 1},
    {"v5 subscription id", "0001 02 0b01 0001 'a'", MQTT_5_0, REASON_MALFORMED, 0},
    {"v5 none", "0001 00", MQTT_5_0, REASON_PROTOCOL_ERROR, 0},
    {"v5 no properties", "0001", MQTT_5_0, REASON_MALFORMED, 0},
    {"v5 share alone", "0001 00 0008 '$share/g'", MQTT_5_0, REASON_MALFORMED, 0},
    {"v5 second not utf-8", "0001 00 0001 'a' 0001 80", MQTT_5_0, REASON_MALFORMED, 0},
};

/* What both have in common, so that one runner serves both. */
struct request {
	bool is_subscribe;
	struct subscribe sub;
};

static struct fault decode(struct request *q, unsigned flags, enum mqtt_version version,
                           struct slice body)
{
	struct frame f =
	    frame_with(q->is_subscribe ? PACKET_SUBSCRIBE : PACKET_UNSUBSCRIBE, flags, body);

	return packet_subscribe_decode(&f, version, &q->sub);
}

static size_t walk(struct request *q)
{
	struct subscription_options options;
	struct slice filter;
	size_t count = 0;

	while (q->is_subscribe ? packet_subscribe_next(&q->sub.entries, &filter, &options)
	                       : packet_unsubscribe_next(&q->sub.entries, &filter))
		count++;
	assert_int_equal(q->sub.entries.len, 0);
	return count;
}

static void run(const struct row *rows, size_t count, bool is_subscribe)
{
	for (size_t i = 0; i < count; i++) {
		struct slice body = exact_bytes(rows[i].body);
		struct request q = {.is_subscribe = is_subscribe};

		expect_reason(rows[i].name, decode(&q, 2, rows[i].version, body), rows[i].want);
		if (rows[i].want == REASON_OK) {
			assert_int_equal(q.sub.count, rows[i].count);
			assert_int_equal(walk(&q), rows[i].count);
		}
		slice_free(body);
	}
}

/* A prefix is good only where it ends behind an entry: then it has fewer of them. */
static void run_prefixes(const struct row *rows, size_t count, bool is_subscribe)
{
	for (size_t i = 0; i < count; i++) {
		struct slice body = exact_bytes(rows[i].body);
		size_t good = 0;

		for (size_t n = 0; n < body.len; n++) {
			struct slice prefix = exact_copy(slice_of(body.data, n));
			struct request q = {.is_subscribe = is_subscribe};

			if (fault_is_none(decode(&q, 2, rows[i].version, prefix)))
				assert_int_equal(walk(&q), ++good);
			slice_free(prefix);
		}
		if (rows[i].want == REASON_OK)
			assert_int_equal(good, rows[i].count - 1);
		slice_free(body);
	}
}

static void subscribe_vectors(void **state)
{
	(void)state;
	run(subscribes, COUNT(subscribes), true);
	run_prefixes(subscribes, COUNT(subscribes), true);
}

static void unsubscribe_vectors(void **state)
{
	(void)state;
	run(unsubscribes, COUNT(unsubscribes), false);
	run_prefixes(unsubscribes, COUNT(unsubscribes), false);
}

static void flags(void **state)
{
	struct slice body = exact_bytes("0001 0001 'a' 00 0001 'b' 00");
	struct slice unsub_body = exact_bytes("0001 0001 'a'");

	(void)state;
	for (unsigned given = 0; given < 16; given++) { /* [MQTT-3.8.1-1] [MQTT-3.10.1-1] */
		struct request sub = {.is_subscribe = true};
		struct request unsub = {0};
		enum reason want = given == 2 ? REASON_OK : REASON_MALFORMED;

		expect_reason("subscribe", decode(&sub, given, MQTT_3_1_1, body), want);
		expect_reason("unsubscribe", decode(&unsub, given, MQTT_3_1_1, unsub_body), want);
	}
	slice_free(body);
	slice_free(unsub_body);
}

/* All 256 option bytes, judged by the tables of the standards written out here. */
static void every_option_byte(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits < 256; bits++) {
		uint8_t v3[] = {0, 1, 0, 1, 'a', (uint8_t)bits};
		uint8_t v5[] = {0, 1, 0, 0, 1, 'a', (uint8_t)bits};
		struct request q = {.is_subscribe = true};
		struct subscription_options options;
		struct slice filter;
		bool bad_value = bits % 4 == 3 || bits / 16 % 4 == 3;
		enum reason want = bits >= 64  ? REASON_MALFORMED
		                   : bad_value ? REASON_PROTOCOL_ERROR
		                               : REASON_OK;

		expect_reason("v3", decode(&q, 2, MQTT_3_1_1, slice_of(v3, sizeof(v3))),
		              bits <= 2 ? REASON_OK : REASON_MALFORMED);
		expect_reason("v5", decode(&q, 2, MQTT_5_0, slice_of(v5, sizeof(v5))), want);
		if (want != REASON_OK)
			continue;
		assert_true(packet_subscribe_next(&q.sub.entries, &filter, &options));
		assert_int_equal(options.qos, bits % 4);
		assert_int_equal(options.no_local, bits / 4 % 2);
		assert_int_equal(options.retain_as_published, bits / 8 % 2);
		assert_int_equal(options.retain_handling, bits / 16);
	}
}

static void entries_in_order(void **state)
{
	struct slice body = exact_bytes("0102 03 0b 8001 0001 'a' 02 0003 'b/#' 25");
	struct request q = {.is_subscribe = true};
	struct subscription_options options;
	struct slice filter;

	(void)state;
	expect_reason("v5", decode(&q, 2, MQTT_5_0, body), REASON_OK);
	assert_int_equal(q.sub.packet_id, 0x0102);
	assert_int_equal(q.sub.properties.subscription_id, 128);
	assert_true(packet_subscribe_next(&q.sub.entries, &filter, &options));
	assert_true(slice_is(filter, "'a'"));
	assert_int_equal(options.qos, 2);
	assert_true(packet_subscribe_next(&q.sub.entries, &filter, &options));
	assert_true(slice_is(filter, "'b/#'"));
	assert_int_equal(options.qos, 1);
	assert_true(options.no_local);
	assert_int_equal(options.retain_handling, 2);
	assert_false(packet_subscribe_next(&q.sub.entries, &filter, &options));
	slice_free(body);
}

static void acknowledgements(void **state)
{
	static const uint8_t reasons[] = {0x00, 0x02, 0x87, 0x80, 0x01, 0x8f};
	static const uint8_t gone[] = {0x00, 0x11};
	struct buf b = {0};

	(void)state;
	/* [MQTT-3.9.3-1] [MQTT3-3.9.3-2] [MQTT-3.8.4-2] */
	packet_suback_encode(&b, MQTT_3_1_1, 258, reasons, 6, SLICE("why"));
	expect_bytes("suback v3", &b, "90 08 0102 00 02 80 80 01 80");
	packet_suback_encode(&b, MQTT_5_0, 258, reasons, 6, SLICE_EMPTY);
	expect_bytes("suback v5", &b, "90 09 0102 00 00 02 87 80 01 8f");
	packet_suback_encode(&b, MQTT_5_0, 1, reasons, 1, SLICE("why"));
	expect_bytes("suback words", &b, "90 0a 0001 06 1f 0003 'why' 00");
	packet_unsuback_encode(&b, MQTT_3_1_1, 258, gone, 2, SLICE_EMPTY);
	expect_bytes("unsuback v3", &b, "b0 02 0102");
	/* [MQTT5-3.11.3-1] */
	packet_unsuback_encode(&b, MQTT_5_0, 258, gone, 2, SLICE_EMPTY);
	expect_bytes("unsuback v5", &b, "b0 05 0102 00 00 11");
	packet_unsuback_encode(&b, MQTT_5_0, 258, gone, 2, SLICE("x"));
	expect_bytes("unsuback words", &b, "b0 09 0102 04 1f 0001 'x' 00 11");
	buf_fini(&b);
}

static void many_entries(void **state)
{
	struct request q = {.is_subscribe = true};
	uint8_t reasons[5000];
	struct buf b = {0};
	struct frame f;

	(void)state;
	put_text_bytes(&b, "0001 00");
	for (int i = 0; i < 5000; i++)
		put_text_bytes(&b, "0001 'a' 01");
	expect_reason("many", decode(&q, 2, MQTT_5_0, buf_slice(&b)), REASON_OK);
	assert_int_equal(q.sub.count, 5000);
	assert_int_equal(walk(&q), 5000);
	buf_clear(&b);
	memset(reasons, 1, sizeof(reasons));
	packet_suback_encode(&b, MQTT_5_0, 7, reasons, sizeof(reasons), SLICE_EMPTY);
	f = frame_of_packet(buf_slice(&b));
	assert_int_equal(f.body.len, 5003);
	assert_memory_equal(f.body.data + 3, reasons, sizeof(reasons));
	buf_fini(&b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(subscribe_vectors),
	    cmocka_unit_test(unsubscribe_vectors),
	    cmocka_unit_test(flags),
	    cmocka_unit_test(every_option_byte),
	    cmocka_unit_test(entries_in_order),
	    cmocka_unit_test(acknowledgements),
	    cmocka_unit_test(many_entries),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("subscribe", tests, NULL, NULL);
}
