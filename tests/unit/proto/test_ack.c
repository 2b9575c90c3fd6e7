/* PUBACK, PUBREC, PUBREL, PUBCOMP: every reason code in each of them, every form of leaving out. */
#include "proto/packet_ack.h"
#include "rows.h"

static const enum packet_type types[] = {PACKET_PUBACK, PACKET_PUBREC, PACKET_PUBREL,
                                         PACKET_PUBCOMP};

static unsigned flags_of(enum packet_type type)
{
	return type == PACKET_PUBREL ? 2 : 0;
}

static struct fault decode(enum packet_type type, enum mqtt_version version, struct slice body,
                           struct ack *a)
{
	struct frame f = frame_with(type, flags_of(type), body);

	return packet_ack_decode(&f, version, a);
}

static const struct {
	const char *name;
	const char *body;
	enum mqtt_version version;
	enum reason want;
	bool is_shortest; /* what the encoder would write */
} rows[] = {
    {"v3", "0001", MQTT_3_1_1, REASON_OK, true},
    {"v3 largest", "ffff", MQTT_3_1_1, REASON_OK, true},
    {"v3 identifier 0", "0000", MQTT_3_1_1, REASON_MALFORMED, false},
    {"v3 with a reason", "0001 00", MQTT_3_1_1, REASON_MALFORMED, false},
    {"v3 nothing", "", MQTT_3_1_1, REASON_MALFORMED, false},
    {"v3 half", "01", MQTT_3_1_1, REASON_MALFORMED, false},
    {"v5 short", "1234", MQTT_5_0, REASON_OK, true},
    {"v5 success said", "1234 00", MQTT_5_0, REASON_OK, false},
    {"v5 empty properties", "1234 00 00", MQTT_5_0, REASON_OK, false},
    {"v5 reason string", "1234 00 05 1f 0002 'ok'", MQTT_5_0, REASON_OK, true},
    {"v5 user properties", "1234 00 0a 2600000000 2600000000", MQTT_5_0, REASON_OK, false},
    {"v5 identifier 0", "0000 00", MQTT_5_0, REASON_MALFORMED, false},
    {"v5 surplus", "1234 00 00 00", MQTT_5_0, REASON_MALFORMED, false},
    {"v5 properties cut", "1234 00 05 1f 0002 'o'", MQTT_5_0, REASON_MALFORMED, false},
    {"v5 reason string twice", "1234 00 06 1f0000 1f0000", MQTT_5_0, REASON_PROTOCOL_ERROR, false},
    {"v5 foreign property", "1234 00 02 0101", MQTT_5_0, REASON_MALFORMED, false},
    {"v5 nothing", "", MQTT_5_0, REASON_MALFORMED, false},
};

static void ack_vectors(void **state)
{
	struct buf b = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(rows) * COUNT(types); i++) {
		enum packet_type type = types[i % COUNT(types)];
		size_t row = i / COUNT(types);
		struct slice body = exact_bytes(rows[row].body);
		struct ack a;

		expect_reason(rows[row].name, decode(type, rows[row].version, body, &a),
		              rows[row].want);
		if (rows[row].is_shortest) {
			packet_ack_encode(&b, rows[row].version, type, a.packet_id, a.reason,
			                  a.properties.reason_string);
			expect_packet(rows[row].name, &b, type, flags_of(type), body);
		}
		slice_free(body);
	}
	buf_fini(&b);
}

/* Of a good one, the identifier alone and identifier and reason code are good too. */
static void every_prefix(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice body = exact_bytes(rows[i].body);

		for (size_t n = 0; n < body.len; n++) {
			struct slice prefix = exact_copy(slice_of(body.data, n));
			struct ack a;
			struct fault why = decode(PACKET_PUBACK, rows[i].version, prefix, &a);
			bool shorter_form = n == 2 || n == 3;

			if (rows[i].want == REASON_OK && fault_is_none(why) != shorter_form)
				fail_msg("%s: first %zu bytes", rows[i].name, n);
			slice_free(prefix);
		}
		slice_free(body);
	}
}

/* Tables 3-4 to 3-7 of 5.0. */
static bool may_have(enum packet_type type, unsigned code)
{
	static const unsigned publish_codes[] = {0x00, 0x10, 0x80, 0x83, 0x87,
	                                         0x90, 0x91, 0x97, 0x99};

	if (type == PACKET_PUBREL || type == PACKET_PUBCOMP)
		return code == 0x00 || code == 0x92;
	for (size_t i = 0; i < COUNT(publish_codes); i++) {
		if (publish_codes[i] == code)
			return true;
	}
	return false;
}

/* [MQTT5-3.4.2-1] [MQTT5-3.5.2-1] [MQTT5-3.6.2-1] [MQTT5-3.7.2-1] */
static void every_reason_code(void **state)
{
	struct buf b = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(types) * 256; i++) {
		enum packet_type type = types[i % COUNT(types)];
		uint8_t code = (uint8_t)(i / COUNT(types));
		uint8_t bytes[3] = {0x12, 0x34, code};
		struct ack a;
		struct fault why = decode(type, MQTT_5_0, slice_of(bytes, 3), &a);

		expect_reason(packet_type_name(type), why,
		              may_have(type, code) ? REASON_OK : REASON_PROTOCOL_ERROR);
		if (!fault_is_none(why))
			continue;
		assert_int_equal(a.packet_id, 0x1234);
		assert_int_equal(a.reason, code);
		packet_ack_encode(&b, MQTT_5_0, type, a.packet_id, a.reason, SLICE_EMPTY);
		expect_packet(packet_type_name(type), &b, type, flags_of(type),
		              slice_of(bytes, code == 0 ? 2 : 3));
	}
	buf_fini(&b);
}

static void flags(void **state)
{
	struct slice body = exact_bytes("0001");

	(void)state;
	for (size_t i = 0; i < COUNT(types) * 16; i++) { /* [MQTT-3.6.1-1] [MQTT3-2.2.2-2] */
		enum packet_type type = types[i % COUNT(types)];
		unsigned given = (unsigned)(i / COUNT(types));
		struct frame f = frame_with(type, given, body);
		struct ack a;

		expect_reason(packet_type_name(type), packet_ack_decode(&f, MQTT_3_1_1, &a),
		              given == flags_of(type) ? REASON_OK : REASON_MALFORMED);
	}
	slice_free(body);
}

static void encodings(void **state)
{
	struct buf b = {0};

	(void)state;
	packet_ack_encode(&b, MQTT_3_1_1, PACKET_PUBACK, 1, REASON_SUCCESS, SLICE_EMPTY);
	expect_bytes("v3", &b, "40 02 0001");
	packet_ack_encode(&b, MQTT_3_1_1, PACKET_PUBREC, 1, REASON_NOT_AUTHORIZED, SLICE("no"));
	expect_bytes("v3 cannot say no", &b, "50 02 0001");
	packet_ack_encode(&b, MQTT_5_0, PACKET_PUBREL, 258, REASON_SUCCESS, SLICE_EMPTY);
	expect_bytes("v5", &b, "62 02 0102");
	packet_ack_encode(&b, MQTT_5_0, PACKET_PUBCOMP, 1, REASON_PACKET_ID_NOT_FOUND, SLICE_EMPTY);
	expect_bytes("v5 reason", &b, "70 03 0001 92");
	packet_ack_encode(&b, MQTT_5_0, PACKET_PUBACK, 1, REASON_NOT_AUTHORIZED, SLICE("no"));
	expect_bytes("v5 words", &b, "40 09 0001 87 05 1f 0002 'no'");
	buf_fini(&b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ack_vectors),       cmocka_unit_test(every_prefix),
	    cmocka_unit_test(every_reason_code), cmocka_unit_test(flags),
	    cmocka_unit_test(encodings),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("ack", tests, NULL, NULL);
}
