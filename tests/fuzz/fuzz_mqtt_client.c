/* What a server sends, through the client's state machine: all at once, and in pieces. Both end in
 * the same state with the same bytes put out.
 * Input: a byte of flags (5.0, requests before, a second connection, aliases offered), a byte for
 * the size of pieces, then the server's bytes. */
#include <stdint.h>
#include <stdlib.h>

#include "base/require.h"
#include "mqtt/mqtt_protocol.h"
#include "proto/topic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum flag {
	FLAG_V5 = 1,
	FLAG_REQUESTS = 2,
	FLAG_AGAIN = 4, /* a second connection gets the same bytes */
	FLAG_ALIASES = 8,
};

struct client {
	struct mqtt_protocol p;
	struct buf out;
	size_t messages, answers;
	struct buf topics; /* of all messages: aliases too mean the same in pieces */
};

static bool on_message(void *arg, const struct publish *m)
{
	struct client *c = arg;

	REQUIRE(topic_name_valid(m->topic) && m->qos <= 2 && (m->qos == 0) == (m->packet_id == 0));
	REQUIRE(m->properties.topic_alias <= c->p.options->topic_alias_maximum);
	buf_put_slice(&c->topics, m->topic);
	c->messages++;
	return true;
}

static void on_answer(void *arg, const struct mqtt_answer *a)
{
	struct client *c = arg;

	REQUIRE(a->packet_id != 0 && a->properties != NULL);
	c->answers++;
}

static const struct mqtt_events events = {.on_message = on_message, .on_answer = on_answer};

static void put_requests(struct client *c)
{
	struct publish_out message = {.topic = SLICE("t"), .payload = SLICE("payload")};
	const struct subscribe_entry entry = {.filter = SLICE("#")};

	for (uint8_t qos = 0; qos <= 2; qos++) {
		message.qos = qos;
		(void)mqtt_protocol_publish(&c->p, &message, qos);
	}
	(void)mqtt_protocol_subscribe(&c->p, &entry, 1, SLICE_EMPTY, 9);
}

static void connect_once(struct client *c, struct slice bytes, size_t piece, bool requests)
{
	static const uint8_t accepted_v5[] = {0x20, 3, 0, 0, 0}, accepted_v3[] = {0x20, 2, 0, 0};
	bool is_v5 = c->p.options->version == MQTT_5_0;

	mqtt_protocol_open(&c->p, SLICE("id"), 0);
	if (requests) {
		REQUIRE(fault_is_none(mqtt_protocol_input(
		    &c->p, is_v5 ? slice_of(accepted_v5, 5) : slice_of(accepted_v3, 4), 0)));
		put_requests(c);
	}
	while (bytes.len > 0) {
		size_t n = bytes.len < piece ? bytes.len : piece;

		if (!fault_is_none(mqtt_protocol_input(&c->p, slice_of(bytes.data, n), 0)))
			REQUIRE(c->p.state == MQTT_ENDED);
		bytes = slice_skip(bytes, n);
	}
	buf_put_slice(&c->out, buf_slice(&c->p.out));
	REQUIRE(c->p.in_flight.publishing <= c->p.in_flight.count && c->answers <= 8);
	mqtt_protocol_close(&c->p);
}

static void run_client(struct client *c, const struct mqtt_options *options, struct slice bytes,
                       size_t piece, uint8_t flags)
{
	mqtt_protocol_init(&c->p, options, &events, c);
	connect_once(c, bytes, piece, (flags & FLAG_REQUESTS) != 0);
	if ((flags & FLAG_AGAIN) != 0)
		connect_once(c, bytes, piece, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mqtt_options options = {
	    .resends = true, .clean_start = false, .max_packet_bytes = 4096};
	struct client whole = {0}, cut = {0};
	struct slice bytes;

	if (size < 2)
		return 0;
	options.version = (data[0] & FLAG_V5) != 0 ? MQTT_5_0 : MQTT_3_1_1;
	options.session_expiry_s = 60;
	options.topic_alias_maximum = (data[0] & FLAG_ALIASES) != 0 ? 3 : 0;
	bytes = slice_of(data + 2, size - 2);
	run_client(&whole, &options, bytes, SIZE_MAX, data[0]);
	run_client(&cut, &options, bytes, (size_t)data[1] + 1, data[0]);
	REQUIRE(slice_equal(buf_slice(&whole.out), buf_slice(&cut.out)));
	REQUIRE(slice_equal(buf_slice(&whole.topics), buf_slice(&cut.topics)));
	REQUIRE(whole.messages == cut.messages && whole.answers == cut.answers);
	mqtt_protocol_fini(&whole.p);
	mqtt_protocol_fini(&cut.p);
	buf_fini(&whole.out);
	buf_fini(&cut.out);
	buf_fini(&whole.topics);
	buf_fini(&cut.topics);
	return 0;
}
