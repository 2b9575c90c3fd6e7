/* What the disk costs: publishers with QoS 1 to a session that is kept, connected or away, as fast
 * as they can or at a fixed rate; each message's time to its PUBACK.  The commits behind it are
 * counted by the store's note, whose first number is that of the last transaction. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "client.h"
#include "proto/packet_ack.h"
#include "proto/packet_publish.h"

enum { TOPIC_SIZE = 48, DEPTH_MAX = 1024, FLOOR_ROUNDS = 1000, FLOOR_BYTES = 16384 };

struct writer {
	struct client client;
	struct kept *kept;
	uint64_t sent;
	uint64_t sent_ns[DEPTH_MAX], due_ns[DEPTH_MAX]; /* by packet identifier */
	char topic[TOPIC_SIZE];
};

struct latencies {
	uint64_t *ns;
	size_t count, cap;
};

struct kept {
	const struct options *options;
	struct pool pool;
	struct client subscriber;
	struct writer *writers;
	size_t turn; /* whose turn it is, at a fixed rate */
	uint8_t *payload;
	uint64_t acked, subscribed;
	bool measuring;
	struct latencies from_sent, from_due;
};

/* --- numbers --- */

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static double percentile_us(uint64_t *ns, size_t count, unsigned percent)
{
	if (count == 0)
		return 0;
	qsort(ns, count, sizeof(*ns), compare);
	return (double)ns[count * percent / 100] / 1000;
}

static void add_latency(struct latencies *l, uint64_t ns)
{
	if (l->count == l->cap) {
		l->cap = l->cap == 0 ? 65536 : l->cap * 2;
		l->ns = xrealloc_array(l->ns, l->cap, sizeof(*l->ns));
	}
	l->ns[l->count++] = ns;
}

static void note_latency(struct writer *w, uint16_t packet_id)
{
	uint64_t now_ns = clock_monotonic_ns();
	struct kept *k = w->kept;

	if (!k->measuring)
		return;
	add_latency(&k->from_sent, now_ns - w->sent_ns[packet_id - 1]);
	if (k->options->rate > 0)
		add_latency(&k->from_due, now_ns - w->due_ns[packet_id - 1]);
}

static uint64_t transactions(const struct options *o)
{
	uint8_t bytes[8] = {0};
	struct reader r = reader_of(slice_of(bytes, sizeof(bytes)));
	int fd = o->note == NULL ? -1 : open(o->note, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && read(fd, bytes, sizeof(bytes)) != (ssize_t)sizeof(bytes))
		die("cannot read %s", o->note);
	if (fd >= 0)
		close(fd);
	return read_u64(&r);
}

/* --- what clients do --- */

static void on_subscriber_packet(struct client *c, const struct frame *f)
{
	struct reader r = reader_of(f->body);
	struct kept *k = c->owner;

	if (f->type == PACKET_SUBACK)
		k->subscribed++;
	if (f->type != PACKET_PUBLISH || (f->flags & 6) == 0)
		return;
	(void)read_string(&r);
	packet_ack_encode(&c->out, (enum mqtt_version)c->pool->options->version, PACKET_PUBACK,
	                  read_u16(&r), REASON_SUCCESS, SLICE_EMPTY);
	client_touch(c);
}

/* due_ns: when it should have been sent. */
static void publish(struct writer *w, uint64_t due_ns)
{
	struct kept *k = w->kept;
	const struct options *o = k->options;
	uint64_t at = w->sent++ % o->depth;
	struct publish_out p = {.version = o->version == 5 ? MQTT_5_0 : MQTT_3_1_1,
	                        .qos = 1,
	                        .packet_id = (uint16_t)(at + 1),
	                        .topic = slice_of_str(w->topic),
	                        .payload = slice_of(k->payload, o->payload_bytes)};

	w->sent_ns[at] = clock_monotonic_ns();
	w->due_ns[at] = due_ns;
	packet_publish_encode(&w->client.out, &p);
	client_touch(&w->client);
}

static void on_writer_packet(struct client *c, const struct frame *f)
{
	struct writer *w = c->owner;
	struct reader r = reader_of(f->body);

	if (f->type != PACKET_PUBACK)
		return;
	note_latency(w, read_u16(&r));
	c->acked++;
	w->kept->acked++;
	if (w->kept->options->rate == 0)
		publish(w, 0);
}

/* --- phases --- */

/* As many as are due by now, by whoever has none on its way. */
static void publish_due(struct kept *k, uint64_t start_ns, uint64_t *published)
{
	uint64_t due = (clock_monotonic_ns() - start_ns) * k->options->rate / 1000000000;

	for (size_t tries = 0; *published < due && tries < k->options->clients; tries++) {
		struct writer *w = &k->writers[k->turn++ % k->options->clients];

		if (w->sent - w->client.acked >= k->options->depth)
			continue;
		publish(w, start_ns + *published * 1000000000 / k->options->rate);
		++*published;
	}
}

static void run_for(struct kept *k, uint64_t ms)
{
	uint64_t start_ns = clock_monotonic_ns(), published = 0;

	while (clock_monotonic_ns() - start_ns < ms * 1000000) {
		if (k->options->rate > 0)
			publish_due(k, start_ns, &published);
		pool_turn(&k->pool, k->options->rate > 0 ? 0 : 10);
	}
}

static void begin(struct kept *k)
{
	static const char filter[] = "bench/kept/#";
	const char *const filters[] = {filter};

	client_init(&k->subscriber, &k->pool, "kept", 0);
	k->subscriber.persistent = true;
	k->subscriber.on_packet = on_subscriber_packet;
	k->subscriber.owner = k;
	clients_open(&k->pool, &k->subscriber, 1);
	client_put_subscribe(&k->subscriber, 1, filters, 1, 1);
	while (k->subscribed == 0)
		pool_turn(&k->pool, -1);
	if (k->options->subscribers == 0) {
		client_leave(&k->subscriber);
		while (k->pool.left == 0)
			pool_turn(&k->pool, -1);
	}
	for (size_t i = 0; i < k->options->clients; i++) {
		struct writer *w = &k->writers[i];

		client_init(&w->client, &k->pool, "writer", i);
		w->client.on_packet = on_writer_packet;
		w->client.owner = w;
		w->kept = k;
		snprintf(w->topic, sizeof(w->topic), "bench/kept/d%zu", i);
		clients_open(&k->pool, &w->client, 1);
	}
}

static void measure(struct kept *k)
{
	const struct options *o = k->options;
	uint64_t cpu, start_ns, before, commits;
	double seconds;

	cpu = usage_cpu_ns((pid_t)o->pid);
	commits = transactions(o);
	before = k->acked;
	start_ns = clock_monotonic_ns();
	k->measuring = true;
	run_for(k, o->measure_ms);
	seconds = (double)(clock_monotonic_ns() - start_ns) / 1e9;
	cpu = usage_cpu_ns((pid_t)o->pid) - cpu;
	commits = transactions(o) - commits;
	report("messages_per_s", (double)(k->acked - before) / seconds);
	report("cpu_us_per_message", (double)cpu / 1000 / (double)(k->acked - before));
	report("commits_per_s", (double)commits / seconds);
	report("messages_per_commit",
	       commits == 0 ? 0 : (double)(k->acked - before) / (double)commits);
	report("ack_p50_us", percentile_us(k->from_sent.ns, k->from_sent.count, 50));
	report("ack_p99_us", percentile_us(k->from_sent.ns, k->from_sent.count, 99));
	if (o->rate > 0)
		report("due_p99_us", percentile_us(k->from_due.ns, k->from_due.count, 99));
}

void run_kept(const struct options *o)
{
	struct kept k = {.options = o};

	if (o->depth == 0 || o->depth > DEPTH_MAX)
		die("depth: 1 to %d", DEPTH_MAX);
	pool_init(&k.pool, o);
	k.payload = xcalloc(1, o->payload_bytes + 1);
	k.writers = xcalloc(o->clients, sizeof(*k.writers));
	begin(&k);
	for (size_t i = 0; o->rate == 0 && i < o->clients; i++) {
		for (uint64_t n = 0; n < o->depth; n++)
			publish(&k.writers[i], 0);
	}
	run_for(&k, o->warm_ms);
	measure(&k);
	for (size_t i = 0; i < o->clients; i++)
		client_fini(&k.writers[i].client);
	client_fini(&k.subscriber);
	free(k.writers);
	free(k.payload);
	free(k.from_sent.ns);
	free(k.from_due.ns);
	pool_fini(&k.pool);
}

/* --- no broker --- */

/* What a commit must take: some pages, flushed, and a meta page through a descriptor that waits. */
void run_disk(const struct options *o)
{
	static uint8_t pages[FLOOR_BYTES];
	uint64_t ns[FLOOR_ROUNDS], start_ns = clock_monotonic_ns();
	int data = open(o->note, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int meta = open(o->note, O_RDWR | O_DSYNC | O_CLOEXEC);

	if (data < 0 || meta < 0)
		die("cannot open %s", o->note);
	for (unsigned i = 0; i < FLOOR_ROUNDS; i++) {
		uint64_t one_ns = clock_monotonic_ns();

		if (pwrite(data, pages, sizeof(pages), (off_t)(1 + i % 64) * FLOOR_BYTES) < 0 ||
		    fdatasync(data) != 0 || pwrite(meta, pages, 4096, 0) < 0)
			die("cannot write %s", o->note);
		ns[i] = clock_monotonic_ns() - one_ns;
	}
	report("commits_per_s", FLOOR_ROUNDS / ((double)(clock_monotonic_ns() - start_ns) / 1e9));
	report("p50_us", percentile_us(ns, FLOOR_ROUNDS, 50));
	report("p99_us", percentile_us(ns, FLOOR_ROUNDS, 99));
	close(meta);
	close(data);
}
