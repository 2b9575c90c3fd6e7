/* PINGREQ, DISCONNECT, AUTH. */
#include "proto/packet_auth.h"
#include "proto/packet_disconnect.h"
#include "proto/packet_ping.h"
#include "rows.h"

static void ping(void **state)
{
	struct slice surplus = exact_bytes("00");
	struct buf b = {0};

	(void)state;
	for (unsigned flags = 0; flags < 16; flags++) {
		struct frame f = frame_with(PACKET_PINGREQ, flags, SLICE_EMPTY);

		expect_reason("flags", packet_ping_decode(&f),
		              flags == 0 ? REASON_OK : REASON_MALFORMED);
		f.body = surplus;
		expect_reason("surplus", packet_ping_decode(&f), REASON_MALFORMED);
	}
	packet_ping_encode(&b); /* [MQTT-3.12.4-1] */
	expect_bytes("pingresp", &b, "d000");
	buf_fini(&b);
	slice_free(surplus);
}

static const struct {
	const char *name;
	const char *body;
	enum mqtt_version version;
	enum reason want;
	bool is_shortest; /* what the encoder would write */
} disconnects[] = {
    {"v3", "", MQTT_3_1_1, REASON_OK, true},
    {"v3 surplus", "00", MQTT_3_1_1, REASON_MALFORMED, false},
    {"v5 short", "", MQTT_5_0, REASON_OK, true},
    {"v5 said", "00", MQTT_5_0, REASON_OK, false},
    {"v5 with will", "04", MQTT_5_0, REASON_OK, true},
    {"v5 with will, no properties", "04 00", MQTT_5_0, REASON_OK, false},
    {"v5 session expiry", "00 05 11 00000e10", MQTT_5_0, REASON_OK, false},
    {"v5 reason string", "80 06 1f 0003 'why'", MQTT_5_0, REASON_OK, true},
    {"v5 user property", "00 05 2600000000", MQTT_5_0, REASON_OK, false},
    {"v5 surplus", "00 00 00", MQTT_5_0, REASON_MALFORMED, false},
    {"v5 properties cut", "00 05 11 00000e", MQTT_5_0, REASON_MALFORMED, false},
    {"v5 session expiry twice", "00 0a 1100000001 1100000001", MQTT_5_0, REASON_PROTOCOL_ERROR,
     false},
    {"v5 foreign property", "00 03 210001", MQTT_5_0, REASON_MALFORMED, false},
};

static struct fault decode_disconnect(enum mqtt_version version, struct slice body,
                                      struct disconnect *d)
{
	struct frame f = frame_with(PACKET_DISCONNECT, 0, body);

	return packet_disconnect_decode(&f, version, d);
}

static void disconnect_vectors(void **state)
{
	struct buf b = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(disconnects); i++) {
		struct slice body = exact_bytes(disconnects[i].body);
		struct disconnect d;

		expect_reason(disconnects[i].name,
		              decode_disconnect(disconnects[i].version, body, &d),
		              disconnects[i].want);
		if (disconnects[i].is_shortest) {
			packet_disconnect_encode(&b, d.reason, d.properties.reason_string,
			                         SLICE_EMPTY);
			expect_packet(disconnects[i].name, &b, PACKET_DISCONNECT, 0, body);
		}
		slice_free(body);
	}
	buf_fini(&b);
}

/* Of a good one, nothing and the reason code alone are good too. */
static void disconnect_prefixes(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(disconnects); i++) {
		struct slice body = exact_bytes(disconnects[i].body);

		for (size_t n = 0; n < body.len; n++) {
			struct slice prefix = exact_copy(slice_of(body.data, n));
			struct disconnect d;
			struct fault why = decode_disconnect(disconnects[i].version, prefix, &d);

			if (disconnects[i].want == REASON_OK && fault_is_none(why) != (n <= 1))
				fail_msg("%s: first %zu bytes", disconnects[i].name, n);
			slice_free(prefix);
		}
		slice_free(body);
	}
}

/* Table 3-10, the column "Client". [MQTT5-3.14.2-1] */
static void disconnect_reason_codes(void **state)
{
	static const unsigned client_codes[] = {0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90,
	                                        0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99};

	(void)state;
	for (unsigned code = 0; code < 256; code++) {
		uint8_t byte = (uint8_t)code;
		struct disconnect d;
		bool may = false;

		for (size_t i = 0; i < COUNT(client_codes); i++)
			may = may || client_codes[i] == code;
		expect_reason("code", decode_disconnect(MQTT_5_0, slice_of(&byte, 1), &d),
		              may ? REASON_OK : REASON_PROTOCOL_ERROR);
		if (may)
			assert_int_equal(d.reason, code);
	}
}

static void disconnect_flags_and_fields(void **state)
{
	struct slice body = exact_bytes("04 0b 11 00000e10 1f 0003 'bye'");
	struct disconnect d;

	(void)state;
	expect_reason("v5", decode_disconnect(MQTT_5_0, body, &d), REASON_OK);
	assert_int_equal(d.reason, REASON_DISCONNECT_WITH_WILL);
	assert_int_equal(d.properties.session_expiry_s, 3600);
	assert_true(slice_is(d.properties.reason_string, "'bye'"));
	for (unsigned flags = 1; flags < 16; flags++) { /* [MQTT-3.14.1-1] */
		struct frame f = frame_with(PACKET_DISCONNECT, flags, SLICE_EMPTY);

		expect_reason("v3", packet_disconnect_decode(&f, MQTT_3_1_1, &d), REASON_MALFORMED);
		expect_reason("v5", packet_disconnect_decode(&f, MQTT_5_0, &d), REASON_MALFORMED);
	}
	slice_free(body);
}

static void disconnect_encodings(void **state)
{
	struct buf b = {0};

	(void)state;
	packet_disconnect_encode(&b, REASON_SERVER_SHUTTING_DOWN, SLICE_EMPTY, SLICE_EMPTY);
	expect_bytes("short", &b, "e0 01 8b");
	packet_disconnect_encode(&b, REASON_SUCCESS, SLICE_EMPTY, SLICE_EMPTY);
	expect_bytes("shortest", &b, "e0 00");
	packet_disconnect_encode(&b, REASON_NOT_AUTHORIZED, SLICE("no"), SLICE_EMPTY);
	expect_bytes("words", &b, "e0 07 87 05 1f 0002 'no'");
	packet_disconnect_encode(&b, REASON_SERVER_MOVED, SLICE("no"), SLICE("b:1"));
	expect_bytes("moved", &b, "e0 0d 9d 0b 1f 0002 'no' 1c 0003 'b:1'");
	packet_disconnect_encode(&b, REASON_SUCCESS, SLICE("x"), SLICE_EMPTY);
	expect_bytes("success with words", &b, "e0 06 00 04 1f 0001 'x'");
	buf_fini(&b);
}

static const struct {
	const char *name;
	const char *body;
	unsigned flags;
	enum reason want;
	bool again; /* the encoder would write the same */
} auths[] = {
    {"empty is success", "", 0, REASON_OK, false},
    {"continue", "18 0a 15 0001 'm' 16 0003 010203", 0, REASON_OK, true},
    {"again, no data", "19 04 15 0001 'm'", 0, REASON_OK, true},
    {"success", "00 04 15 0001 'm'", 0, REASON_OK, true},
    {"reason string", "18 08 15 0001 'm' 1f 0001 'r'", 0, REASON_OK, false},
    {"no method", "18 00", 0, REASON_PROTOCOL_ERROR, false},
    {"data without method", "18 04 16 0001 ff", 0, REASON_PROTOCOL_ERROR, false},
    {"method twice", "18 08 15 0001 'm' 15 0001 'm'", 0, REASON_PROTOCOL_ERROR, false},
    {"reason code alone", "18", 0, REASON_MALFORMED, false},
    {"other reason code", "87 04 15 0001 'm'", 0, REASON_PROTOCOL_ERROR,
     false}, /* [MQTT5-3.15.2-1] */
    {"foreign property", "18 09 15 0001 'm' 11 00000001", 0, REASON_MALFORMED, false},
    {"surplus", "18 04 15 0001 'm' 00", 0, REASON_MALFORMED, false},
    {"flags", "18 04 15 0001 'm'", 1, REASON_MALFORMED, false}, /* [MQTT5-3.15.1-1] */
    {"empty with flags", "", 2, REASON_MALFORMED, false},
};

static void auth_vectors(void **state)
{
	struct buf b = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(auths); i++) {
		struct slice body = exact_bytes(auths[i].body);
		struct frame f = frame_with(PACKET_AUTH, auths[i].flags, body);
		struct auth a;

		expect_reason(auths[i].name, packet_auth_decode(&f, &a), auths[i].want);
		if (auths[i].again) {
			packet_auth_encode(&b, a.reason, a.properties.auth_method,
			                   a.properties.auth_data);
			expect_packet(auths[i].name, &b, PACKET_AUTH, 0, body);
		}
		for (size_t n = 1; n < body.len; n++) {
			f.body = exact_copy(slice_of(body.data, n));
			if (auths[i].want == REASON_OK && fault_is_none(packet_auth_decode(&f, &a)))
				fail_msg("%s: first %zu bytes", auths[i].name, n);
			slice_free(f.body);
		}
		slice_free(body);
	}
	buf_fini(&b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ping),
	    cmocka_unit_test(disconnect_vectors),
	    cmocka_unit_test(disconnect_prefixes),
	    cmocka_unit_test(disconnect_reason_codes),
	    cmocka_unit_test(disconnect_flags_and_fields),
	    cmocka_unit_test(disconnect_encodings),
	    cmocka_unit_test(auth_vectors),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
