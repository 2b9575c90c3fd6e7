/* PUBLISH: decoding, encoding, and that one undoes the other. */
#include "proto/packet_publish.h"
#include "rows.h"

static const struct {
	const char *name;
	const char *body;
	unsigned flags;
	enum mqtt_version version;
	enum reason want;
} rows[] = {
    {"v3 qos 0", "0001 'a' 'hello'", 0x00, MQTT_3_1_1, REASON_OK},
    {"v3 no payload", "0001 'a'", 0x00, MQTT_3_1_1, REASON_OK},
    {"v3 retained", "0003 'a/b' 'x'", 0x01, MQTT_3_1_1, REASON_OK},
    {"v3 retained, no payload", "0003 'a/b'", 0x01, MQTT_3_1_1, REASON_OK},
    {"v3 qos 1", "0001 'a' 0001 'x'", 0x02, MQTT_3_1_1, REASON_OK},
    {"v3 qos 1 dup", "0001 'a' ffff 'x'", 0x0a, MQTT_3_1_1, REASON_OK},
    {"v3 qos 2 dup retained", "0001 'a' 0102", 0x0d, MQTT_3_1_1, REASON_OK},
    {"v3 utf-8 topic", "0004 'a/' c3a9 'x'", 0x00, MQTT_3_1_1, REASON_OK},
    {"v3 system topic", "0004 '$SYS'", 0x00, MQTT_3_1_1, REASON_OK},
    {"v3 binary payload", "0001 'a' 00ff80c0", 0x00, MQTT_3_1_1, REASON_OK},
    {"v3 qos 3", "0001 'a' 0001", 0x06, MQTT_3_1_1, REASON_MALFORMED},        /* [MQTT-3.3.1-4] */
    {"v3 qos 0 dup", "0001 'a'", 0x08, MQTT_3_1_1, REASON_MALFORMED},         /* [MQTT-3.3.1-2] */
    {"v3 identifier 0", "0001 'a' 0000", 0x02, MQTT_3_1_1, REASON_MALFORMED}, /* [MQTT3-2.3.1-1] */
    {"v3 no identifier", "0001 'a'", 0x02, MQTT_3_1_1, REASON_MALFORMED},
    {"v3 half an identifier", "0001 'a' 01", 0x04, MQTT_3_1_1, REASON_MALFORMED},
    {"v3 nothing", "", 0x00, MQTT_3_1_1, REASON_MALFORMED}, /* [MQTT-3.3.2-1] */
    {"v3 topic runs past end", "0009 'a'", 0x00, MQTT_3_1_1, REASON_MALFORMED},
    {"v3 topic not utf-8", "0001 ff", 0x00, MQTT_3_1_1, REASON_MALFORMED},   /* [MQTT3-1.5.3-1] */
    {"v3 topic nul", "0003 'a' 00 'b'", 0x00, MQTT_3_1_1, REASON_MALFORMED}, /* [MQTT3-1.5.3-2] */
    {"v3 wildcard #", "0001 '#'", 0x00, MQTT_3_1_1, REASON_MALFORMED},       /* [MQTT-3.3.2-2] */
    {"v3 wildcard +", "0003 'a/+'", 0x00, MQTT_3_1_1, REASON_MALFORMED},
    {"v3 empty topic", "0000 'x'", 0x00, MQTT_3_1_1, REASON_MALFORMED}, /* [MQTT-4.7.3-1] */
    {"v5 qos 0", "0001 'a' 00 'hello'", 0x00, MQTT_5_0, REASON_OK},
    {"v5 qos 2", "0001 'a' 0007 00", 0x04, MQTT_5_0, REASON_OK},
    {"v5 qos 1 dup retained", "0001 'a' 0007 00 'x'", 0x0b, MQTT_5_0, REASON_OK},
    {"v5 expiry", "0001 'a' 05 02 0000000a 'x'", 0x00, MQTT_5_0, REASON_OK},
    {"v5 forwarded", "0001 'a' 07 01 01 26 0000 0000 'x'", 0x01, MQTT_5_0, REASON_OK},
    {"v5 all of them",
     "0001 'a' 0009 1e 02 00000001 23 0005 01 00 03 0001 't' 08 0001 'r' 09 0001 ff"
     " 26 0001 'n' 0002 'v1' 'x'",
     0x02, MQTT_5_0, REASON_OK},
    {"v5 alias and topic", "0001 'a' 03 23 0001 'x'", 0x00, MQTT_5_0, REASON_OK},
    {"v5 alias, no topic", "0000 03 23 ffff 'x'", 0x00, MQTT_5_0, REASON_OK},
    {"v5 no topic, no alias", "0000 00 'x'", 0x00, MQTT_5_0, REASON_PROTOCOL_ERROR},
    {"v5 alias 0", "0001 'a' 03 23 0000", 0x00, MQTT_5_0,
     REASON_TOPIC_ALIAS_INVALID}, /* [MQTT5-3.3.2-8] */
    {"v5 alias 0, no topic", "0000 03 23 0000", 0x00, MQTT_5_0, REASON_TOPIC_ALIAS_INVALID},
    {"v5 alias twice", "0001 'a' 06 23 0001 23 0001", 0x00, MQTT_5_0, REASON_PROTOCOL_ERROR},
    {"v5 subscription id", "0001 'a' 02 0b 01", 0x00, MQTT_5_0,
     REASON_PROTOCOL_ERROR}, /* [MQTT5-3.3.4-6] */
    {"v5 session expiry", "0001 'a' 05 11 00000001", 0x00, MQTT_5_0, REASON_MALFORMED},
    {"v5 payload format 2", "0001 'a' 02 01 02", 0x00, MQTT_5_0, REASON_PROTOCOL_ERROR},
    {"v5 text that is none", "0001 'a' 02 01 01 ff", 0x00, MQTT_5_0, REASON_OK}, /* the caller's */
    {"v5 response topic +", "0001 'a' 04 08 0001 '+'", 0x00, MQTT_5_0,
     REASON_PROTOCOL_ERROR}, /* [MQTT5-3.3.2-14] */
    {"v5 response topic ff", "0001 'a' 04 08 0001 ff", 0x00, MQTT_5_0,
     REASON_MALFORMED}, /* [MQTT5-3.3.2-13] */
    {"v5 content type ff", "0001 'a' 04 03 0001 ff", 0x00, MQTT_5_0,
     REASON_MALFORMED}, /* [MQTT5-3.3.2-19] */
    {"v5 no properties", "0001 'a'", 0x00, MQTT_5_0, REASON_MALFORMED},
    {"v5 properties run past end", "0001 'a' 04 01 01", 0x00, MQTT_5_0, REASON_MALFORMED},
    {"v5 identifier 0", "0001 'a' 0000 00", 0x02, MQTT_5_0, REASON_MALFORMED}, /* [MQTT5-2.2.1-3] */
    {"v5 qos 3", "0001 'a' 0001 00", 0x06, MQTT_5_0, REASON_MALFORMED},
    {"v5 qos 0 dup", "0001 'a' 00", 0x08, MQTT_5_0, REASON_MALFORMED},
    {"v5 wildcard", "0003 'a/#' 00", 0x00, MQTT_5_0, REASON_MALFORMED},
    {"v5 topic surrogate", "0003 edbfbf 00", 0x00, MQTT_5_0,
     REASON_MALFORMED},                                               /* [MQTT5-1.5.4-1] */
    {"v5 topic nul", "0001 00 00", 0x00, MQTT_5_0, REASON_MALFORMED}, /* [MQTT5-1.5.4-2] */
};

static struct fault decode(size_t row, struct slice body, struct publish *p)
{
	struct frame f = frame_with(PACKET_PUBLISH, rows[row].flags, body);

	return packet_publish_decode(&f, rows[row].version, p);
}

/* The same packet again. The rows write properties in the order of the encoder. */
static void encode_again(size_t row, struct slice body, const struct publish *p)
{
	struct buf forwarded = {0};
	struct buf b = {0};
	struct publish_out again = {.version = rows[row].version,
	                            .dup = p->dup,
	                            .retain = p->retain,
	                            .qos = p->qos,
	                            .has_expiry =
	                                properties_have(&p->properties, PROPERTY_MESSAGE_EXPIRY),
	                            .packet_id = p->packet_id,
	                            .topic_alias = p->properties.topic_alias,
	                            .expiry_s = p->properties.message_expiry_s,
	                            .topic = p->topic,
	                            .payload = p->payload};

	properties_put_forwarded(&forwarded, p->properties.raw);
	again.forwarded = buf_slice(&forwarded);
	packet_publish_encode(&b, &again);
	assert_int_equal(b.len, packet_publish_size(&again));
	expect_packet(rows[row].name, &b, PACKET_PUBLISH, rows[row].flags, body);
	buf_fini(&b);
	buf_fini(&forwarded);
}

static void publish_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice body = exact_bytes(rows[i].body);
		struct publish p;

		memset(&p, 0xa5, sizeof(p));
		expect_reason(rows[i].name, decode(i, body, &p), rows[i].want);
		if (rows[i].want == REASON_OK)
			encode_again(i, body, &p);
		slice_free(body);
	}
}

/* The payload may be cut anywhere, what stands before it nowhere. */
static void every_prefix(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice body = exact_bytes(rows[i].body);
		struct publish p;
		bool ok = fault_is_none(decode(i, body, &p));
		size_t head = ok ? body.len - p.payload.len : body.len;

		for (size_t n = 0; n < body.len; n++) {
			struct slice prefix = exact_copy(slice_of(body.data, n));

			if (fault_is_none(decode(i, prefix, &p)) != (ok && n >= head))
				fail_msg("%s: first %zu bytes", rows[i].name, n);
			slice_free(prefix);
		}
		slice_free(body);
	}
}

static void fields(void **state)
{
	struct slice body = exact_bytes("0003 'a/b' 1234 08 23 0007 02 0000003c 'pay'");
	struct frame f = frame_with(PACKET_PUBLISH, 0x0d, body);
	struct publish p;

	(void)state;
	memset(&p, 0xa5, sizeof(p));
	expect_reason("v5", packet_publish_decode(&f, MQTT_5_0, &p), REASON_OK);
	assert_true(p.dup && p.retain);
	assert_int_equal(p.qos, 2);
	assert_int_equal(p.packet_id, 0x1234);
	assert_int_equal(p.properties.topic_alias, 7);
	assert_int_equal(p.properties.message_expiry_s, 60);
	assert_true(slice_is(p.topic, "'a/b'"));
	assert_true(slice_is(p.payload, "'pay'"));
	slice_free(body);

	body = exact_bytes("0001 'a' 'p'");
	f = frame_with(PACKET_PUBLISH, 0, body);
	memset(&p, 0xa5, sizeof(p));
	expect_reason("v3", packet_publish_decode(&f, MQTT_3_1_1, &p), REASON_OK);
	assert_false(p.dup || p.retain);
	assert_int_equal(p.packet_id, 0); /* [MQTT5-2.2.1-2] [MQTT3-2.3.1-5] */
	assert_int_equal(p.properties.present, 0);
	assert_int_equal(p.properties.raw.len, 0);
	slice_free(body);
}

static const uint32_t ids[] = {1, 127, 128, 16384, 268435455};

static const struct {
	const char *name;
	struct publish_out p;
	const char *want;
	size_t id_at;
} encodings[] = {
    {"v3 qos 0",
     {.version = MQTT_3_1_1, .topic = SLICE_INIT("a"), .payload = SLICE_INIT("x")},
     "30 04 0001 'a' 'x'",
     0},
    {"v3 qos 1",
     {.version = MQTT_3_1_1, .qos = 1, .packet_id = 258, .topic = SLICE_INIT("a")},
     "32 05 0001 'a' 0102",
     5},
    {"v3 all flags",
     {.version = MQTT_3_1_1,
      .qos = 2,
      .dup = true,
      .retain = true,
      .packet_id = 1,
      .topic = SLICE_INIT("a")},
     "3d 05 0001 'a' 0001",
     5},
    {"v3 leaves properties out",
     {.version = MQTT_3_1_1,
      .has_expiry = true,
      .expiry_s = 1,
      .topic_alias = 1,
      .subscription_ids = ids,
      .subscription_id_count = 2,
      .forwarded = SLICE_INIT("\x01\x01"),
      .topic = SLICE_INIT("a")},
     "30 03 0001 'a'",
     0},
    {"v5 qos 0",
     {.version = MQTT_5_0, .topic = SLICE_INIT("a"), .payload = SLICE_INIT("x")},
     "30 05 0001 'a' 00 'x'",
     0},
    {"v5 all properties", /* [MQTT5-3.3.4-3] [MQTT5-3.3.4-4] */
     {.version = MQTT_5_0,
      .qos = 1,
      .packet_id = 9,
      .has_expiry = true,
      .expiry_s = 10,
      .topic_alias = 3,
      .subscription_ids = ids,
      .subscription_id_count = 5,
      .forwarded = SLICE_INIT("\x01\x01"),
      .topic = SLICE_INIT("a"),
      .payload = SLICE_INIT("x")},
     "32 21 0001 'a' 0009 1a 02 0000000a 23 0003 0b01 0b7f 0b8001 0b808001 0bffffff7f 0101 'x'",
     5},
    {"v5 expired to zero", /* [MQTT5-3.3.2-6] */
     {.version = MQTT_5_0, .has_expiry = true, .topic = SLICE_INIT("a")},
     "30 09 0001 'a' 05 02 00000000",
     0},
    {"v5 alias instead of topic",
     {.version = MQTT_5_0, .topic_alias = 1, .payload = SLICE_INIT("x")},
     "30 07 0000 03 23 0001 'x'",
     0},
};

static void encode_vectors(void **state)
{
	struct buf b = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(encodings); i++) {
		assert_int_equal(packet_publish_encode(&b, &encodings[i].p), encodings[i].id_at);
		assert_int_equal(packet_publish_size(&encodings[i].p), b.len);
		expect_bytes(encodings[i].name, &b, encodings[i].want);
	}
	buf_fini(&b);
}

/* Around every size where a length grows by a byte; appended behind something; the identifier is
 * where the answer says. */
static void sizes_and_patching(void **state)
{
	static const size_t around[] = {0,     110,   126,   127,     128,
	                                16370, 16383, 16384, 2097140, 2097160};
	uint8_t *payload = xcalloc(1, 2097200);
	struct buf b = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(around); i++) {
		for (size_t extra = 0; extra < 20; extra++) {
			struct publish_out p = {.version = MQTT_5_0,
			                        .qos = 1,
			                        .packet_id = 0x1111,
			                        .topic = SLICE("topic"),
			                        .payload = slice_of(payload, around[i] + extra)};
			struct publish back;
			struct frame f;
			size_t at;

			buf_put_u8(&b, 0xee);
			at = packet_publish_encode(&b, &p);
			assert_int_equal(b.len - 1, packet_publish_size(&p));
			b.data[1 + at] = 0x22;
			f = frame_of_packet(slice_of(b.data + 1, b.len - 1));
			expect_reason("back", packet_publish_decode(&f, MQTT_5_0, &back),
			              REASON_OK);
			assert_int_equal(back.packet_id, 0x2211);
			assert_int_equal(back.payload.len, around[i] + extra);
			buf_clear(&b);
		}
	}
	buf_fini(&b);
	free(payload);
}

/* More than a Remaining Length can say: packet_publish_size tells, so that nobody encodes it. */
static void size_beyond_the_largest(void **state)
{
	static const uint8_t byte;
	struct publish_out p = {.version = MQTT_3_1_1, .topic = SLICE("a")};

	(void)state;
	p.payload = slice_of(&byte, FRAME_BODY_MAX - 3);
	assert_int_equal(packet_publish_size(&p), FRAME_SIZE_MAX);
	p.payload.len++;
	assert_true(packet_publish_size(&p) > FRAME_SIZE_MAX);
}

/* The beginning of a packet that is too large. */
static void cut_after_the_first_byte_of_the_payload(void **state)
{
	static const struct {
		const char *name, *bytes;
		enum mqtt_version version;
		/* Of the body; 0: more has to come. */
		size_t cut;
	} heads[] = {
	    {"QoS 0", "30 ff01 0001 61 70 71", MQTT_3_1_1, 4},
	    {"QoS 0, topic unfinished", "30 ff01 0003 6162", MQTT_3_1_1, 0},
	    {"QoS 0, no payload yet", "30 ff01 0001 61", MQTT_3_1_1, 0},
	    {"QoS 1", "32 ff01 0001 61 0007 70 71", MQTT_3_1_1, 6},
	    {"QoS 1, half an identifier", "32 ff01 0001 61 00", MQTT_3_1_1, 0},
	    {"QoS 2, properties", "34 ff01 0001 61 0007 03 230001 70 71", MQTT_5_0, 10},
	    {"QoS 2, properties unfinished", "34 ff01 0001 61 0007 03 2300", MQTT_5_0, 0},
	    {"QoS 2, no property length", "34 ff01 0001 61 0007", MQTT_5_0, 0},
	    {"QoS 2, no payload yet", "34 ff01 0001 61 0007 00", MQTT_5_0, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(heads); i++) {
		struct slice bytes = exact_bytes(heads[i].bytes), in = bytes;
		struct frame f;
		size_t needed;

		assert_int_equal(frame_next(&in, 100, &f, &needed), FRAME_TOO_LARGE);
		assert_int_equal(in.len, bytes.len);
		assert_int_equal(f.size_bytes, 3 + 255);
		assert_int_equal(f.body.len, bytes.len - 3);
		if (packet_publish_cut(&f, heads[i].version) != (heads[i].cut > 0) ||
		    (heads[i].cut > 0 && f.body.len != heads[i].cut))
			fail_msg("%s: %zu", heads[i].name, f.body.len);
		slice_free(bytes);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(publish_vectors),
	    cmocka_unit_test(every_prefix),
	    cmocka_unit_test(fields),
	    cmocka_unit_test(encode_vectors),
	    cmocka_unit_test(sizes_and_patching),
	    cmocka_unit_test(size_beyond_the_largest),
	    cmocka_unit_test(cut_after_the_first_byte_of_the_payload),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("publish", tests, NULL, NULL);
}
