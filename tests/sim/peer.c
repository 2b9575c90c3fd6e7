/* See peer.h. */
#include "peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/mailbox.h"
#include "proto/packet_publish.h"
#include "proto/property.h"
#include "worker/worker.h"

#define READ_BYTES 65536 /* what one read of a connection gives, at most */
#define TURNS_MAX  2000000

#ifdef COUNTED
static uint64_t steps_taken;

#ifdef __clang__
#define NOT_COUNTED __attribute__((no_sanitize("coverage")))
#else
#define NOT_COUNTED __attribute__((no_sanitize_coverage))
#endif

/* Called by every block of the broker's code. */
void __sanitizer_cov_trace_pc(void);
NOT_COUNTED void __sanitizer_cov_trace_pc(void)
{
	steps_taken++;
}
#else
static const uint64_t steps_taken = 0;
#endif

uint64_t peer_steps(void)
{
	return steps_taken;
}

static double cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void take_output(struct peer *p)
{
	struct buf *in = memory_received(wire_peer(p->wire));

	p->got_bytes += in->len;
	if (p->keeps)
		buf_put_slice(&p->got, buf_slice(in));
	buf_clear(in);
}

/* One turn of the worker's loop. False if nothing happened in it. */
bool peers_turn(struct world *w, struct peer *peers, size_t count, struct cost *cost)
{
	struct executor *executor = &w->server->workers[0]->executor;
	double begin, ms;
	uint64_t steps, before = steps_taken;
	bool moved = false;

	executor_enter(executor);
	executor_update_now(executor);
	begin = cpu_ms();
	for (size_t i = 0; i < count; i++)
		moved |= memory_run(wire_peer(peers[i].wire), READ_BYTES);
	moved |= executor_turn(executor) == 0;
	ms = cpu_ms() - begin;
	executor_leave();
	moved |= !mailbox_is_empty(&executor->mailbox);
	steps = steps_taken - before;
	cost->steps += steps;
	if (steps > cost->turn_steps)
		cost->turn_steps = steps;
	cost->total_ms += ms;
	if (ms > cost->turn_ms)
		cost->turn_ms = ms;
	cost->turns++;
	for (size_t i = 0; i < count; i++)
		take_output(&peers[i]);
	return world_commit(w) || moved;
}

bool peer_turn(struct world *w, struct peer *p, struct cost *cost)
{
	return peers_turn(w, p, p == NULL ? 0 : 1, cost);
}

struct cost peers_run(struct world *w, struct peer *peers, size_t count)
{
	struct cost cost = {0};
	unsigned idle = 0;

	while (idle < 3) { /* input that is still to be read is read in the next turn */
		idle = peers_turn(w, peers, count, &cost) ? 0 : idle + 1;
		assert_true(cost.turns < TURNS_MAX);
	}
	return cost;
}

struct cost peer_run(struct world *w, struct peer *p)
{
	return peers_run(w, p, p == NULL ? 0 : 1);
}

static void put_packet(struct buf *out, uint8_t first, struct slice body)
{
	buf_put_u8(out, first);
	buf_put_varint(out, (uint32_t)body.len);
	buf_put_slice(out, body);
}

void peer_send(struct peer *p, struct slice bytes)
{
	memory_send(wire_peer(p->wire), bytes);
}

void peer_send_packet(struct peer *p, uint8_t first, struct buf *body)
{
	struct buf packet = {0};

	put_packet(&packet, first, buf_slice(body));
	peer_send(p, buf_slice(&packet));
	buf_fini(&packet);
	buf_fini(body);
}

void peer_connect(struct peer *p, struct world *w, const struct who *who)
{
	struct buf body = {0}, properties = {0};

	*p = (struct peer){.w = w, .wire = world_connect(w, "peer", NULL)};
	buf_put_string(&body, SLICE("MQTT"));
	buf_put_u8(&body, who->is_311 ? 4 : 5);
	buf_put_u8(&body, (uint8_t)((who->resume ? 0 : 2) | (who->will_bytes > 0 ? 4 : 0) |
	                            who->will_qos << 3));
	buf_put_u16(&body, 0);
	property_put_number(&properties, PROPERTY_SESSION_EXPIRY, who->expiry_s);
	property_put_number(&properties, PROPERTY_RECEIVE_MAXIMUM,
	                    who->receive_maximum == 0 ? 65535 : who->receive_maximum);
	property_put_number(&properties, PROPERTY_TOPIC_ALIAS_MAXIMUM, who->topic_aliases);
	if (!who->is_311) {
		buf_put_varint(&body, (uint32_t)properties.len);
		buf_put_slice(&body, buf_slice(&properties));
	}
	buf_fini(&properties);
	buf_put_string(&body, slice_of_str(who->id));
	if (who->will_bytes > 0) {
		uint8_t *payload = xcalloc(1, who->will_bytes);

		buf_put_u8(&body, 0); /* properties */
		buf_put_string(&body,
		               slice_of_str(who->will_topic == NULL ? "will" : who->will_topic));
		buf_put_string(&body, slice_of(payload, who->will_bytes));
		free(payload);
	}
	peer_send_packet(p, 0x10, &body);
}

void peer_fini(struct peer *p)
{
	buf_fini(&p->got);
}

/* --- what is sent --- */

void peer_begin_request(struct buf *body, uint16_t packet_id)
{
	buf_put_u16(body, packet_id);
	buf_put_u8(body, 0); /* properties */
}

static void put_filter(struct buf *body, const char *format, unsigned i, int options)
{
	char filter[200];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(filter, sizeof(filter), format, i);
#pragma GCC diagnostic pop
	buf_put_string(body, slice_of_str(filter));
	if (options >= 0)
		buf_put_u8(body, (uint8_t)options);
}

void peer_subscribe_many(struct peer *p, const char *format, unsigned n, int options)
{
	struct buf body = {0};

	peer_begin_request(&body, 1);
	for (unsigned i = 0; i < n; i++)
		put_filter(&body, format, i, options);
	peer_send_packet(p, 0x82, &body);
}

void peer_unsubscribe_many(struct peer *p, const char *format, unsigned n)
{
	struct buf body = {0};

	peer_begin_request(&body, 2);
	for (unsigned i = 0; i < n; i++)
		put_filter(&body, format, i, -1);
	peer_send_packet(p, 0xa2, &body);
}

void peer_put_publish(struct buf *out, const char *topic, uint8_t qos, bool retain, uint16_t id)
{
	struct publish_out p = {.version = MQTT_5_0,
	                        .qos = qos,
	                        .retain = retain,
	                        .packet_id = id,
	                        .topic = slice_of_str(topic),
	                        .payload = SLICE("x")};

	packet_publish_encode(out, &p);
}

void peer_publish_many(struct peer *p, const char *format, unsigned n, uint8_t qos, bool retain)
{
	struct buf out = {0};
	char topic[200];

	for (unsigned i = 0; i < n; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(topic, sizeof(topic), format, i);
#pragma GCC diagnostic pop
		peer_put_publish(&out, topic, qos, retain, (uint16_t)(i % 65535 + 1));
	}
	peer_send(p, buf_slice(&out));
	buf_fini(&out);
}

void peer_acknowledge_many(struct peer *p, uint8_t first, unsigned n, bool backwards)
{
	struct buf out = {0};

	for (unsigned i = 1; i <= n; i++) {
		buf_put_u8(&out, first);
		buf_put_u8(&out, 2);
		buf_put_u16(&out, (uint16_t)(backwards ? n + 1 - i : i));
	}
	peer_send(p, buf_slice(&out));
	buf_fini(&out);
}
