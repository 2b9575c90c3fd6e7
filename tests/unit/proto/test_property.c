/* Properties: table 2-4 of the standard, written here a second time and in another form, against
 * every packet type; then values, duplicates, truncation, forwarding. */
#include "proto/property.h"
#include "rows.h"

static const struct standard {
	unsigned id;
	const char *packets; /* names between blanks */
	bool repeats_in_publish;
	const char *good[4]; /* values */
	const char *bad[4];  /* values that parse but are protocol errors */
	const char *ugly[4]; /* values that are malformed */
} standard[] = {
    {0x01, " PUBLISH WILL ", false, {"00", "01"}, {"02", "ff"}, {""}},
    {0x02, " PUBLISH WILL ", false, {"00000000", "ffffffff"}, {0}, {"", "000000"}},
    {0x03,
     " PUBLISH WILL ",
     false,
     {"0000", "0004 'text'"},
     {0},
     {"00", "0001", "0001ff", "000100"}},
    {0x08,
     " PUBLISH WILL ",
     false,
     {"0001 'a'", "0003 '$/a'"},
     {"0000", "0001 '+'", "0003 'a/#'"}, /* [MQTT5-3.3.2-14] */
     {"0002 'a'", "0001 ff"}},           /* [MQTT5-3.3.2-13] */
    {0x09, " PUBLISH WILL ", false, {"0000", "0002 00ff"}, {0}, {"0002 00"}},
    {0x0b, " PUBLISH SUBSCRIBE ", true, {"01", "ffffff7f"}, {"00"}, {"8000", "80", "8080808001"}},
    {0x11, " CONNECT CONNACK DISCONNECT ", false, {"00000000", "ffffffff"}, {0}, {"0000"}},
    {0x12, " CONNACK ", false, {"0001 'a'"}, {0}, {"0001 80"}},
    {0x13, " CONNACK ", false, {"0000", "ffff"}, {0}, {"00"}},
    {0x15, " CONNECT CONNACK AUTH ", false, {"0005 'SCRAM'"}, {0}, {"0001 c0", "0003 'ab'"}},
    {0x16, " CONNECT CONNACK AUTH ", false, {"0000", "0001 ff"}, {0}, {"0002 ff"}},
    {0x17, " CONNECT ", false, {"00", "01"}, {"02", "80"}, {""}},
    {0x18, " WILL ", false, {"00000000", "ffffffff"}, {0}, {"00"}},
    {0x19, " CONNECT ", false, {"00", "01"}, {"02", "ff"}, {""}},
    {0x1a, " CONNACK ", false, {"0000", "0001 'r'"}, {0}, {"0001 00"}},
    {0x1c, " CONNACK DISCONNECT ", false, {"0001 's'"}, {0}, {"0001 fe"}},
    {0x1f,
     " CONNACK PUBACK PUBREC PUBREL PUBCOMP SUBACK UNSUBACK DISCONNECT AUTH ",
     false,
     {"0000", "0002 'no'"},
     {0},
     {"0003 eda080", "0001"}},
    {0x21, " CONNECT CONNACK ", false, {"0001", "ffff"}, {"0000"}, {"01"}},
    {0x22, " CONNECT CONNACK ", false, {"0000", "ffff"}, {0}, {"01"}},
    {0x23, " PUBLISH ", false, {"0000", "ffff"}, {0}, {"01"}}, /* 0: packet_publish_decode */
    {0x24, " CONNACK ", false, {"00", "01"}, {"02"}, {""}},
    {0x25, " CONNACK ", false, {"00", "01"}, {"02"}, {""}},
    {0x26,
     " CONNECT CONNACK PUBLISH WILL PUBACK PUBREC PUBREL PUBCOMP SUBSCRIBE SUBACK UNSUBSCRIBE "
     "UNSUBACK DISCONNECT AUTH ",
     true,
     {"0000 0000", "0001 'n' 0002 'v1'"},
     {0},
     {"0001 ff 0000", "0000 0001 ff", "0001 'n' 00"}}, /* [MQTT5-1.5.7-1] */
    {0x27, " CONNECT CONNACK ", false, {"00000001", "ffffffff"}, {"00000000"}, {"000001"}},
    {0x28, " CONNACK ", false, {"00", "01"}, {"02"}, {""}},
    {0x29, " CONNACK ", false, {"00", "01"}, {"02"}, {""}},
    {0x2a, " CONNACK ", false, {"00", "01"}, {"02"}, {""}},
};

enum {
	PROPERTIES = 0
#define PROPERTY(...) +1
#include "proto/properties.def"
#undef PROPERTY
};
_Static_assert(COUNT(standard) == PROPERTIES, "each property has its row here");

static const char *owner_name(unsigned owner)
{
	return owner == PROPERTY_OWNER_WILL ? "WILL" : packet_type_name((enum packet_type)owner);
}

static bool stands_in(const struct standard *s, unsigned owner)
{
	char *name = xasprintf(" %s ", owner_name(owner));
	bool yes = strstr(s->packets, name) != NULL;

	free(name);
	return yes;
}

static const struct standard *standard_of(unsigned id)
{
	for (size_t i = 0; i < COUNT(standard); i++) {
		if (standard[i].id == id)
			return &standard[i];
	}
	return NULL;
}

/* `block` behind its length, in exact memory. The reader must end behind it when all is well. */
static struct fault read_block(struct slice block, unsigned owner, struct properties *out)
{
	struct buf b = {0};
	struct slice bytes;
	struct reader r;
	struct fault why;

	buf_put_varint(&b, (uint32_t)block.len);
	buf_put_slice(&b, block);
	bytes = exact_copy(buf_slice(&b));
	r = reader_of(bytes);
	why = properties_read(&r, owner, out);
	if (fault_is_none(why)) {
		assert_false(r.bad);
		assert_int_equal(reader_left(&r), 0);
		assert_int_equal(out->raw.len, block.len);
	}
	slice_free(bytes);
	buf_fini(&b);
	return why;
}

static void validate_value(unsigned id, const char *value, int times, unsigned owner,
                           enum reason want)
{
	struct buf b = {0};
	struct properties p;
	struct fault got;

	for (int i = 0; i < times; i++) {
		buf_put_varint(&b, id);
		put_text_bytes(&b, value);
	}
	got = read_block(buf_slice(&b), owner, &p);
	if (got.reason != want)
		fail_msg("0x%02x %s in %s: %s", id, value, owner_name(owner),
		         reason_name(got.reason));
	if (fault_is_none(got))
		assert_int_equal(p.present, UINT64_C(1) << id);
	buf_fini(&b);
}

static void values_of(const struct standard *s, unsigned owner)
{
	bool in = stands_in(s, owner);

	for (size_t i = 0; i < COUNT(s->good) && s->good[i] != NULL; i++)
		validate_value(s->id, s->good[i], 1, owner, in ? REASON_OK : REASON_MALFORMED);
	for (size_t i = 0; i < COUNT(s->bad) && s->bad[i] != NULL; i++)
		validate_value(s->id, s->bad[i], 1, owner,
		               in ? REASON_PROTOCOL_ERROR : REASON_MALFORMED);
	for (size_t i = 0; i < COUNT(s->ugly) && s->ugly[i] != NULL; i++)
		validate_value(s->id, s->ugly[i], 1, owner, REASON_MALFORMED);
}

static void every_value_in_every_packet(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(standard); i++) {
		for (unsigned owner = 0; owner < 16; owner++)
			values_of(&standard[i], owner);
	}
}

static void duplicates(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(standard); i++) {
		for (unsigned owner = 0; owner < 16; owner++) {
			const struct standard *s = &standard[i];
			bool may =
			    s->id == 0x26 || (s->repeats_in_publish && owner == PACKET_PUBLISH);

			if (stands_in(s, owner))
				validate_value(s->id, s->good[0], 2, owner,
				               may ? REASON_OK : REASON_PROTOCOL_ERROR);
		}
	}
}

static void unknown_identifiers(void **state)
{
	(void)state;
	for (unsigned owner = 0; owner < 16; owner++) {
		for (unsigned id = 0; id < 300; id++) {
			if (standard_of(id) == NULL)
				validate_value(id, "00000000", 1, owner, REASON_MALFORMED);
		}
		validate_value(268435455, "00", 1, owner, REASON_MALFORMED);
	}
}

static void blocks(void **state)
{
	static const struct {
		const char *name;
		const char *bytes; /* with Property Length */
		enum reason want;
	} rows[] = {
	    {"nothing at all", "", REASON_MALFORMED}, /* [MQTT5-2.2.2-1] */
	    {"empty", "00", REASON_OK},
	    {"length past the end", "01", REASON_MALFORMED},
	    {"far past the end", "ffffff7f 2600000000", REASON_MALFORMED},
	    {"length in five bytes", "8080808000", REASON_MALFORMED},
	    {"length not minimal", "8000", REASON_MALFORMED},
	    {"length unfinished", "80", REASON_MALFORMED},
	    {"identifier not minimal", "03 8100 00", REASON_MALFORMED},
	    {"identifier unfinished", "01 80", REASON_MALFORMED},
	    {"value cut by the length", "02 0200000000", REASON_MALFORMED},
	    {"two user properties", "0a 2600000000 2600000000", REASON_OK},
	    {"second one cut", "09 2600000000 26000000", REASON_MALFORMED},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice bytes = exact_bytes(rows[i].bytes);
		struct reader r = reader_of(bytes);
		struct properties p;

		expect_reason(rows[i].name, properties_read(&r, PACKET_PUBLISH, &p), rows[i].want);
		slice_free(bytes);
	}
}

static void fields_of_publish(void **state)
{
	struct slice block =
	    exact_bytes("01 01 02 00000e10 03 0004 'text' 08 0003 'a/b' 09 0002 00ff"
	                " 0b 8001 23 0007 26 0001 'n' 0001 'v' 26 0000 0000");
	struct reader r;
	struct properties p;
	struct buf b = {0};

	(void)state;
	buf_put_u8(&b, (uint8_t)block.len);
	buf_put_slice(&b, block);
	r = reader_of(buf_slice(&b));
	expect_reason("publish", properties_read(&r, PACKET_PUBLISH, &p), REASON_OK);
	assert_int_equal(p.payload_format, 1);
	assert_int_equal(p.message_expiry_s, 3600);
	assert_true(slice_is(p.content_type, "'text'"));
	assert_true(slice_is(p.response_topic, "'a/b'"));
	assert_true(slice_is(p.correlation_data, "00ff"));
	assert_int_equal(p.subscription_id, 128);
	assert_int_equal(p.topic_alias, 7);
	assert_int_equal(p.user_count, 2);
	assert_true(slice_equal(p.raw, block));
	buf_fini(&b);
	slice_free(block);
}

static void fields_of_connect_and_will(void **state)
{
	struct slice bytes = exact_bytes("23 11 00000078 21 0014 27 00010000 22 000a 19 01 17 00"
	                                 " 15 0001 'm' 16 0002 0102 26 0001 'k' 0000"
	                                 "05 18 0000003c");
	struct reader r = reader_of(bytes);
	struct properties p;

	(void)state;
	expect_reason("connect", properties_read(&r, PACKET_CONNECT, &p), REASON_OK);
	assert_int_equal(p.session_expiry_s, 120);
	assert_int_equal(p.receive_maximum, 20);
	assert_int_equal(p.max_packet_bytes, 65536);
	assert_int_equal(p.topic_alias_maximum, 10);
	assert_int_equal(p.request_response, 1);
	assert_int_equal(p.request_problem, 0);
	assert_true(properties_have(&p, PROPERTY_REQUEST_PROBLEM));
	assert_false(properties_have(&p, PROPERTY_REASON_STRING));
	assert_true(slice_is(p.auth_method, "'m'"));
	assert_true(slice_is(p.auth_data, "0102"));
	assert_int_equal(p.user_count, 1);
	expect_reason("will", properties_read(&r, PROPERTY_OWNER_WILL, &p), REASON_OK);
	assert_int_equal(p.will_delay_s, 60);
	assert_int_equal(p.receive_maximum, 0);
	slice_free(bytes);
}

/* [MQTT5-3.3.2-4] [MQTT5-3.3.2-15] [MQTT5-3.3.2-16] [MQTT5-3.3.2-17] [MQTT5-3.3.2-18]
 * [MQTT5-3.3.2-20] [MQTT5-3.1.3-10] */
static void forwarding(void **state)
{
	static const struct {
		const char *name;
		const char *raw;
		const char *want;
	} rows[] = {
	    {"nothing", "", ""},
	    {"only ours", "02 00000001 23 0001", ""},
	    {"all that goes on, in order",
	     "26 0001 'b' 0001 '1' 01 01 03 0001 't' 26 0001 'a' 0001 '2' 08 0001 'r' 09 0001 ff",
	     "26 0001 'b' 0001 '1' 01 01 03 0001 't' 26 0001 'a' 0001 '2' 08 0001 'r' 09 0001 ff"},
	    {"mixed", "23 0001 26 0000 0001 'x' 02 00000001 01 00 0b 05 26 0000 0000",
	     "26 0000 0001 'x' 01 00 26 0000 0000"},
	    {"of a will", "18 00000001 01 01 02 00000002", "01 01"},
	    {"stops at the unknown", "01 01 04 01 01", "01 01"},
	    {"stops at the end", "01 01 03 0005 'a'", "01 01"},
	};
	struct buf out = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice raw = exact_bytes(rows[i].raw);

		properties_put_forwarded(&out, raw);
		expect_bytes(rows[i].name, &out, rows[i].want);
		slice_free(raw);
	}
	buf_fini(&out);
}

static void user_properties(void **state)
{
	struct slice raw = exact_bytes("01 00 26 0001 'a' 0001 '1' 02 00000001 0b 05"
	                               " 26 0000 0002 '22' 03 0000");
	struct slice at = raw;
	struct slice name, value;

	(void)state;
	assert_true(properties_next_user(&at, &name, &value));
	assert_true(slice_is(name, "'a'"));
	assert_true(slice_is(value, "'1'"));
	assert_true(properties_next_user(&at, &name, &value));
	assert_true(slice_is(name, ""));
	assert_true(slice_is(value, "'22'"));
	assert_false(properties_next_user(&at, &name, &value));
	assert_false(properties_next_user(&at, &name, &value));
	at = SLICE_EMPTY;
	assert_false(properties_next_user(&at, &name, &value));
	slice_free(raw);
}

static void many_user_properties(void **state)
{
	struct buf b = {0};
	struct properties p;

	(void)state;
	for (unsigned i = 0; i < 30000; i++)
		put_text_bytes(&b, "26 0001 'n' 0000");
	expect_reason("many", read_block(buf_slice(&b), PACKET_PUBLISH, &p), REASON_OK);
	assert_int_equal(p.user_count, 30000);
	buf_fini(&b);
}

static void payload_format(void **state)
{
	static const struct {
		const char *payload;
		bool text;
	} rows[] = {
	    {"", true},
	    {"'hello'", true},
	    {"c3a9 f09f9880", true},
	    {"00", true}, /* character data, no UTF-8 Encoded String */
	    {"'a' 00 c3a9", true},
	    {"ff", false},
	    {"00 ff", false},
	    {"eda080", false},
	    {"c3", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice payload = exact_bytes(rows[i].payload);
		struct properties p = {0};

		assert_true(properties_fit_payload(&p, payload));
		p.payload_format = 1;
		if (properties_fit_payload(&p, payload) != rows[i].text)
			fail_msg("%s", rows[i].payload);
		slice_free(payload);
	}
}

static void single_properties(void **state)
{
	struct buf b = {0};

	(void)state;
	property_put_number(&b, PROPERTY_PAYLOAD_FORMAT, 1);
	property_put_number(&b, PROPERTY_TOPIC_ALIAS, 0x1234);
	property_put_number(&b, PROPERTY_MESSAGE_EXPIRY, 0x12345678);
	property_put_number(&b, PROPERTY_SUBSCRIPTION_ID, 321);
	property_put_string(&b, PROPERTY_REASON_STRING, SLICE("why"));
	expect_bytes("single", &b, "0101 231234 0212345678 0bc102 1f0003 'why'");
	buf_fini(&b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_value_in_every_packet),
	    cmocka_unit_test(duplicates),
	    cmocka_unit_test(unknown_identifiers),
	    cmocka_unit_test(blocks),
	    cmocka_unit_test(fields_of_publish),
	    cmocka_unit_test(fields_of_connect_and_will),
	    cmocka_unit_test(forwarding),
	    cmocka_unit_test(user_properties),
	    cmocka_unit_test(many_user_properties),
	    cmocka_unit_test(payload_format),
	    cmocka_unit_test(single_properties),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("property", tests, NULL, NULL);
}
