/* The client library with many connections on one loop, each of which hears what it publishes:
 *     mqtt_crowd SOCKET CONNECTIONS ROUNDS MESSAGES
 *     mqtt_crowd HOST PORT CA USER PASSWORD CONNECTIONS ROUNDS MESSAGES
 * ROUNDS messages of QoS 1 of each connection, then so many of QoS 0 of one, in bunches. Prints a
 * line of JSON, with what this process used. Anything else ends it with words and status 1. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/require.h"
#include "mqtt/mqtt_connection.h"

enum { AT_ONCE = 50, BUNCH = 100, BUNCHES_UNDER_WAY = 4, PAYLOAD_BYTES = 100 };

enum stage {
	STAGE_COMING, /* connections and subscriptions */
	STAGE_ROUNDS,
	STAGE_BUNCHES,
	STAGE_LEAVING,
};

struct member {
	struct mqtt_connection c;
	struct crowd *crowd;
	uint64_t left; /* messages that are still to be published in this stage */
	char id[32], topic[40];
};

struct crowd {
	struct member *members;
	size_t count, started, ready, gone;
	uint64_t rounds, messages, expected, received, acked;
	enum stage stage;
	uint64_t since_ns, cpu_ns, resident_bytes;
};

static void fail(const char *what, const char *words)
{
	fprintf(stderr, "mqtt_crowd: %s%s\n", what, words);
	exit(1);
}

/* --- what this process has used --- */

static uint64_t cpu_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t resident_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	uint64_t pages = 0;

	if (f == NULL || fscanf(f, "%*u %" SCNu64, &pages) != 1) /* NOLINT(cert-err34-c) */
		fail("no /proc/self/statm", "");
	(void)fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void start_clocks(struct crowd *crowd)
{
	crowd->since_ns = clock_monotonic_ns();
	crowd->cpu_ns = cpu_ns();
	crowd->received = crowd->acked = 0;
}

static void print_figures(const struct crowd *crowd, const char *name, uint64_t messages)
{
	printf("\"%s_ns\": %" PRIu64 ", \"%s_cpu_ns\": %" PRIu64 ", \"%s_messages\": %" PRIu64 ", ",
	       name, clock_monotonic_ns() - crowd->since_ns, name, cpu_ns() - crowd->cpu_ns, name,
	       messages);
}

/* --- stages --- */

static void publish_some(struct member *m, uint8_t qos, uint64_t count)
{
	static const uint8_t payload[PAYLOAD_BYTES];
	struct publish_out message = {.topic = slice_of_str(m->topic),
	                              .qos = qos,
	                              .payload = slice_of(payload, sizeof(payload))};

	for (; count > 0 && m->left > 0; count--, m->left--) {
		if (mqtt_protocol_publish(&m->c.protocol, &message, 0) != MQTT_DONE)
			fail("a message was not taken", "");
	}
	mqtt_connection_flush(&m->c);
}

static void begin_rounds(struct crowd *crowd)
{
	print_figures(crowd, "connect", crowd->count);
	printf("\"bytes_per_connection\": %" PRIu64 ", ",
	       (resident_bytes() - crowd->resident_bytes) / crowd->count);
	crowd->stage = STAGE_ROUNDS;
	crowd->expected = crowd->count * crowd->rounds;
	start_clocks(crowd);
	for (size_t i = 0; i < crowd->count; i++) {
		crowd->members[i].left = crowd->rounds;
		publish_some(&crowd->members[i], 1, 1);
	}
}

static void begin_bunches(struct crowd *crowd)
{
	print_figures(crowd, "rounds", crowd->received);
	crowd->stage = STAGE_BUNCHES;
	crowd->expected = crowd->messages;
	start_clocks(crowd);
	crowd->members[0].left = crowd->messages;
	for (unsigned i = 0; i < BUNCHES_UNDER_WAY; i++)
		publish_some(&crowd->members[0], 0, BUNCH);
}

static void leave_all(struct crowd *crowd)
{
	print_figures(crowd, "bunches", crowd->received);
	crowd->stage = STAGE_LEAVING;
	start_clocks(crowd);
	for (size_t i = 0; i < crowd->count; i++)
		mqtt_connection_stop(&crowd->members[i].c, REASON_SUCCESS);
}

/* Has everything come that this stage waits for? */
static void go_on(struct crowd *crowd)
{
	if (crowd->received < crowd->expected)
		return;
	if (crowd->received > crowd->expected)
		fail("more came than was sent", "");
	if (crowd->stage == STAGE_ROUNDS && crowd->acked == crowd->expected)
		begin_bunches(crowd);
	else if (crowd->stage == STAGE_BUNCHES)
		leave_all(crowd);
}

static void start_some(struct crowd *crowd)
{
	while (crowd->started < crowd->count && crowd->started - crowd->ready < AT_ONCE)
		mqtt_connection_start(&crowd->members[crowd->started++].c);
}

/* --- events --- */

static void on_connack(void *arg, const struct connack *ack, const struct properties *p)
{
	struct member *m = arg;
	const struct subscribe_entry entry = {.filter = slice_of_str(m->topic),
	                                      .options = {.qos = 1}};

	(void)p;
	if (ack->reason == REASON_SUCCESS)
		(void)mqtt_protocol_subscribe(&m->c.protocol, &entry, 1, SLICE_EMPTY, 0);
}

static bool on_message(void *arg, const struct publish *message)
{
	struct member *m = arg;
	struct crowd *crowd = m->crowd;

	if (!slice_equal(message->topic, slice_of_str(m->topic)) ||
	    message->payload.len != PAYLOAD_BYTES)
		fail("a message of somebody else came", "");
	crowd->received++;
	if (crowd->stage == STAGE_ROUNDS)
		publish_some(m, 1, 1);
	else if (crowd->stage == STAGE_BUNCHES && crowd->received % BUNCH == 0)
		publish_some(m, 0, BUNCH);
	return true;
}

static void on_answer(void *arg, const struct mqtt_answer *answer)
{
	struct crowd *crowd = ((struct member *)arg)->crowd;

	if (answer->reason >= REASON_UNSPECIFIED)
		fail("the server refused: ", reason_name(answer->reason));
	if (answer->request == PACKET_PUBLISH) {
		crowd->acked++;
		return;
	}
	crowd->ready++;
	start_some(crowd);
	if (crowd->ready == crowd->count)
		begin_rounds(crowd);
}

/* The messages and answers of one turn are over: then it does not matter which came last. */
static void on_read(void *arg)
{
	struct crowd *crowd = ((struct member *)arg)->crowd;

	if (crowd->stage == STAGE_ROUNDS || crowd->stage == STAGE_BUNCHES)
		go_on(crowd);
}

static void on_lost(void *arg, const struct mqtt_loss *loss)
{
	struct crowd *crowd = ((struct member *)arg)->crowd;

	if (crowd->stage != STAGE_LEAVING || loss->kind != MQTT_LOSS_OURS)
		fail("a connection was lost: ", loss->words);
	crowd->gone++;
}

static const struct mqtt_connection_events events = {
    .protocol = {.on_connack = on_connack, .on_message = on_message, .on_answer = on_answer},
    .on_lost = on_lost,
    .on_read = on_read,
};

/* --- */

static struct mqtt_tls *make_tls(const char *ca)
{
	const struct mqtt_tls_options options = {.ca_file = ca};
	struct buf why = {0};
	struct mqtt_tls *tls = mqtt_tls_new(&options, &why);

	if (tls == NULL)
		fail("no TLS with ", ca);
	buf_fini(&why);
	return tls;
}

static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static uint64_t number(const char *text)
{
	return strtoull(text, NULL, 10);
}

int main(int argc, char **argv)
{
	struct mqtt_endpoint endpoint = {0};
	struct mqtt_options options = {.version = MQTT_5_0, .clean_start = true};
	struct crowd crowd = {0};
	uv_loop_t loop;

	if (argc != 5 && argc != 9)
		fail("wrong use", "");
	(void)signal(SIGPIPE, SIG_IGN);
	raise_descriptors();
	if (argc == 5) {
		endpoint.socket_path = argv[1];
	} else {
		endpoint.host = argv[1];
		endpoint.port = (uint16_t)number(argv[2]);
		endpoint.tls = make_tls(argv[3]);
		options.has_user_name = options.has_password = true;
		options.user_name = slice_of_str(argv[4]);
		options.password = slice_of_str(argv[5]);
	}
	crowd.count = number(argv[argc - 3]);
	crowd.rounds = number(argv[argc - 2]);
	crowd.messages = number(argv[argc - 1]) / BUNCH * BUNCH;
	REQUIRE(crowd.count > 0 && crowd.messages >= (uint64_t)BUNCH * BUNCHES_UNDER_WAY);
	REQUIRE(uv_loop_init(&loop) == 0);
	crowd.members = xcalloc(crowd.count, sizeof(*crowd.members));
	for (size_t i = 0; i < crowd.count; i++) {
		struct member *m = &crowd.members[i];

		m->crowd = &crowd;
		(void)snprintf(m->id, sizeof(m->id), "crowd-%zu", i);
		(void)snprintf(m->topic, sizeof(m->topic), "bench/crowd/%zu", i);
		mqtt_connection_init(&m->c,
		                     &(struct mqtt_setup){&loop, &endpoint, &options, &events}, m,
		                     slice_of_str(m->id));
	}
	crowd.resident_bytes = resident_bytes();
	printf("{");
	start_clocks(&crowd);
	start_some(&crowd);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	print_figures(&crowd, "leave", crowd.count);
	printf("\"connections\": %zu}\n", crowd.count);
	if (crowd.gone != crowd.count)
		fail("the loop ended before the last had left", "");
	for (size_t i = 0; i < crowd.count; i++)
		mqtt_connection_fini(&crowd.members[i].c);
	free(crowd.members);
	mqtt_tls_free(endpoint.tls);
	return uv_loop_close(&loop);
}
