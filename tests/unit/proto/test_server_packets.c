/* Packets of a server, as a client decodes them; packets of a client, encoded and decoded again. */
#include "proto/packet_connack.h"
#include "proto/packet_connect.h"
#include "proto/packet_disconnect.h"
#include "proto/packet_ping.h"
#include "proto/packet_publish.h"
#include "proto/packet_suback.h"
#include "proto/packet_subscribe.h"
#include "rows.h"

struct row {
	const char *name, *body;
	enum mqtt_version version;
	enum reason want;
};

static const struct row connacks[] = {
    {"v3 accepted", "00 00", MQTT_3_1_1, REASON_OK},
    {"v3 session present", "01 00", MQTT_3_1_1, REASON_OK},
    {"v3 not authorized", "00 05", MQTT_3_1_1, REASON_OK},
    {"v3 code of the future", "00 7f", MQTT_3_1_1, REASON_OK},
    {"v3 properties", "00 00 00", MQTT_3_1_1, REASON_MALFORMED},
    {"v3 short", "00", MQTT_3_1_1, REASON_MALFORMED},
    {"nothing", "", MQTT_5_0, REASON_MALFORMED},
    {"reserved flags", "02 00 00", MQTT_5_0, REASON_MALFORMED},
    {"accepted", "00 00 00", MQTT_5_0, REASON_OK},
    {"accepted without properties", "00 00", MQTT_5_0, REASON_MALFORMED},
    {"refused by 3.1.1", "00 01", MQTT_5_0, REASON_OK},
    {"refused", "00 87 05 1f 0002 'no'", MQTT_5_0, REASON_OK},
    {"refused with a session", "01 87 00", MQTT_5_0, REASON_PROTOCOL_ERROR},
    {"v3 refused with a session", "01 05", MQTT_3_1_1, REASON_PROTOCOL_ERROR},
    {"refused with a code that does not", "00 01 00", MQTT_5_0, REASON_PROTOCOL_ERROR},
    {"limits", "00 00 12 21 0014 24 01 25 00 27 00000400 22 000a 13 001e", MQTT_5_0, REASON_OK},
    {"maximum qos 2", "00 00 02 24 02", MQTT_5_0, REASON_PROTOCOL_ERROR},
    {"receive maximum 0", "00 00 03 21 0000", MQTT_5_0, REASON_PROTOCOL_ERROR},
    {"packet size 0", "00 00 05 27 00000000", MQTT_5_0, REASON_PROTOCOL_ERROR},
    {"property of PUBLISH", "00 00 02 01 01", MQTT_5_0, REASON_MALFORMED},
    {"surplus", "00 00 00 00", MQTT_5_0, REASON_MALFORMED},
};

static void connack_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(connacks); i++) {
		struct slice body = exact_bytes(connacks[i].body);
		struct frame f = frame_with(PACKET_CONNACK, 0, body);
		struct properties p;
		struct connack c;

		expect_reason(connacks[i].name,
		              packet_connack_decode(&f, connacks[i].version, &c, &p),
		              connacks[i].want);
		for (size_t n = 0; connacks[i].want == REASON_OK && n < body.len; n++) {
			struct slice prefix = exact_copy(slice_of(body.data, n));

			f.body = prefix;
			if (n != 2 && fault_is_none(packet_connack_decode(&f, MQTT_5_0, &c, &p)))
				fail_msg("%s: %zu bytes are accepted", connacks[i].name, n);
			slice_free(prefix);
		}
		slice_free(body);
	}
}

static void connack_values(void **state)
{
	struct slice body = exact_bytes("00 00 12 21 0014 24 01 25 00 27 00000400 22 000a 13 001e");
	struct frame f;
	struct properties p;
	struct connack c;

	(void)state;
	((uint8_t *)(uintptr_t)body.data)[2] = (uint8_t)(body.len - 3);
	f = frame_with(PACKET_CONNACK, 0, body);
	expect_reason("limits", packet_connack_decode(&f, MQTT_5_0, &c, &p), REASON_OK);
	assert_int_equal(c.receive_maximum, 20);
	assert_int_equal(c.max_qos, 1);
	assert_true(c.retain_unavailable && c.has_server_keep_alive && !c.has_session_expiry);
	assert_int_equal(c.max_packet_bytes, 1024);
	assert_int_equal(c.topic_alias_maximum, 10);
	assert_int_equal(c.server_keep_alive_s, 30);
	slice_free(body);
	body = exact_bytes("00 05");
	f = frame_with(PACKET_CONNACK, 0, body);
	expect_reason("v3", packet_connack_decode(&f, MQTT_3_1_1, &c, &p), REASON_OK);
	assert_int_equal(c.reason, REASON_NOT_AUTHORIZED);
	assert_int_equal(c.receive_maximum, UINT16_MAX);
	assert_int_equal(c.max_qos, 2);
	slice_free(body);
}

/* Every code that the broker's encoder writes comes back, of 3.1.1 as one with the same words. */
static void connack_round_trip(void **state)
{
	struct buf b = {0};

	(void)state;
	for (unsigned code = 0; code < 256; code++) {
		enum reason reason = (enum reason)code;
		struct connack in = {.version = MQTT_5_0, .max_qos = 2, .reason = reason}, out;
		struct properties p;
		struct frame f;

		if (code != 0 && code < REASON_UNSPECIFIED)
			continue;
		packet_connack_encode(&b, &in);
		f = frame_of_packet(buf_slice(&b));
		expect_reason("v5", packet_connack_decode(&f, MQTT_5_0, &out, &p), REASON_OK);
		assert_int_equal(out.reason, reason);
		buf_clear(&b);
		in.version = MQTT_3_1_1;
		packet_connack_encode(&b, &in);
		if (b.len == 0)
			continue;
		f = frame_of_packet(buf_slice(&b));
		expect_reason("v3", packet_connack_decode(&f, MQTT_3_1_1, &out, &p), REASON_OK);
		assert_int_equal(reason_connack_v3(out.reason), reason_connack_v3(reason));
		buf_clear(&b);
	}
	buf_fini(&b);
}

static const struct row subacks[] = {
    {"v3", "0001 00 01 02 80", MQTT_3_1_1, REASON_OK},
    {"v3 code 3", "0001 03", MQTT_3_1_1, REASON_PROTOCOL_ERROR},
    {"v3 none", "0001", MQTT_3_1_1, REASON_MALFORMED},
    {"identifier 0", "0000 00 00", MQTT_5_0, REASON_MALFORMED},
    {"granted and refused", "0001 00 00 87", MQTT_5_0, REASON_OK},
    {"words", "0001 05 1f 0002 'no' 87", MQTT_5_0, REASON_OK},
    {"code 0x18", "0001 00 18", MQTT_5_0, REASON_PROTOCOL_ERROR},
    {"none", "0001 00", MQTT_5_0, REASON_MALFORMED},
    {"properties too long", "0001 05 00", MQTT_5_0, REASON_MALFORMED},
    {"nothing", "", MQTT_5_0, REASON_MALFORMED},
};

static const struct row unsubacks[] = {
    {"v3", "0001", MQTT_3_1_1, REASON_OK},
    {"v3 with codes", "0001 00", MQTT_3_1_1, REASON_MALFORMED},
    {"success and none", "0001 00 00 11", MQTT_5_0, REASON_OK},
    {"granted QoS 1", "0001 00 01", MQTT_5_0, REASON_PROTOCOL_ERROR},
    {"none", "0001 00", MQTT_5_0, REASON_MALFORMED},
};

static void check_subacks(const struct row *rows, size_t count, enum packet_type type)
{
	for (size_t i = 0; i < count; i++) {
		struct slice body = exact_bytes(rows[i].body);
		struct frame f = frame_with(type, 0, body);
		struct suback ack;

		expect_reason(rows[i].name, packet_suback_decode(&f, rows[i].version, &ack),
		              rows[i].want);
		f.flags = 1;
		if (fault_is_none(packet_suback_decode(&f, rows[i].version, &ack)))
			fail_msg("%s: the flags count for nothing", rows[i].name);
		slice_free(body);
	}
}

static void suback_vectors(void **state)
{
	(void)state;
	check_subacks(subacks, COUNT(subacks), PACKET_SUBACK);
	check_subacks(unsubacks, COUNT(unsubacks), PACKET_UNSUBACK);
}

static const struct row disconnects[] = {
    {"nothing", "", MQTT_5_0, REASON_OK},
    {"session taken over", "8e", MQTT_5_0, REASON_OK},
    {"server shutting down, words", "8b 06 1f 0003 'bye'", MQTT_5_0, REASON_OK},
    {"use another server", "9c 04 1c 0001 'b'", MQTT_5_0, REASON_OK},
    {"of a client", "04", MQTT_5_0, REASON_PROTOCOL_ERROR},
    {"surplus", "00 00 00", MQTT_5_0, REASON_MALFORMED},
};

static const struct row publishes[] = {
    {"v3", "0001 'a' 'payload'", MQTT_3_1_1, REASON_OK},
    {"subscription identifiers", "0001 'a' 04 0b01 0b02 'x'", MQTT_5_0, REASON_OK},
    {"subscription identifier 0", "0001 'a' 02 0b00 'x'", MQTT_5_0, REASON_PROTOCOL_ERROR},
    {"control character in the topic", "0002 'a' 07 00", MQTT_5_0, REASON_OK},
    {"U+0000 in the topic", "0002 'a' 00 00", MQTT_5_0, REASON_MALFORMED},
    {"wildcard", "0001 '#' 00", MQTT_5_0, REASON_MALFORMED},
    {"no topic", "0000 00", MQTT_5_0, REASON_PROTOCOL_ERROR},
    {"topic too long", "0009 'a' 00", MQTT_5_0, REASON_MALFORMED},
};

static void other_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(disconnects); i++) {
		struct slice body = exact_bytes(disconnects[i].body);
		struct frame f = frame_with(PACKET_DISCONNECT, 0, body);
		struct disconnect d;

		expect_reason(disconnects[i].name, packet_disconnect_decode_of_server(&f, &d),
		              disconnects[i].want);
		slice_free(body);
	}
	for (size_t i = 0; i < COUNT(publishes); i++) {
		struct slice body = exact_bytes(publishes[i].body);
		struct frame f = frame_with(PACKET_PUBLISH, 0, body);
		struct publish p;

		expect_reason(publishes[i].name,
		              packet_publish_decode_of_server(&f, publishes[i].version, &p),
		              publishes[i].want);
		slice_free(body);
	}
}

/* ---- packets of a client ---- */

static void connect_round_trip(void **state)
{
	struct buf b = {0};
	struct slice block = exact_bytes("11 0000003c");

	(void)state;
	for (unsigned bits = 0; bits < 128; bits++) {
		struct connect in = {
		    .version = (bits & 1) != 0 ? MQTT_5_0 : MQTT_3_1_1,
		    .clean_start = (bits & 2) != 0,
		    .has_user_name = (bits & 4) != 0,
		    .has_password = (bits & 12) == 12 || ((bits & 9) == 9),
		    .keep_alive_s = 60,
		    .client_id = SLICE("id"),
		    .user_name = SLICE("user"),
		    .password = SLICE("password"),
		    .properties = {.raw = block},
		    .will = {.present = (bits & 16) != 0,
		             .retain = (bits & 32) != 0,
		             .qos = (bits & 64) != 0 ? 2 : 0,
		             .topic = SLICE("will"),
		             .payload = SLICE("gone")},
		};
		struct connect out;
		struct frame f;

		packet_connect_encode(&b, &in);
		f = frame_of_packet(buf_slice(&b));
		expect_reason("connect", packet_connect_decode(&f, &out), REASON_OK);
		assert_int_equal(out.version, in.version);
		assert_int_equal(out.clean_start, in.clean_start);
		assert_int_equal(out.keep_alive_s, 60);
		assert_int_equal(out.will.present, in.will.present);
		assert_int_equal(out.will.qos, in.will.present ? in.will.qos : 0);
		assert_int_equal(out.will.retain, in.will.present && in.will.retain);
		assert_true(slice_equal(out.client_id, in.client_id));
		assert_int_equal(out.has_user_name, in.has_user_name);
		assert_int_equal(out.has_password, in.has_password);
		assert_true(!in.has_password || slice_equal(out.password, in.password));
		assert_int_equal(out.properties.session_expiry_s, in.version == MQTT_5_0 ? 60 : 0);
		buf_clear(&b);
	}
	slice_free(block);
	buf_fini(&b);
}

static void subscribe_round_trip(void **state)
{
	static const enum mqtt_version versions[] = {MQTT_3_1_1, MQTT_5_0};
	const struct subscribe_entry entries[] = {
	    {SLICE("a/+"), {.qos = 2, .no_local = true, .retain_handling = 2}},
	    {SLICE("#"), {.qos = 1, .retain_as_published = true, .retain_handling = 1}},
	};
	const struct slice filters[] = {SLICE("a/+"), SLICE("#")};
	struct slice block = exact_bytes("0b 07");
	struct buf b = {0};

	(void)state;
	for (size_t v = 0; v < COUNT(versions); v++) {
		struct subscription_options o;
		struct subscribe out;
		struct slice filter;
		struct frame f;

		packet_subscribe_encode(&b, versions[v], 9, block, entries, COUNT(entries));
		f = frame_of_packet(buf_slice(&b));
		expect_reason("subscribe", packet_subscribe_decode(&f, versions[v], &out),
		              REASON_OK);
		assert_int_equal(out.packet_id, 9);
		assert_int_equal(out.count, 2);
		assert_int_equal(out.properties.subscription_id, versions[v] == MQTT_5_0 ? 7 : 0);
		for (size_t i = 0; i < COUNT(entries); i++) {
			assert_true(packet_subscribe_next(&out.entries, &filter, &o));
			assert_true(slice_equal(filter, entries[i].filter));
			assert_int_equal(o.qos, entries[i].options.qos);
			if (versions[v] == MQTT_5_0)
				assert_memory_equal(&o, &entries[i].options, sizeof(o));
		}
		buf_clear(&b);
		packet_unsubscribe_encode(&b, versions[v], 9, SLICE_EMPTY, filters, COUNT(filters));
		f = frame_of_packet(buf_slice(&b));
		expect_reason("unsubscribe", packet_subscribe_decode(&f, versions[v], &out),
		              REASON_OK);
		assert_int_equal(out.count, 2);
		buf_clear(&b);
	}
	slice_free(block);
	buf_fini(&b);
}

static void small_packets(void **state)
{
	struct buf b = {0};

	(void)state;
	packet_ping_encode_request(&b);
	expect_bytes("PINGREQ", &b, "c0 00");
	packet_disconnect_encode_of_client(&b, MQTT_3_1_1, REASON_DISCONNECT_WITH_WILL);
	expect_bytes("v3 DISCONNECT", &b, "e0 00");
	packet_disconnect_encode_of_client(&b, MQTT_5_0, REASON_DISCONNECT_WITH_WILL);
	expect_bytes("DISCONNECT", &b, "e0 01 04");
	buf_fini(&b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(connack_vectors),      cmocka_unit_test(connack_values),
	    cmocka_unit_test(connack_round_trip),   cmocka_unit_test(suback_vectors),
	    cmocka_unit_test(other_vectors),        cmocka_unit_test(connect_round_trip),
	    cmocka_unit_test(subscribe_round_trip), cmocka_unit_test(small_packets),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("server packets", tests, NULL, NULL);
}
