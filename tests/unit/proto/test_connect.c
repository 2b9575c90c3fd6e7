/* CONNECT and CONNACK: what is accepted and what each refusal is called. */
#include "proto/packet_connack.h"
#include "proto/packet_connect.h"
#include "rows.h"

/* Name, level, flags, keep alive 60; 5.0: no properties; then client id "a". */
#define V3(flags, rest) "0004 'MQTT' 04 " flags " 003c 0001 'a' " rest
#define V5(flags, rest) "0004 'MQTT' 05 " flags " 003c 00 0001 'a' " rest
#define V5P(block)      "0004 'MQTT' 05 02 003c " block " 0001 'a'"
#define WILL            "0001 't' 0001 'm' "
#define WILL_V5         "00 " WILL

static const struct {
	const char *name;
	const char *body;
	enum reason want;
	enum mqtt_version version;
} rows[] = {
    /* 3.1.1 */
    {"v3 smallest", "0004 'MQTT' 04 02 0000 0000", REASON_OK, MQTT_3_1_1},
    {"v3 clean session", V3("02", ""), REASON_OK, MQTT_3_1_1},
    {"v3 kept session", V3("00", ""), REASON_OK, MQTT_3_1_1},
    {"v3 user and password", V3("c2", "0001 'u' 0001 'p'"), REASON_OK, MQTT_3_1_1},
    {"v3 user alone", V3("82", "0001 'u'"), REASON_OK, MQTT_3_1_1},
    {"v3 empty user", V3("82", "0000"), REASON_OK, MQTT_3_1_1},
    {"v3 binary password", V3("c2", "0001 'u' 0003 00ff80"), REASON_OK, MQTT_3_1_1},
    {"v3 will", V3("06", WILL), REASON_OK, MQTT_3_1_1},
    {"v3 will qos 2, retained", V3("36", WILL), REASON_OK, MQTT_3_1_1},
    {"v3 empty will payload", V3("06", "0001 't' 0000"), REASON_OK, MQTT_3_1_1},
    {"v3 everything", V3("f6", WILL "0001 'u' 0001 'p'"), REASON_OK, MQTT_3_1_1},
    {"v3 utf-8 client id", "0004 'MQTT' 04 02 003c 0002 c3a9", REASON_OK, MQTT_3_1_1},
    /* [MQTT-3.1.2-3] */
    {"v3 reserved flag", V3("03", ""), REASON_MALFORMED, MQTT_3_1_1},
    /* [MQTT3-3.1.2-14] */
    {"v3 will qos 3", V3("1e", WILL), REASON_MALFORMED, MQTT_3_1_1},
    /* [MQTT3-3.1.2-11] [MQTT3-3.1.2-13] */
    {"v3 will qos without will", V3("0a", ""), REASON_MALFORMED, MQTT_3_1_1},
    /* [MQTT3-3.1.2-15] */
    {"v3 will retain without will", V3("22", ""), REASON_MALFORMED, MQTT_3_1_1},
    {"v3 will without will flag", V3("02", WILL), REASON_MALFORMED, MQTT_3_1_1},
    /* [MQTT-3.1.2-9] */
    {"v3 will flag without will", V3("06", ""), REASON_MALFORMED, MQTT_3_1_1},
    {"v3 will without payload", V3("06", "0001 't'"), REASON_MALFORMED, MQTT_3_1_1},
    /* [MQTT3-3.1.2-22] */
    {"v3 password without user", V3("42", "0001 'p'"), REASON_MALFORMED, MQTT_3_1_1},
    /* [MQTT3-3.1.2-18] [MQTT3-3.1.2-19] */
    {"v3 user without its flag", V3("02", "0001 'u'"), REASON_MALFORMED, MQTT_3_1_1},
    {"v3 flag without user", V3("82", ""), REASON_MALFORMED, MQTT_3_1_1},
    /* [MQTT3-3.1.2-20] [MQTT3-3.1.2-21] */
    {"v3 password without flag", V3("82", "0001 'u' 0001 'p'"), REASON_MALFORMED, MQTT_3_1_1},
    {"v3 flag without password", V3("c2", "0001 'u'"), REASON_MALFORMED, MQTT_3_1_1},
    /* [MQTT-3.1.3-1] [MQTT-3.1.3-3] [MQTT-3.1.4-1] */
    {"v3 no client id", "0004 'MQTT' 04 02 003c", REASON_MALFORMED, MQTT_3_1_1},
    /* [MQTT-3.1.3-4] [MQTT3-1.5.3-1] [MQTT3-1.5.3-2] */
    {"v3 client id not utf-8", "0004 'MQTT' 04 02 003c 0001 ff", REASON_MALFORMED, MQTT_3_1_1},
    {"v3 client id nul", "0004 'MQTT' 04 02 003c 0001 00", REASON_MALFORMED, MQTT_3_1_1},
    {"v3 client id surrogate", "0004 'MQTT' 04 02 003c 0003 eda080", REASON_MALFORMED, MQTT_3_1_1},
    /* [MQTT3-3.1.3-10] */
    {"v3 will topic not utf-8", V3("06", "0001 ff 0000"), REASON_MALFORMED, MQTT_3_1_1},
    {"v3 will topic nul", V3("06", "0003 'a' 00 'b' 0000"), REASON_MALFORMED, MQTT_3_1_1},
    /* [MQTT3-3.1.3-11] */
    {"v3 user not utf-8", V3("82", "0001 c0"), REASON_MALFORMED, MQTT_3_1_1},
    {"v3 will topic wildcard", V3("06", "0001 '#' 0000"), REASON_MALFORMED, MQTT_3_1_1},
    {"v3 will topic empty", V3("06", "0000 0000"), REASON_MALFORMED, MQTT_3_1_1},
    /* [MQTT3-3.1.3-7] [MQTT3-3.1.3-8] */
    {"v3 empty id, kept", "0004 'MQTT' 04 00 003c 0000", REASON_CLIENT_ID_NOT_VALID, MQTT_3_1_1},
    {"v3 surplus byte", V3("02", "00"), REASON_MALFORMED, MQTT_3_1_1},
    {"v3 with properties", "0004 'MQTT' 04 02 003c 00 0001 'a'", REASON_MALFORMED, MQTT_3_1_1},
    /* 5.0 */
    {"v5 smallest", "0004 'MQTT' 05 02 0000 00 0000", REASON_OK, MQTT_5_0},
    {"v5 resume", V5("00", ""), REASON_OK, MQTT_5_0},
    {"v5 empty id, resume", "0004 'MQTT' 05 00 003c 00 0000", REASON_OK, MQTT_5_0},
    {"v5 user and password", V5("c2", "0001 'u' 0001 'p'"), REASON_OK, MQTT_5_0},
    {"v5 password alone", V5("42", "0001 'p'"), REASON_OK, MQTT_5_0},
    {"v5 will", V5("06", WILL_V5), REASON_OK, MQTT_5_0},
    {"v5 everything", V5("f6", WILL_V5 "0001 'u' 0001 'p'"), REASON_OK, MQTT_5_0},
    {"v5 will properties", V5("06", "0a 18 00000005 01 01 26 0000 0000 " WILL), REASON_MALFORMED,
     MQTT_5_0},
    {"v5 will properties, all", V5("06", "0c 18 00000005 01 01 26 0000 0000 " WILL), REASON_OK,
     MQTT_5_0},
    {"v5 will text", V5("06", "02 0101 0001 't' 0002 c3a9"), REASON_OK, MQTT_5_0},
    {"v5 will no text", V5("06", "02 0101 0001 't' 0001 ff"), REASON_PAYLOAD_FORMAT_INVALID,
     MQTT_5_0},
    {"v5 will topic wildcard", V5("06", "00 0003 'a/+' 0000"), REASON_MALFORMED, MQTT_5_0},
    /* [MQTT5-3.1.3-11] */
    {"v5 will topic not utf-8", V5("06", "00 0001 ff 0000"), REASON_MALFORMED, MQTT_5_0},
    /* [MQTT5-3.1.3-12] */
    {"v5 user not utf-8", V5("82", "0001 c0"), REASON_MALFORMED, MQTT_5_0},
    {"v5 reserved flag", V5("03", ""), REASON_MALFORMED, MQTT_5_0},
    /* [MQTT5-3.1.2-12] */
    {"v5 will qos 3", V5("1e", WILL_V5), REASON_MALFORMED, MQTT_5_0},
    /* [MQTT5-3.1.2-11] */
    {"v5 will qos without will", V5("0a", ""), REASON_MALFORMED, MQTT_5_0},
    /* [MQTT5-3.1.2-13] */
    {"v5 will retain without will", V5("22", ""), REASON_MALFORMED, MQTT_5_0},
    /* [MQTT5-3.1.2-16] [MQTT5-3.1.2-17] */
    {"v5 user without its flag", V5("02", "0001 'u'"), REASON_MALFORMED, MQTT_5_0},
    {"v5 flag without user", V5("82", ""), REASON_MALFORMED, MQTT_5_0},
    /* [MQTT5-3.1.2-18] [MQTT5-3.1.2-19] */
    {"v5 password without flag", V5("82", "0001 'u' 0001 'p'"), REASON_MALFORMED, MQTT_5_0},
    {"v5 flag without password", V5("42", ""), REASON_MALFORMED, MQTT_5_0},
    {"v5 surplus byte", V5("02", "00"), REASON_MALFORMED, MQTT_5_0},
    {"v5 without properties", "0004 'MQTT' 05 02 003c", REASON_MALFORMED, MQTT_5_0},
    {"v5 properties", V5P("0b 11 ffffffff 21 0001 22 0000"), REASON_OK, MQTT_5_0},
    {"v5 receive maximum 0", V5P("03 210000"), REASON_PROTOCOL_ERROR, MQTT_5_0},
    {"v5 maximum packet size 0", V5P("05 2700000000"), REASON_PROTOCOL_ERROR, MQTT_5_0},
    {"v5 receive maximum twice", V5P("06 210001 210001"), REASON_PROTOCOL_ERROR, MQTT_5_0},
    {"v5 request problem 2", V5P("02 1702"), REASON_PROTOCOL_ERROR, MQTT_5_0},
    {"v5 auth method", V5P("04 15 0001 'm'"), REASON_OK, MQTT_5_0},
    {"v5 auth method and data", V5P("08 16 0001 00 15 0001 'm'"), REASON_OK, MQTT_5_0},
    {"v5 auth data alone", V5P("04 16 0001 00"), REASON_PROTOCOL_ERROR, MQTT_5_0},
    {"v5 topic alias in connect", V5P("03 230001"), REASON_MALFORMED, MQTT_5_0},
    {"v5 will delay in connect", V5P("05 1800000001"), REASON_MALFORMED, MQTT_5_0},
    {"v5 session expiry in will", V5("06", "05 1100000001 " WILL), REASON_MALFORMED, MQTT_5_0},
    /* Names and levels. [MQTT-3.1.2-1] [MQTT-3.1.2-2] */
    {"3.1", "0006 'MQIsdp' 03 02 003c 0001 'a'", REASON_UNSUPPORTED_VERSION, MQTT_3_1_1},
    {"3.1 bridge", "0006 'MQIsdp' 83 02 003c 0001 'a'", REASON_UNSUPPORTED_VERSION, MQTT_3_1_1},
    {"3.1 name, level 4", "0006 'MQIsdp' 04 02 003c 0001 'a'", REASON_UNSUPPORTED_VERSION,
     MQTT_3_1_1},
    {"3.1 name, level 5", "0006 'MQIsdp' 05 02 003c 00 0001 'a'", REASON_UNSUPPORTED_VERSION,
     MQTT_5_0},
    {"level 0", "0004 'MQTT' 00 02 003c 0001 'a'", REASON_UNSUPPORTED_VERSION, MQTT_3_1_1},
    {"level 3", "0004 'MQTT' 03 02 003c 0001 'a'", REASON_UNSUPPORTED_VERSION, MQTT_3_1_1},
    {"level 6", "0004 'MQTT' 06", REASON_UNSUPPORTED_VERSION, MQTT_5_0},
    {"level 127", "0004 'MQTT' 7f", REASON_UNSUPPORTED_VERSION, MQTT_5_0},
    {"3.1.1 bridge", "0004 'MQTT' 84 02 003c 0001 'a'", REASON_OK, MQTT_3_1_1},
    {"5.0 bridge", "0004 'MQTT' 85 02 003c 00 0001 'a'", REASON_UNSUPPORTED_VERSION, MQTT_5_0},
    {"level 255", "0004 'MQTT' ff", REASON_UNSUPPORTED_VERSION, MQTT_5_0},
    {"other name", "0004 'MQTX' 04 02 003c 0001 'a'", REASON_UNSUPPORTED_VERSION, MQTT_3_1_1},
    {"lower case name", "0004 'mqtt' 04 02 003c 0001 'a'", REASON_UNSUPPORTED_VERSION, MQTT_3_1_1},
    {"longer name", "0005 'MQTTS' 04 02 003c 0001 'a'", REASON_UNSUPPORTED_VERSION, MQTT_3_1_1},
    {"other name, level 5", "0004 'MQTX' 05 02 003c 00 0001 'a'", REASON_UNSUPPORTED_VERSION,
     MQTT_5_0},
    {"a name that is no text", "0004 'MQ' ff 00 04 02 003c 0001 'a'", REASON_MALFORMED, MQTT_3_1_1},
    {"empty name", "0000 04 02 003c 0001 'a'", REASON_MALFORMED, MQTT_3_1_1},
    {"nothing", "", REASON_MALFORMED, MQTT_3_1_1},
};

static struct fault decode(struct slice body, struct connect *c)
{
	struct frame f = frame_with(PACKET_CONNECT, 0, body);

	return packet_connect_decode(&f, c);
}

static void connect_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice body = exact_bytes(rows[i].body);
		struct connect c;

		expect_reason(rows[i].name, decode(body, &c), rows[i].want);
		assert_int_equal(c.version, rows[i].version);
		slice_free(body);
	}
}

/* No proper prefix of a good CONNECT is good. */
static void every_prefix(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice body = exact_bytes(rows[i].body);

		for (size_t n = 0; n < body.len; n++) {
			struct slice prefix = exact_copy(slice_of(body.data, n));
			struct connect c;

			if (fault_is_none(decode(prefix, &c)) && rows[i].want == REASON_OK)
				fail_msg("%s: %zu bytes are enough", rows[i].name, n);
			(void)packet_connect_peek(prefix, &c);
			slice_free(prefix);
		}
		slice_free(body);
	}
}

static void header_flags_are_zero(void **state)
{
	struct slice body = exact_bytes(V3("02", ""));

	(void)state;
	for (unsigned flags = 1; flags < 16; flags++) { /* [MQTT3-2.2.2-1] [MQTT5-2.1.3-1] */
		struct frame f = frame_with(PACKET_CONNECT, flags, body);
		struct connect c;

		expect_reason("flags", packet_connect_decode(&f, &c), REASON_MALFORMED);
	}
	slice_free(body);
}

static void fields_of_v3(void **state)
{
	struct slice body = exact_bytes(V3("ee", "0002 't1' 0003 00ff01 0001 'u' 0002 00fe"));
	struct connect c;

	(void)state;
	expect_reason("v3", decode(body, &c), REASON_OK);
	assert_true(c.clean_start && c.has_user_name && c.has_password);
	assert_int_equal(c.keep_alive_s, 60);
	assert_true(slice_is(c.client_id, "'a'"));
	assert_true(slice_is(c.user_name, "'u'"));
	assert_true(slice_is(c.password, "00fe"));
	assert_true(c.will.present && c.will.retain);
	assert_int_equal(c.will.qos, 1);
	assert_true(slice_is(c.will.topic, "'t1'"));
	assert_true(slice_is(c.will.payload, "00ff01"));
	assert_int_equal(c.properties.present, 0);
	slice_free(body);
}

static void fields_of_v5(void **state)
{
	struct slice body = exact_bytes("0004 'MQTT' 05 14 ffff 05 11 00000e10 0002 'id'"
	                                " 05 18 0000001e 0001 't' 0000");
	struct connect c;

	(void)state;
	expect_reason("v5", decode(body, &c), REASON_OK);
	assert_false(c.clean_start || c.has_user_name || c.has_password || c.will.retain);
	assert_int_equal(c.keep_alive_s, 65535);
	assert_int_equal(c.properties.session_expiry_s, 3600);
	assert_true(slice_is(c.client_id, "'id'"));
	assert_int_equal(c.will.qos, 2);
	assert_int_equal(c.will.properties.will_delay_s, 30);
	assert_int_equal(c.user_name.len + c.password.len, 0);
	slice_free(body);
}

static void peek(void **state)
{
	static const struct {
		const char *name;
		const char *body;
		const char *id; /* NULL: it is not there */
		const char *user;
		uint8_t level; /* 0: nothing is known */
	} peeks[] = {
	    {"v3", V3("02", ""), "'a'", "", 4},
	    {"v5", V5("02", ""), "'a'", "", 5},
	    {"v5 behind properties", V5P("05 11 00000001"), "'a'", "", 5},
	    {"empty", "0004 'MQTT' 04 02 003c 0000", "", "", 4},
	    {"user behind a will", V3("f6", WILL "0001 'u' 0001 'p'"), "'a'", "'u'", 4},
	    {"flags that are not valid", V3("83", "0001 'u'"), "'a'", "'u'", 4},
	    {"no user, a password", V3("42", "0001 'p'"), "'a'", "", 4},
	    {"cut in the user", V3("82", "0002 'u'"), "'a'", "", 4},
	    {"cut in the id", "0004 'MQTT' 04 02 003c 0002 'a'", NULL, "", 4},
	    {"cut before the id", "0004 'MQTT' 04 02 003c", NULL, "", 4},
	    {"properties too long", V5P("7f"), NULL, "", 5},
	    {"later version", "0004 'MQTT' 06 02 003c 00 0001 'a'", "'a'", "", 6},
	    {"3.1", "0006 'MQIsdp' 03 02 003c 0001 'a'", "'a'", "", 3},
	    {"other protocol", "0003 'GET' 04 82 003c 0001 'a' 0001 'u'", NULL, "", 4},
	    {"no protocol", "0000 04 82 003c 0001 'a' 0001 'u'", NULL, "", 0},
	    {"cut before the level", "0004 'MQTT'", NULL, "", 0},
	    {"nothing", "", NULL, "", 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(peeks); i++) {
		struct slice body = exact_bytes(peeks[i].body);
		struct connect c;

		if (packet_connect_peek(body, &c) != (peeks[i].level != 0) ||
		    c.has_client_id != (peeks[i].id != NULL) ||
		    (peeks[i].level != 0 && c.level != peeks[i].level) ||
		    !slice_is(c.client_id, peeks[i].id == NULL ? "" : peeks[i].id) ||
		    !slice_is(c.user_name, peeks[i].user))
			fail_msg("%s", peeks[i].name);
		slice_free(body);
	}
}

static const struct {
	const char *name;
	struct connack c;
	const char *want;
} connacks[] = {
    {"v3 accepted", {.version = MQTT_3_1_1, .max_qos = 2}, "20 02 00 00"},
    {"v3 session present",
     {.version = MQTT_3_1_1, .max_qos = 2, .session_present = true},
     "20 02 01 00"},
    /* [MQTT3-3.2.2-4] */
    {"v3 refused has no session",
     {.version = MQTT_3_1_1, .session_present = true, .reason = REASON_NOT_AUTHORIZED},
     "20 02 00 05"},
    {"v3 refused version",
     {.version = MQTT_3_1_1, .reason = REASON_UNSUPPORTED_VERSION},
     "20 02 00 01"},
    /* [MQTT3-3.2.2-6] */
    {"v3 no code, no packet", {.version = MQTT_3_1_1, .reason = REASON_MALFORMED}, ""},
    {"v3 says no more than it can",
     {.version = MQTT_3_1_1, .max_qos = 0, .receive_maximum = 20, .topic_alias_maximum = 10},
     "20 02 00 00"},
    {"v5 accepted", {.version = MQTT_5_0, .max_qos = 2}, "20 03 00 00 00"},
    {"v5 defaults are left out",
     {.version = MQTT_5_0, .max_qos = 2, .receive_maximum = 65535, .session_present = true},
     "20 03 01 00 00"},
    /* [MQTT5-3.2.2-1] [MQTT5-3.2.2-6] */
    {"v5 refused has no session",
     {.version = MQTT_5_0, .max_qos = 2, .session_present = true, .reason = REASON_BANNED},
     "20 03 00 8a 00"},
    {"v5 refused with words",
     {.version = MQTT_5_0,
      .max_qos = 2,
      .reason = REASON_NOT_AUTHORIZED,
      .reason_string = SLICE_INIT("no")},
     "20 08 00 87 05 1f 0002 'no'"},
    {"v5 limits", /* [MQTT5-3.2.2-9] */
     {.version = MQTT_5_0,
      .max_qos = 1,
      .retain_unavailable = true,
      .receive_maximum = 20,
      .topic_alias_maximum = 10,
      .max_packet_bytes = 2097152,
      .has_session_expiry = true,
      .session_expiry_s = 120,
      .has_server_keep_alive = true,
      .server_keep_alive_s = 60},
     "20 1a 00 00 17 11 00000078 21 0014 24 01 25 00 27 00200000 22 000a 13 003c"},
    {"v5 zero session expiry and keep alive",
     {.version = MQTT_5_0, .max_qos = 2, .has_session_expiry = true, .has_server_keep_alive = true},
     "20 0b 00 00 08 11 00000000 13 0000"},
    {"v5 assigned id",
     {.version = MQTT_5_0, .max_qos = 2, .assigned_client_id = SLICE_INIT("id-1")},
     "20 0a 00 00 07 12 0004 'id-1'"},
    {"v5 auth",
     {.version = MQTT_5_0,
      .max_qos = 2,
      .auth_method = SLICE_INIT("m"),
      .auth_data = SLICE_INIT("d")},
     "20 0b 00 00 08 15 0001 'm' 16 0001 'd'"},
    {"v5 response information",
     {.version = MQTT_5_0, .max_qos = 2, .response_information = SLICE_INIT("r")},
     "20 07 00 00 04 1a 0001 'r'"},
    {"v5 moved",
     {.version = MQTT_5_0,
      .max_qos = 2,
      .reason = REASON_SERVER_MOVED,
      .server_reference = SLICE_INIT("b")},
     "20 07 00 9d 04 1c 0001 'b'"},
};

static void connack_vectors(void **state)
{
	struct buf b = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(connacks); i++) {
		packet_connack_encode(&b, &connacks[i].c);
		expect_bytes(connacks[i].name, &b, connacks[i].want);
	}
	buf_fini(&b);
}

/* Behind other packets, and with a Property Length of two bytes; our own reader agrees. */
static void long_connack_behind_another(void **state)
{
	uint8_t long_text[300] = {0};
	struct connack c = {.version = MQTT_5_0,
	                    .max_qos = 2,
	                    .reason_string = slice_of(long_text, sizeof(long_text))};
	struct buf b = {0};
	struct properties p;
	struct reader r;
	struct frame f;

	(void)state;
	memset(long_text, 'x', sizeof(long_text));
	put_text_bytes(&b, "d000");
	packet_connack_encode(&b, &c);
	assert_true(slice_is(slice_of(b.data, 2), "d000"));
	f = frame_of_packet(slice_skip(buf_slice(&b), 2));
	assert_int_equal(f.type, PACKET_CONNACK);
	r = reader_of(slice_skip(f.body, 2));
	expect_reason("properties", properties_read(&r, PACKET_CONNACK, &p), REASON_OK);
	assert_int_equal(reader_left(&r), 0);
	assert_int_equal(p.present, UINT64_C(1) << PROPERTY_REASON_STRING);
	assert_true(slice_equal(p.reason_string, c.reason_string));
	buf_fini(&b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(connect_vectors),       cmocka_unit_test(every_prefix),
	    cmocka_unit_test(header_flags_are_zero), cmocka_unit_test(fields_of_v3),
	    cmocka_unit_test(fields_of_v5),          cmocka_unit_test(peek),
	    cmocka_unit_test(connack_vectors),       cmocka_unit_test(long_connack_behind_another),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("connect", tests, NULL, NULL);
}
