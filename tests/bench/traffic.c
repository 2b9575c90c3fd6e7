/* Continuous traffic: flows of one publisher and its subscribers.  A publisher sends a bunch of
 * messages in one write when an earlier one has arrived everywhere (with QoS 1: and is
 * acknowledged). A bunch of one, one at a time, is the single message that wakes everybody. */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/require.h"
#include "client.h"
#include "proto/packet_ack.h"
#include "proto/packet_publish.h"

enum { DEPTH_MAX = 64 };

struct flow {
	struct client publisher;
	struct client *subscribers;
	struct traffic *traffic;
	struct buf bunch; /* encoded once; with QoS 1 the packet identifiers are patched */
	size_t packet_bytes, packet_id_at;
	uint16_t packet_id;
	uint64_t sent, done;          /* bunches */
	unsigned arrivals[DEPTH_MAX]; /* parties that have all of a bunch */
	char topic[48];
};

struct traffic {
	const struct options *options;
	struct pool pool;
	struct flow *flows;
	unsigned parties; /* of a flow, who each get or acknowledge every message */
	uint64_t subscribed, in, out;
};

static void encode_bunch(struct flow *f)
{
	const struct options *o = f->traffic->options;
	uint8_t *payload = xcalloc(1, o->payload_bytes + 1);
	struct publish_out p = {.version = o->version == 5 ? MQTT_5_0 : MQTT_3_1_1,
	                        .qos = (uint8_t)o->qos,
	                        .packet_id = 1,
	                        .topic = slice_of_str(f->topic),
	                        .payload = slice_of(payload, o->payload_bytes)};

	for (uint64_t i = 0; i < o->payload_bytes; i++)
		payload[i] = (uint8_t)('a' + i % 26);
	for (uint64_t i = 0; i < o->bunch; i++)
		f->packet_id_at = packet_publish_encode(&f->bunch, &p);
	REQUIRE(o->bunch > 0);
	f->packet_bytes = f->bunch.len / o->bunch;
	free(payload);
}

static void patch_packet_ids(struct flow *f)
{
	uint8_t *at = f->bunch.data + f->packet_id_at;

	for (uint64_t i = 0; i < f->traffic->options->bunch; i++, at += f->packet_bytes) {
		if (++f->packet_id == 0)
			f->packet_id = 1;
		at[0] = (uint8_t)(f->packet_id >> 8);
		at[1] = (uint8_t)f->packet_id;
	}
}

static void send_more(struct flow *f)
{
	const struct options *o = f->traffic->options;

	for (; f->sent - f->done < o->depth; f->sent++) {
		if (o->qos > 0)
			patch_packet_ids(f);
		buf_put_slice(&f->publisher.out, buf_slice(&f->bunch));
		client_touch(&f->publisher);
		f->traffic->in += o->bunch;
	}
}

/* One more message has come to, or is acknowledged to, one party; `total` are all of its. */
static void note_one(struct flow *f, uint64_t total)
{
	const struct options *o = f->traffic->options;
	unsigned *arrivals = &f->arrivals[(total / o->bunch - 1) % DEPTH_MAX];

	if (total % o->bunch != 0 || ++*arrivals < f->traffic->parties)
		return;
	*arrivals = 0;
	f->done++;
	send_more(f);
}

static void acknowledge(struct client *c, const struct frame *f)
{
	struct reader r = reader_of(f->body);

	(void)read_string(&r);
	packet_ack_encode(&c->out, (enum mqtt_version)c->pool->options->version, PACKET_PUBACK,
	                  read_u16(&r), REASON_SUCCESS, SLICE_EMPTY);
	client_touch(c);
}

static void on_packet(struct client *c, const struct frame *f)
{
	struct flow *flow = c->owner;

	if (f->type == PACKET_SUBACK) {
		client_check_suback(c, f);
		flow->traffic->subscribed++;
	}
	if (f->type == PACKET_PUBACK)
		note_one(flow, ++c->acked);
	if (f->type != PACKET_PUBLISH)
		return;
	if ((f->flags & 6) != 0)
		acknowledge(c, f);
	flow->traffic->out++;
	note_one(flow, ++c->received);
}

static void open_flow(struct traffic *t, struct flow *f, size_t number)
{
	const struct options *o = t->options;
	const char *filter = f->topic;

	f->traffic = t;
	snprintf(f->topic, sizeof(f->topic), "bench/pair%zu/value", number);
	f->subscribers = xcalloc(o->subscribers, sizeof(*f->subscribers));
	for (size_t i = 0; i < o->subscribers; i++) {
		struct client *c = &f->subscribers[i];

		client_init(c, &t->pool, "sub", number * 1000 + i);
		c->owner = f;
		c->on_packet = on_packet;
	}
	client_init(&f->publisher, &t->pool, "pub", number);
	f->publisher.owner = f;
	f->publisher.on_packet = on_packet;
	clients_open(&t->pool, f->subscribers, o->subscribers);
	clients_open(&t->pool, &f->publisher, 1);
	for (size_t i = 0; i < o->subscribers; i++)
		client_put_subscribe(&f->subscribers[i], 1, &filter, 1, (uint8_t)o->qos);
	encode_bunch(f);
}

static void close_flow(struct traffic *t, struct flow *f)
{
	clients_close(f->subscribers, t->options->subscribers);
	client_fini(&f->publisher);
	free(f->subscribers);
	buf_fini(&f->bunch);
}

static void go_on_until(struct traffic *t, uint64_t until_ms)
{
	uint64_t now_ms;

	while ((now_ms = clock_monotonic_ms()) < until_ms)
		pool_turn(&t->pool, (int)(until_ms - now_ms));
}

static void measure(struct traffic *t)
{
	const struct options *o = t->options;
	uint64_t start = clock_monotonic_ms(), cpu, in, out;
	double messages, used;

	go_on_until(t, start + o->warm_ms);
	in = t->in;
	out = t->out;
	cpu = usage_cpu_ns((pid_t)o->pid);
	go_on_until(t, start + o->warm_ms + o->measure_ms);
	used = (double)(usage_cpu_ns((pid_t)o->pid) - cpu);
	messages = (double)(t->in - in + t->out - out);
	if (messages == 0)
		die("no message arrived in the measured time");
	report("us_per_message", used / 1000 / messages);
	report("messages_per_s", messages * 1000 / (double)o->measure_ms);
	report("broker_busy", used / 1e6 / (double)o->measure_ms);
}

static void check(const struct options *o)
{
	if (o->qos > 1 || o->depth == 0 || o->depth > DEPTH_MAX || o->bunch == 0 || o->pairs == 0 ||
	    o->subscribers == 0 || o->subscribers > 1000)
		die("qos is 0 or 1, depth 1 to %d, subscribers 1 to 1000", DEPTH_MAX);
	if (o->qos == 1 && o->bunch * o->depth > 60000)
		die("more messages on their way than there are packet identifiers");
}

void run_traffic(const struct options *o)
{
	struct traffic t = {.options = o,
	                    .parties = (unsigned)(o->subscribers + (o->qos > 0 ? 1 : 0))};

	check(o);
	pool_init(&t.pool, o);
	t.flows = xcalloc(o->pairs, sizeof(*t.flows));
	for (size_t i = 0; i < o->pairs; i++)
		open_flow(&t, &t.flows[i], i);
	while (t.subscribed < o->pairs * o->subscribers)
		pool_turn(&t.pool, -1);
	for (size_t i = 0; i < o->pairs; i++)
		send_more(&t.flows[i]);
	measure(&t);
	for (size_t i = 0; i < o->pairs; i++)
		close_flow(&t, &t.flows[i]);
	free(t.flows);
	pool_fini(&t.pool);
}
