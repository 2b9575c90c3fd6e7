/* The client's state machine: bytes of a server go in, what it puts out and which events it calls
 * are compared. */
#include <stdio.h>

#include "mqtt/mqtt_protocol.h"
#include "rows.h"

#define ACCEPTED_V5 "20 03 00 00 00"
#define ACCEPTED_V3 "20 02 00 00"
#define PRESENT_V3  "20 02 01 00"

struct client {
	struct mqtt_protocol p;
	struct mqtt_options o;
	/* What happened: "connack 00; message a x; ..." */
	char events[1024];
	bool delays; /* acknowledge later */
};

static void note(struct client *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void note(struct client *c, const char *format, ...)
{
	size_t len = strlen(c->events);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(c->events + len, sizeof(c->events) - len, format, args);
	va_end(args);
}

static void on_connack(void *arg, const struct connack *ack, const struct properties *p)
{
	(void)p;
	note(arg, "connack %02x; ", (unsigned)ack->reason);
}

static bool on_message(void *arg, const struct publish *m)
{
	struct client *c = arg;

	note(c, "%.*s=%.*s; ", (int)m->topic.len, (const char *)m->topic.data, (int)m->payload.len,
	     (const char *)m->payload.data);
	return !c->delays;
}

static void on_answer(void *arg, const struct mqtt_answer *a)
{
	note(arg, "%s %u cookie %u: %02x; ", packet_type_name(a->request), a->packet_id,
	     (unsigned)a->cookie, (unsigned)a->reason);
}

static void on_disconnect(void *arg, enum reason reason, const struct properties *p)
{
	(void)p;
	note(arg, "disconnect %02x; ", (unsigned)reason);
}

static const struct mqtt_events events = {
    .on_connack = on_connack,
    .on_message = on_message,
    .on_answer = on_answer,
    .on_disconnect = on_disconnect,
};

static void init(struct client *c, enum mqtt_version version)
{
	*c = (struct client){.o = {.version = version, .clean_start = true, .resends = true}};
	mqtt_protocol_init(&c->p, &c->o, &events, c);
}

static struct fault input(struct client *c, const char *text)
{
	struct slice bytes = exact_bytes(text);
	struct fault fault = mqtt_protocol_input(&c->p, bytes, 1000);

	slice_free(bytes);
	return fault;
}

static void expect_events(struct client *c, const char *want)
{
	assert_string_equal(c->events, want);
	c->events[0] = '\0';
}

static void open_with(struct client *c, const char *connack)
{
	mqtt_protocol_open(&c->p, SLICE("id"), 0);
	buf_clear(&c->p.out);
	expect_reason("connack", input(c, connack), REASON_OK);
	c->events[0] = '\0';
}

static enum mqtt_result publish(struct client *c, uint8_t qos, const char *payload, uint64_t cookie)
{
	struct publish_out m = {.qos = qos, .topic = SLICE("t"), .payload = slice_of_str(payload)};

	return mqtt_protocol_publish(&c->p, &m, cookie);
}

static void login(void **state)
{
	struct client c;

	(void)state;
	init(&c, MQTT_3_1_1);
	c.o.keep_alive_s = 60;
	mqtt_protocol_open(&c.p, SLICE("id"), 0);
	expect_bytes("CONNECT", &c.p.out, "10 0e 0004 'MQTT' 04 02 003c 0002 'id'");
	expect_reason("accepted", input(&c, ACCEPTED_V3), REASON_OK);
	assert_int_equal(c.p.state, MQTT_OPEN);
	expect_reason("again", input(&c, ACCEPTED_V3), REASON_PROTOCOL_ERROR);
	assert_int_equal(c.p.state, MQTT_ENDED);
	mqtt_protocol_close(&c.p);
	mqtt_protocol_open(&c.p, SLICE("id"), 0);
	expect_reason("refused", input(&c, "20 02 00 05"), REASON_NOT_AUTHORIZED);
	mqtt_protocol_close(&c.p);
	mqtt_protocol_open(&c.p, SLICE("id"), 0);
	expect_reason("first packet", input(&c, "d0 00"), REASON_PROTOCOL_ERROR);
	expect_events(&c, "connack 00; connack 87; ");
	mqtt_protocol_fini(&c.p);
}

/* However the bytes are cut, what happens is the same. */
static void every_cut(void **state)
{
	struct slice bytes =
	    exact_bytes(ACCEPTED_V5 " 30 05 0001 'a' 00 'x' 32 07 0001 'b' 0007 00 'y' "
	                            "34 07 0001 'c' 0008 00 'z' 62 02 0008");
	struct client c;

	(void)state;
	for (size_t step = 1; step <= bytes.len; step++) {
		init(&c, MQTT_5_0);
		mqtt_protocol_open(&c.p, SLICE("id"), 0);
		buf_clear(&c.p.out);
		for (size_t at = 0; at < bytes.len; at += step) {
			size_t n = bytes.len - at < step ? bytes.len - at : step;
			struct slice piece = exact_copy(slice_of(bytes.data + at, n));

			expect_reason("piece", mqtt_protocol_input(&c.p, piece, 0), REASON_OK);
			slice_free(piece);
		}
		expect_events(&c, "connack 00; a=x; b=y; c=z; ");
		expect_bytes("acks", &c.p.out, "40 02 0007 50 02 0008 70 02 0008");
		mqtt_protocol_fini(&c.p);
	}
	slice_free(bytes);
}

static void window(void **state)
{
	struct client c;

	(void)state;
	init(&c, MQTT_5_0);
	open_with(&c, "20 06 00 00 03 21 0002"); /* Receive Maximum 2 */
	assert_int_equal(publish(&c, 1, "a", 10), MQTT_DONE);
	assert_int_equal(publish(&c, 2, "b", 11), MQTT_DONE);
	assert_int_equal(publish(&c, 1, "c", 12), MQTT_WINDOW_FULL);
	assert_int_equal(publish(&c, 0, "d", 0), MQTT_DONE);
	buf_clear(&c.p.out);
	expect_reason("PUBREC", input(&c, "50 02 0002"), REASON_OK);
	expect_bytes("PUBREL", &c.p.out, "62 02 0002");
	assert_false(mqtt_protocol_has_window(&c.p));
	expect_reason("PUBCOMP", input(&c, "70 02 0002"), REASON_OK);
	assert_true(mqtt_protocol_has_window(&c.p));
	expect_reason("PUBACK", input(&c, "40 03 0001 87"), REASON_OK);
	expect_reason("nobody's", input(&c, "40 02 0001 40 02 0009 70 02 0002"), REASON_OK);
	expect_events(&c, "PUBLISH 2 cookie 11: 00; PUBLISH 1 cookie 10: 87; ");
	assert_int_equal(mqtt_protocol_in_flight(&c.p), 0);
	mqtt_protocol_fini(&c.p);
}

/* Identifiers go round, past 0, with one that stays in use behind the others until they meet it. */
static void identifiers(void **state)
{
	struct client c;
	unsigned answers = 0;

	(void)state;
	init(&c, MQTT_3_1_1);
	open_with(&c, ACCEPTED_V3);
	for (unsigned i = 0; i < 140000; i++) {
		uint16_t id = c.p.in_flight.next_id;
		uint8_t ack[] = {0x40, 2, (uint8_t)(id >> 8), (uint8_t)id};

		assert_int_not_equal(id, 0);
		if (publish(&c, 1, "x", i) == MQTT_WINDOW_FULL) { /* it met the one that stays */
			assert_int_equal(mqtt_protocol_in_flight(&c.p), 65535);
			expect_reason("first", input(&c, "40 02 03e8"), REASON_OK);
			assert_int_equal(mqtt_protocol_in_flight(&c.p), 0);
			answers++;
			c.events[0] = '\0';
			continue;
		}
		buf_clear(&c.p.out);
		if (i == 999)
			continue;
		expect_reason("ack", mqtt_protocol_input(&c.p, slice_of(ack, 4), 0), REASON_OK);
		answers += c.events[0] != '\0';
		c.events[0] = '\0';
	}
	assert_int_equal(answers, 139999);
	mqtt_protocol_fini(&c.p);
}

/* With the session, what was in flight comes again with DUP, in order; PUBREL where the message had
 * arrived. [MQTT-4.4.0-1] */
static void resume(void **state)
{
	struct client c;

	(void)state;
	init(&c, MQTT_3_1_1);
	c.o.clean_start = false;
	open_with(&c, ACCEPTED_V3);
	(void)publish(&c, 1, "a", 1);
	(void)publish(&c, 2, "b", 2);
	(void)publish(&c, 2, "c", 3);
	(void)publish(&c, 1, "d", 4);
	expect_reason("acks", input(&c, "50 02 0002 40 02 0004"), REASON_OK);
	expect_events(&c, "PUBLISH 4 cookie 4: 00; ");
	mqtt_protocol_close(&c.p);
	open_with(&c, PRESENT_V3);
	expect_bytes("again", &c.p.out,
	             "3a 06 0001 't' 0001 'a' 62 02 0002 3c 06 0001 't' 0003 'c'");
	expect_reason("acks", input(&c, "40 02 0001 70 02 0002 50 02 0003 70 02 0003"), REASON_OK);
	expect_events(&c,
	              "PUBLISH 1 cookie 1: 00; PUBLISH 2 cookie 2: 00; PUBLISH 3 cookie 3: 00; ");
	assert_int_equal(mqtt_protocol_in_flight(&c.p), 0);
	mqtt_protocol_fini(&c.p);
}

static void input_at(struct client *c, const char *text, uint64_t now_ms)
{
	struct slice bytes = exact_bytes(text);

	expect_reason(text, mqtt_protocol_input(&c->p, bytes, now_ms), REASON_OK);
	slice_free(bytes);
}

static void reopen(struct client *c, const char *connack, uint64_t now_ms)
{
	mqtt_protocol_close(&c->p);
	mqtt_protocol_open(&c->p, SLICE("id"), now_ms);
	buf_clear(&c->p.out);
	input_at(c, connack, now_ms);
	c->events[0] = '\0';
}

static void expect_out(struct client *c, const char *name, const char *want)
{
	expect_bytes(name, &c->p.out, want);
	buf_clear(&c->p.out);
}

/* The server that is there now may permit fewer than the one before: the rest follows its
 * acknowledgements, in order, and nothing new goes before it. [MQTT5-3.3.4-7] [MQTT-4.6.0-1] */
static void resume_with_a_smaller_window(void **state)
{
	struct client c;

	(void)state;
	init(&c, MQTT_5_0);
	c.o.session_expiry_s = 60;
	open_with(&c, ACCEPTED_V5);
	for (uint8_t i = 0; i < 5; i++)
		(void)publish(&c, i == 1 ? 2 : 1, (const char[]){(char)('a' + i), '\0'}, i);
	input_at(&c, "50 02 0002", 0);
	reopen(&c, "20 06 01 00 03 21 0002", 0);
	expect_out(&c, "two, and the PUBREL", "3a 07 0001 't' 0001 00 'a' 62 02 0002");
	assert_false(mqtt_protocol_has_window(&c.p));
	assert_int_equal(publish(&c, 1, "x", 9), MQTT_WINDOW_FULL);
	input_at(&c, "40 02 0001", 0);
	expect_out(&c, "one for one", "3a 07 0001 't' 0003 00 'c'");
	reopen(&c, "20 06 01 00 03 21 0001", 0); /* lost in the middle, and smaller still */
	expect_out(&c, "again", "62 02 0002");
	input_at(&c, "70 02 0002", 0);
	expect_out(&c, "the next", "3a 07 0001 't' 0003 00 'c'");
	input_at(&c, "40 02 0003", 0);
	expect_out(&c, "the next", "3a 07 0001 't' 0004 00 'd'");
	input_at(&c, "40 02 0004", 0);
	expect_out(&c, "the last", "3a 07 0001 't' 0005 00 'e'");
	assert_int_equal(c.p.in_flight.held, 0);
	input_at(&c, "40 02 0005", 0);
	assert_true(mqtt_protocol_has_window(&c.p));
	assert_int_equal(mqtt_protocol_in_flight(&c.p), 0);
	mqtt_protocol_fini(&c.p);
}

static void publish_for(struct client *c, const char *payload, uint32_t expiry_s, uint64_t now_ms)
{
	struct buf block = {0};
	struct publish_out m = {.qos = 1, .topic = SLICE("t"), .payload = slice_of_str(payload)};

	property_put_number(&block, PROPERTY_PAYLOAD_FORMAT, 1);
	property_put_number(&block, PROPERTY_MESSAGE_EXPIRY, expiry_s);
	m.forwarded = buf_slice(&block);
	assert_int_equal(mqtt_protocol_publish(&c->p, &m, expiry_s), MQTT_DONE);
	mqtt_protocol_sent(&c->p, now_ms);
	buf_clear(&c->p.out);
	buf_fini(&block);
}

/* What waits here gets older here. Of a session that goes on nothing may be left out: the server
 * ends it. [MQTT-4.4.0-1] [MQTT5-3.3.2-6] */
static void resume_with_less_time(void **state)
{
	struct client c;

	(void)state;
	init(&c, MQTT_5_0);
	c.o.session_expiry_s = 600;
	open_with(&c, ACCEPTED_V5);
	publish_for(&c, "a", 60, 1000);
	publish_for(&c, "b", 90, 2000);
	(void)publish(&c, 1, "c", 3);
	reopen(&c, "20 03 01 00 00", 32999);
	expect_out(
	    &c, "half a minute later",
	    "3a 0e 0001 't' 0001 07 02 0000001d 01 01 'a' 3a 0e 0001 't' 0002 07 02 0000003c "
	    "01 01 'b' 3a 07 0001 't' 0003 00 'c'");
	reopen(&c, "20 03 01 00 00", 61000);
	expect_out(
	    &c, "the first has none left",
	    "3a 0e 0001 't' 0001 07 02 00000000 01 01 'a' 3a 0e 0001 't' 0002 07 02 0000001f "
	    "01 01 'b' 3a 07 0001 't' 0003 00 'c'");
	mqtt_protocol_close(&c.p);
	mqtt_protocol_open(&c.p, SLICE("id"), 61000);
	buf_clear(&c.p.out);
	input_at(&c, ACCEPTED_V5, 61000);
	expect_events(&c, "PUBLISH 1 cookie 60: 80; connack 00; ");
	expect_out(&c, "a server that knows nothing of it",
	           "32 0e 0001 't' 0002 07 02 0000001f 01 01 'b' 32 07 0001 't' 0003 00 'c'");
	assert_int_equal(mqtt_protocol_in_flight(&c.p), 2);
	mqtt_protocol_fini(&c.p);
}

static void publish_some(struct client *c)
{
	struct publish_out retained = {
	    .qos = 1, .retain = true, .topic = SLICE("t"), .payload = SLICE("c")};

	(void)publish(c, 2, "a", 1);
	(void)publish(c, 1, "b", 2);
	assert_int_equal(mqtt_protocol_publish(&c->p, &retained, 3), MQTT_DONE);
	(void)publish(c, 1, "large", 4);
	(void)publish(c, 2, "e", 5);
	(void)publish(c, 1, "f", 6);
	input_at(c, "50 02 0005", 0); /* e has arrived */
	buf_clear(&c->p.out);
}

/* The server takes less now. What it does not take is given up, the rest goes on in order; PUBREL
 * is no message. [MQTT5-3.2.2-11] [MQTT5-3.2.2-14] [MQTT5-3.2.2-15] */
static void resume_with_lower_limits(void **state)
{
	static const struct {
		const char *name, *connack, *events, *out;
	} rows[] = {
	    {"no QoS 2", "20 05 01 00 02 24 01", "PUBLISH 1 cookie 1: 9b; connack 00; ",
	     "62 02 0001 3a 07 0001 't' 0002 00 'b' 3b 07 0001 't' 0003 00 'c' "
	     "3a 0b 0001 't' 0004 00 'large' 62 02 0005 3a 07 0001 't' 0006 00 'f'"},
	    {"only QoS 0", "20 05 01 00 02 24 00",
	     "PUBLISH 1 cookie 1: 9b; PUBLISH 2 cookie 2: 9b; PUBLISH 3 cookie 3: 9b; "
	     "PUBLISH 4 cookie 4: 9b; PUBLISH 6 cookie 6: 9b; connack 00; ",
	     "62 02 0001 62 02 0005"},
	    {"nothing retained", "20 05 01 00 02 25 00", "PUBLISH 3 cookie 3: 9a; connack 00; ",
	     "3c 07 0001 't' 0001 00 'a' 3a 07 0001 't' 0002 00 'b' "
	     "3a 0b 0001 't' 0004 00 'large' 62 02 0005 3a 07 0001 't' 0006 00 'f'"},
	    {"twelve bytes", "20 08 01 00 05 27 0000000c", "PUBLISH 4 cookie 4: 95; connack 00; ",
	     "3c 07 0001 't' 0001 00 'a' 3a 07 0001 't' 0002 00 'b' 3b 07 0001 't' 0003 00 'c' "
	     "62 02 0005 3a 07 0001 't' 0006 00 'f'"},
	    {"thirteen bytes", "20 08 01 00 05 27 0000000d", "connack 00; ",
	     "3c 07 0001 't' 0001 00 'a' 3a 07 0001 't' 0002 00 'b' 3b 07 0001 't' 0003 00 'c' "
	     "3a 0b 0001 't' 0004 00 'large' 62 02 0005 3a 07 0001 't' 0006 00 'f'"},
	    {"a new session", "20 05 00 00 02 24 01",
	     "PUBLISH 5 cookie 5: 00; PUBLISH 1 cookie 1: 9b; connack 00; ",
	     "32 07 0001 't' 0002 00 'b' 33 07 0001 't' 0003 00 'c' "
	     "32 0b 0001 't' 0004 00 'large' 32 07 0001 't' 0006 00 'f'"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct client c;

		init(&c, MQTT_5_0);
		c.o.session_expiry_s = 60;
		open_with(&c, ACCEPTED_V5);
		publish_some(&c);
		mqtt_protocol_close(&c.p);
		mqtt_protocol_open(&c.p, SLICE("id"), 0);
		buf_clear(&c.p.out);
		c.events[0] = '\0';
		input_at(&c, rows[i].connack, 0);
		expect_events(&c, rows[i].events);
		expect_out(&c, rows[i].name, rows[i].out);
		/* Identifiers of what was given up do not come again; their PUBCOMP is no fault. */
		input_at(&c, "70 02 0001", 0);
		assert_int_equal(c.p.in_flight.held, 0);
		mqtt_protocol_fini(&c.p);
	}
}

/* Without it, as the first time; what the server had received is done. */
static void new_session(void **state)
{
	struct client c;

	(void)state;
	init(&c, MQTT_3_1_1);
	open_with(&c, ACCEPTED_V3);
	(void)publish(&c, 2, "a", 1);
	(void)publish(&c, 1, "b", 2);
	expect_reason("PUBREC", input(&c, "50 02 0001"), REASON_OK);
	mqtt_protocol_close(&c.p);
	mqtt_protocol_open(&c.p, SLICE("id"), 0);
	buf_clear(&c.p.out);
	expect_reason("new", input(&c, ACCEPTED_V3), REASON_OK);
	expect_events(&c, "PUBLISH 1 cookie 1: 00; connack 00; ");
	expect_bytes("first time", &c.p.out, "32 06 0001 't' 0002 'b'");
	mqtt_protocol_fini(&c.p);
}

/* QoS 2 comes once, also over a new connection; an identifier that is not known is said so. */
static void exactly_once(void **state)
{
	struct client c;

	(void)state;
	init(&c, MQTT_5_0);
	c.o.session_expiry_s = 60;
	open_with(&c, ACCEPTED_V5);
	expect_reason("twice", input(&c, "34 07 0001 'a' 0005 00 'x' 3c 07 0001 'a' 0005 00 'x'"),
	              REASON_OK);
	expect_bytes("PUBREC", &c.p.out, "50 02 0005 50 02 0005");
	mqtt_protocol_close(&c.p);
	open_with(&c, "20 03 01 00 00");
	expect_reason("again", input(&c, "3c 07 0001 'a' 0005 00 'x' 62 02 0005 62 02 0005"),
	              REASON_OK);
	expect_bytes("PUBCOMP", &c.p.out, "50 02 0005 70 02 0005 70 03 0005 92");
	expect_events(&c, "");
	mqtt_protocol_fini(&c.p);
}

static void later(void **state)
{
	struct client c;

	(void)state;
	init(&c, MQTT_5_0);
	c.delays = true;
	open_with(&c, ACCEPTED_V5);
	expect_reason("message", input(&c, "32 07 0001 'a' 0005 00 'x'"), REASON_OK);
	assert_int_equal(c.p.out.len, 0);
	mqtt_protocol_acknowledge(&c.p, 1, 5, REASON_NOT_AUTHORIZED);
	expect_bytes("PUBACK", &c.p.out, "40 03 0005 87");
	mqtt_protocol_fini(&c.p);
}

static void limits(void **state)
{
	struct publish_out alias = {.topic = SLICE("t"), .topic_alias = 1};
	struct publish_out retained = {.topic = SLICE("t"), .retain = true};
	struct client c;

	(void)state;
	init(&c, MQTT_5_0);
	assert_int_equal(publish(&c, 0, "x", 0), MQTT_NOT_OPEN);
	open_with(&c, "20 0c 00 00 09 24 01 25 00 27 0000000a");
	assert_int_equal(publish(&c, 2, "x", 0), MQTT_QOS_TOO_HIGH);
	assert_int_equal(publish(&c, 0, "12345", 0), MQTT_TOO_LARGE);
	assert_int_equal(publish(&c, 0, "1234", 0), MQTT_DONE);
	assert_int_equal(mqtt_protocol_publish(&c.p, &retained, 0), MQTT_NO_RETAINING);
	assert_int_equal(mqtt_protocol_publish(&c.p, &alias, 0), MQTT_ALIAS_TOO_HIGH);
	mqtt_protocol_fini(&c.p);
}

/* Aliases of the server: [MQTT5-3.3.2-7] [MQTT5-3.1.2-26]. */
static void aliases(void **state)
{
	static const struct {
		const char *name, *bytes;
		enum reason want;
	} rows[] = {
	    {"above the maximum", "30 08 0001 'a' 03 23 0003 'x'", REASON_TOPIC_ALIAS_INVALID},
	    {"zero", "30 08 0001 'a' 03 23 0000 'x'", REASON_TOPIC_ALIAS_INVALID},
	    {"of the connection before", "30 07 0000 03 23 0001 'x'", REASON_PROTOCOL_ERROR},
	    {"never set", "30 07 0000 03 23 0002 'x'", REASON_PROTOCOL_ERROR},
	};
	struct client c;

	(void)state;
	init(&c, MQTT_5_0);
	c.o.topic_alias_maximum = 2;
	for (size_t i = 0; i < COUNT(rows); i++) {
		mqtt_protocol_open(&c.p, SLICE("id"), 0);
		expect_bytes("CONNECT", &c.p.out,
		             "10 12 0004 'MQTT' 05 02 0000 03 22 0002 0002 'id'");
		buf_clear(&c.p.out);
		expect_reason("connack", input(&c, ACCEPTED_V5), REASON_OK);
		expect_reason("other", input(&c, "30 07 0000 03 23 0001 'x'"),
		              REASON_PROTOCOL_ERROR);
		mqtt_protocol_close(&c.p);
		open_with(&c, ACCEPTED_V5);
		expect_reason("set", input(&c, "30 09 0002 'aa' 03 23 0001 '1'"), REASON_OK);
		expect_reason("used", input(&c, "32 09 0000 0007 03 23 0001 '2'"), REASON_OK);
		expect_reason("again", input(&c, "30 08 0001 'b' 03 23 0001 '3'"), REASON_OK);
		expect_reason("used", input(&c, "30 07 0000 03 23 0001 '4'"), REASON_OK);
		expect_reason("last", input(&c, "30 08 0001 'z' 03 23 0002 '5'"), REASON_OK);
		expect_events(&c, "aa=1; aa=2; b=3; b=4; z=5; ");
		mqtt_protocol_close(&c.p);
		open_with(&c, ACCEPTED_V5);
		expect_reason(rows[i].name, input(&c, rows[i].bytes), rows[i].want);
		expect_events(&c, "");
		mqtt_protocol_close(&c.p);
	}
	mqtt_protocol_fini(&c.p);
}

static void subscriptions(void **state)
{
	const struct subscribe_entry entry = {SLICE("a/#"), {.qos = 1}};
	struct client c;

	(void)state;
	init(&c, MQTT_5_0);
	open_with(&c, ACCEPTED_V5);
	assert_int_equal(mqtt_protocol_subscribe(&c.p, &entry, 1, SLICE_EMPTY, 5), MQTT_DONE);
	expect_bytes("SUBSCRIBE", &c.p.out, "82 09 0001 00 0003 'a/#' 01");
	assert_int_equal(mqtt_protocol_unsubscribe(&c.p, &entry.filter, 1, SLICE_EMPTY, 6),
	                 MQTT_DONE);
	expect_bytes("UNSUBSCRIBE", &c.p.out, "a2 08 0002 00 0003 'a/#'");
	expect_reason("acks", input(&c, "90 04 0001 00 87 b0 04 0002 00 00"), REASON_OK);
	expect_events(&c, "SUBSCRIBE 1 cookie 5: 87; UNSUBSCRIBE 2 cookie 6: 00; ");
	mqtt_protocol_fini(&c.p);
}

static void keep_alive(void **state)
{
	struct client c;

	(void)state;
	init(&c, MQTT_5_0);
	c.o.keep_alive_s = 60;
	open_with(&c, "20 06 00 00 03 13 001e"); /* Server Keep Alive 30 s */
	mqtt_protocol_sent(&c.p, 1000);
	assert_int_equal(mqtt_protocol_due_ms(&c.p), 31000);
	expect_reason("early", mqtt_protocol_tick(&c.p, 30999), REASON_OK);
	assert_int_equal(c.p.out.len, 0);
	expect_reason("due", mqtt_protocol_tick(&c.p, 31000), REASON_OK);
	expect_bytes("PINGREQ", &c.p.out, "c0 00");
	mqtt_protocol_sent(&c.p, 31000);
	assert_int_equal(mqtt_protocol_due_ms(&c.p), 46000);
	expect_reason("silence", mqtt_protocol_tick(&c.p, 46000), REASON_KEEP_ALIVE_TIMEOUT);
	expect_reason("PINGRESP", input(&c, "d0 00"), REASON_OK);
	assert_int_equal(mqtt_protocol_due_ms(&c.p), 61000);
	mqtt_protocol_fini(&c.p);
}

/* What a server must not send. */
static void faults(void **state)
{
	static const struct {
		const char *name, *bytes;
		enum reason want;
	} rows[] = {
	    {"CONNECT", "10 00", REASON_PROTOCOL_ERROR},
	    {"SUBSCRIBE", "82 00", REASON_PROTOCOL_ERROR},
	    {"PINGREQ", "c0 00", REASON_PROTOCOL_ERROR},
	    {"type 0", "00 00", REASON_PROTOCOL_ERROR},
	    {"AUTH that nobody asked for", "f0 00", REASON_PROTOCOL_ERROR},
	    {"alias that nobody offered", "30 07 0001 'a' 03 23 0001", REASON_TOPIC_ALIAS_INVALID},
	    {"QoS 3", "36 07 0001 'a' 0001 00 'x'", REASON_MALFORMED},
	    {"length of five bytes", "30 ffffffff01", REASON_MALFORMED},
	    {"larger than permitted", "30 8108", REASON_PACKET_TOO_LARGE},
	};
	struct client c;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		init(&c, MQTT_5_0);
		c.o.max_packet_bytes = 1024;
		open_with(&c, ACCEPTED_V5);
		expect_reason(rows[i].name, input(&c, rows[i].bytes), rows[i].want);
		assert_int_equal(c.p.out.data[0], PACKET_DISCONNECT << 4);
		assert_int_equal(c.p.out.data[2], rows[i].want);
		mqtt_protocol_fini(&c.p);
	}
	init(&c, MQTT_5_0);
	open_with(&c, ACCEPTED_V5);
	expect_reason("DISCONNECT", input(&c, "e0 01 8e 30 04 0001 'a' 00"), REASON_OK);
	expect_events(&c, "disconnect 8e; ");
	assert_int_equal(c.p.state, MQTT_ENDED);
	mqtt_protocol_fini(&c.p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(login),
	    cmocka_unit_test(every_cut),
	    cmocka_unit_test(window),
	    cmocka_unit_test(identifiers),
	    cmocka_unit_test(resume_with_a_smaller_window),
	    cmocka_unit_test(resume_with_less_time),
	    cmocka_unit_test(resume_with_lower_limits),
	    cmocka_unit_test(resume),
	    cmocka_unit_test(new_session),
	    cmocka_unit_test(exactly_once),
	    cmocka_unit_test(later),
	    cmocka_unit_test(limits),
	    cmocka_unit_test(aliases),
	    cmocka_unit_test(subscriptions),
	    cmocka_unit_test(keep_alive),
	    cmocka_unit_test(faults),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("mqtt protocol", tests, NULL, NULL);
}
