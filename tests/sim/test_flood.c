/* Many clients send short packets without end: in a turn one of them goes on at once and few after
 * it, whatever their packets cost, so that nobody else waits for all of them. Counted in steps
 * where the broker is compiled so that every block of its code counts itself (COUNTED), and time
 * passes with the steps. That everything is handled in the end holds in any build. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "client/conn.h"
#include "peer.h"
#include "worker/worker.h"

#define FLOODERS    20
#define BYTES       60000  /* of each and round; one read takes them */
#define FEW_BYTES   3000   /* less than a share */
#define NS_PER_STEP 2      /* some, on a slow machine */
#define TURN_STEPS  900000 /* three shares; all of them together would be several times as many */
#define CONF                                                                                       \
	"listeners: [{bind: unix:/run/sim.sock}]\n"                                                \
	"authentication: {anonymous: true}\nauthorization: {acl_file: acl.yaml}\n"

static uint64_t counted_ns(void *arg)
{
	const struct world *w = arg;

	return w->now_ms * 1000000u + peer_steps() * NS_PER_STEP;
}

static int64_t wall_ms(void *arg)
{
	const struct world *w = arg;

	return WORLD_WALL_MS + (int64_t)w->now_ms;
}

static void put_publish(struct buf *out)
{
	peer_put_publish(out, "flood/none", 0, false, 0);
}

static void put_retained(struct buf *out)
{
	peer_put_publish(out, "flood/kept", 0, true, 0);
}

/* MQTT 5: the identifier, no properties, one filter; [MQTT-3.8.3-1]. */
static void put_subscribe(struct buf *out)
{
	buf_put_u8(out, 0x82);
	buf_put_u8(out, 12);
	buf_put_u16(out, 1);
	buf_put_u8(out, 0);
	buf_put_string(out, SLICE("wide/#"));
	buf_put_u8(out, 0);
}

static void put_unsubscribe(struct buf *out)
{
	buf_put_u8(out, 0xa2);
	buf_put_u8(out, 11);
	buf_put_u16(out, 1);
	buf_put_u8(out, 0);
	buf_put_string(out, SLICE("wide/#"));
}

static const struct row {
	const char *name;
	void (*put)(struct buf *out);
	size_t bytes;
} rows[] = {
    {"messages that nobody gets", put_publish, BYTES},
    {"one retained value", put_retained, BYTES},
    {"SUBSCRIBE again and again", put_subscribe, BYTES},
    {"SUBSCRIBE, a few of each", put_subscribe, FEW_BYTES},
    {"UNSUBSCRIBE again and again", put_unsubscribe, BYTES},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static struct cost flood(struct world *w, struct peer *peers, const struct row *row)
{
	struct buf packets = {0};

	while (packets.len < row->bytes)
		row->put(&packets);
	for (size_t i = 0; i < FLOODERS; i++)
		peer_send(&peers[i], buf_slice(&packets));
	buf_fini(&packets);
	return peers_run(w, peers, FLOODERS);
}

static uint64_t packets_of(const struct world *w)
{
	uint64_t sum = 0;

	for (unsigned type = 0; type < 16; type++)
		sum += atomic_load(&w->server->workers[0]->counters.received_by_type[type]);
	return sum;
}

static void one_row(void **state)
{
	const struct row *row = *state;
	const struct world_settings settings = {.seed = 1,
	                                        .workers = 1,
	                                        .conf = CONF,
	                                        .acl = "anonymous: { rules: ['allow all #'] }\n"};
	struct world *w = world_new(&settings);
	struct clock_source clock = {.monotonic_ns = counted_ns, .wall_ms = wall_ms, .arg = w};
	struct peer peers[FLOODERS] = {0};
	struct cost cost;
	uint64_t before;

	if (IS_COUNTED)
		clock_use(&clock);
	for (size_t i = 0; i < FLOODERS; i++) {
		char id[16];

		(void)snprintf(id, sizeof(id), "peer%zu", i);
		peer_connect(&peers[i], w, &(const struct who){.id = id});
		peer_run(w, &peers[i]);
	}
	(void)flood(w, peers, row); /* what they are is not known yet */
	before = packets_of(w);
	cost = flood(w, peers, row);
	assert_true(packets_of(w) - before >= FLOODERS * (row->bytes / 20));
	printf("# %-28s %u turns, %llu steps at most of %llu\n", row->name, cost.turns,
	       (unsigned long long)cost.turn_steps, (unsigned long long)cost.steps);
	for (size_t i = 0; i < FLOODERS; i++)
		peer_fini(&peers[i]);
	world_free(w);
	if (IS_COUNTED) {
		assert_true(cost.turn_steps <= TURN_STEPS);
		assert_true(cost.steps > 3 * TURN_STEPS);
	}
}

int main(void)
{
	struct CMUnitTest tests[ROWS];

	log_set_level(LOG_LEVEL_ERROR);
	for (size_t i = 0; i < ROWS; i++)
		tests[i] = (struct CMUnitTest){.name = rows[i].name,
		                               .test_func = one_row,
		                               .initial_state = (void *)(uintptr_t)&rows[i]};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
