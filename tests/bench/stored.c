/* What the broker keeps: retained values, and messages for those who are away. */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "client.h"
#include "proto/packet_publish.h"

enum { WINDOW = 500, ROUNDS_MAX = 100, TOPIC_SIZE = 48 };

struct stored {
	const struct options *options;
	struct pool pool;
	struct client publisher, subscriber;
};

static void on_packet(struct client *c, const struct frame *f)
{
	if (f->type == PACKET_SUBACK)
		client_check_suback(c, f);
	if (f->type == PACKET_PUBACK || f->type == PACKET_SUBACK)
		c->acked++;
	if (f->type == PACKET_PUBLISH)
		c->received++;
}

static void open_one(struct stored *s, struct client *c, const char *kind, size_t number)
{
	client_init(c, &s->pool, kind, number);
	c->on_packet = on_packet;
	clients_open(&s->pool, c, 1);
}

static void leave(struct stored *s, struct client *c)
{
	size_t before = s->pool.left;

	client_leave(c);
	while (s->pool.left == before)
		pool_turn(&s->pool, -1);
}

static void subscribe_and_wait(struct stored *s, struct client *c, const char *filter, uint8_t qos)
{
	uint64_t before = c->acked;

	client_put_subscribe(c, 1, &filter, 1, qos);
	while (c->acked == before)
		pool_turn(&s->pool, -1);
}

/* A house: rooms of a hundred devices. */
static void device_topic(char out[TOPIC_SIZE], uint64_t i)
{
	snprintf(out, TOPIC_SIZE, "bench/room%u/device%u", (unsigned)(i / 100),
	         (unsigned)(i % 100));
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

/* --- publishing with QoS 1, each acknowledged --- */

struct batch {
	uint64_t count;
	bool retain;
	const char *topic; /* NULL: that of the device */
};

static void publish_batch(struct stored *s, const struct batch *b)
{
	const struct options *o = s->options;
	struct client *c = &s->publisher;
	uint8_t *payload = xcalloc(1, o->payload_bytes + 1);
	uint64_t before = c->acked, sent = 0;

	while (c->acked - before < b->count) {
		for (; sent < b->count && sent - (c->acked - before) < WINDOW; sent++) {
			char topic[TOPIC_SIZE];
			struct publish_out p = {.version = o->version == 5 ? MQTT_5_0 : MQTT_3_1_1,
			                        .qos = 1,
			                        .retain = b->retain,
			                        .packet_id = (uint16_t)(sent % 60000 + 1),
			                        .payload = slice_of(payload, o->payload_bytes)};

			device_topic(topic, sent);
			p.topic = slice_of_str(b->topic != NULL ? b->topic : topic);
			packet_publish_encode(&c->out, &p);
			client_touch(c);
		}
		pool_turn(&s->pool, -1);
	}
	free(payload);
}

/* --- retained --- */

static void replay_once(struct stored *s, size_t round, double *cpu_ms, double *wall_ms)
{
	uint64_t cpu, start_ns;

	s->subscriber = (struct client){0};
	open_one(s, &s->subscriber, "sub", round);
	cpu = usage_cpu_settled_ns((pid_t)s->options->pid);
	start_ns = clock_monotonic_ns();
	subscribe_and_wait(s, &s->subscriber, "bench/#", 0);
	while (s->subscriber.received < s->options->count)
		pool_turn(&s->pool, -1);
	*wall_ms = (double)(clock_monotonic_ns() - start_ns) / 1e6;
	*cpu_ms = (double)(usage_cpu_settled_ns((pid_t)s->options->pid) - cpu) / 1e6;
	leave(s, &s->subscriber);
}

void run_retained(const struct options *o)
{
	struct stored s = {.options = o};
	double cpu_ms[ROUNDS_MAX], wall_ms[ROUNDS_MAX];

	if (o->rounds == 0 || o->rounds > ROUNDS_MAX)
		die("rounds: 1 to %d", ROUNDS_MAX);
	pool_init(&s.pool, o);
	open_one(&s, &s.publisher, "pub", 0);
	publish_batch(&s, &(struct batch){.count = o->count, .retain = true});
	for (size_t i = 0; i < o->rounds; i++)
		replay_once(&s, i, &cpu_ms[i], &wall_ms[i]);
	report("cpu_ms", median(cpu_ms, o->rounds));
	report("wall_ms", median(wall_ms, o->rounds));
	client_fini(&s.publisher);
	pool_fini(&s.pool);
}

/* --- messages for a client that is away --- */

void run_queue(const struct options *o)
{
	struct stored s = {.options = o};
	struct batch batch = {.count = 1000, .topic = "bench/queue"};
	uint64_t before, after, cpu;

	pool_init(&s.pool, o);
	s.subscriber.persistent = true;
	open_one(&s, &s.subscriber, "away", 0);
	open_one(&s, &s.publisher, "pub", 0);
	subscribe_and_wait(&s, &s.subscriber, batch.topic, 1);
	leave(&s, &s.subscriber);
	publish_batch(&s, &batch); /* what exists once exists now */
	before = usage_resident_bytes((pid_t)o->pid);
	cpu = usage_cpu_settled_ns((pid_t)o->pid);
	batch.count = o->count;
	publish_batch(&s, &batch);
	cpu = usage_cpu_settled_ns((pid_t)o->pid) - cpu;
	after = usage_resident_bytes((pid_t)o->pid);
	report("bytes_per_message", ((double)after - (double)before) / (double)o->count);
	report("us_per_message", (double)cpu / 1000 / (double)o->count);
	client_fini(&s.publisher);
	pool_fini(&s.pool);
}
