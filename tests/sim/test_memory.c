/* What is counted as memory: all of it is given back, it is close to what is allocated, and with
 * little memory nothing that is stored is lost. R1 */
#include <malloc.h>
#include <string.h>

#include "journal/journal_space.h"
#include "proto/packet_publish.h"
#include "scenario.h"
#include "worker/memory_quota.h"
#include "worker/worker.h"

static const struct connect_options clean = {0};
static const struct connect_options kept = {.keep = true, .expiry_s = 1000};

static struct client *join(struct world *w, const char *name, const struct connect_options *options)
{
	struct client *c = client_new(w, name, MQTT_5_0);

	client_join(c, options);
	return c;
}

static uint64_t counted(struct world *w)
{
	return quota_memory_used(w->server);
}

#if VAKT_SANITIZED
size_t __sanitizer_get_current_allocated_bytes(void);
static size_t allocated(void)
{
	return __sanitizer_get_current_allocated_bytes();
}
#else
static size_t allocated(void)
{
	return mallinfo2().uordblks + mallinfo2().hblkhd;
}
#endif

/* --- all of it is given back --- */

static void send_part(struct client *c)
{
	static uint8_t part[20000] = {PACKET_PUBLISH << 4, 0xc0, 0xb8, 0x02};

	client_send(c, slice_of(part, sizeof(part)));
}

static void send_identifiers(struct client *c, uint16_t count)
{
	struct buf bytes = {0};

	for (uint16_t id = 1; id <= count; id++) {
		struct publish_out p = {.version = c->version,
		                        .qos = 2,
		                        .packet_id = id,
		                        .topic = SLICE("some/topic"),
		                        .payload = SLICE("x")};

		packet_publish_encode(&bytes, &p);
	}
	c->manual = true;
	client_send(c, buf_slice(&bytes));
	buf_fini(&bytes);
}

/* A bit of everything, and then every client disconnects. */
static void all_memory_is_given_back(struct world *w)
{
	struct connect_options with_will = {
	    .keep = true,
	    .expiry_s = 1000,
	    .topic_alias_maximum = 5,
	    .will = {.topic = "will", .payload = "gone", .delay_s = 2000}};
	struct client *a, *b, *pub;
	struct pending *p;

	w->journal_paused = false;
	a = join(w, "a", &with_will);
	b = join(w, "b", &kept);
	pub = join(w, "pub", &clean);
	client_subscribe(a, "some/#", 2);
	client_subscribe(a, "$share/group/some/+", 1);
	client_subscribe(b, "some/topic", 1);
	client_subscribe(b, "+/topic", 1);
	world_run(w);
	a->manual = true;
	client_drop(b);
	for (unsigned i = 0; i < 30; i++)
		client_publish(pub, "some/topic", (uint8_t)world_random(w, 3), "payload");
	client_publish_retained(pub, "some/state", 1, "on");
	p = client_publish_with(pub, "some/topic", 1, "aliased");
	p->topic_alias = 3;
	world_run(w);
	send_identifiers(join(w, "c", &clean), 20);
	send_part(join(w, "d", &clean));
	world_run(w);
	assert_true(counted(w) > 20000);
	client_publish_retained(pub, "some/state", 1, "");
	world_run(w);
	for (struct client *c = w->clients; c != NULL; c = c->next)
		client_drop(c);
	world_run(w);
	world_advance(w, UINT64_C(1001) * 1000);
	world_run(w);
	assert_int_equal(counted(w), 0);
	assert_null(w->server->payers.by_key);
}

/* --- it is close to what is allocated --- */

typedef void take_fn(struct world *w, struct client *c);

struct kind {
	const char *name;
	take_fn *take;
	take_fn *bare; /* the same without what is to be counted; NULL: nothing */
};

static void take_subscriptions(struct world *w, struct client *c)
{
	char filter[64];

	(void)w;
	for (unsigned i = 0; i < 1500; i++) {
		snprintf(filter, sizeof(filter), "a/%u/b/%u/+/c", i, i);
		client_subscribe(c, filter, 1);
		if (i % 50 == 0)
			world_run(w);
	}
}

static void take_plain_subscriptions(struct world *w, struct client *c)
{
	char filter[64];

	for (unsigned i = 0; i < 1500; i++) {
		snprintf(filter, sizeof(filter), "plain/%u", i);
		client_subscribe(c, filter, 1);
		if (i % 50 == 0)
			world_run(w);
	}
}

static void take_queue(struct world *w, struct client *c)
{
	struct client *pub = join(w, "pub", &clean);

	client_subscribe(c, "queue", 1);
	world_run(w);
	client_drop(c);
	for (unsigned i = 0; i < 900; i++) {
		client_publish(pub, "queue", 1, "a payload of forty bytes, more or less.");
		world_run(w);
	}
}

static void take_retained(struct world *w, struct client *c)
{
	char topic[32];

	for (unsigned i = 0; i < 1500; i++) {
		snprintf(topic, sizeof(topic), "retained/%u/state", i);
		client_publish_retained(c, topic, 1, "a payload of forty bytes, more or less.");
		world_run(w);
	}
}

static void come_and_go(struct world *w, const char *prefix, const struct connect_options *options)
{
	char name[32];

	for (unsigned i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "%s-%u", prefix, i);
		client_drop(join(w, name, options));
		world_run(w);
	}
}

static void take_sessions(struct world *w, struct client *c)
{
	(void)c;
	come_and_go(w, "session", &kept);
}

/* What the clients themselves allocate. */
static void take_nothing(struct world *w, struct client *c)
{
	(void)c;
	come_and_go(w, "nothing", &clean);
}

static const struct kind kinds[] = {
    {"subscriptions", take_subscriptions, NULL},
    {"plain", take_plain_subscriptions, NULL},
    {"queue", take_queue, NULL},
    {"retained", take_retained, NULL},
    {"sessions", take_sessions, take_nothing},
};

static size_t memory_for(struct world *w, take_fn *take, struct client *c)
{
	size_t before = allocated();

	take(w, c);
	world_run(w);
	return allocated() - before;
}

/* Not less than two thirds of it (the clients allocate some too), not more than twice as much. */
static void counted_memory_is_close_to_allocated(struct world *w)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const struct kind *kind = &kinds[i];
		struct client *c = join(w, kind->name, &kept);
		size_t memory, bare = 0, by_count;
		uint64_t before;

		if (kind->bare != NULL)
			bare = memory_for(w, kind->bare, c);
		before = counted(w);
		memory = memory_for(w, kind->take, c) - bare;
		by_count = (size_t)(counted(w) - before);
		print_message("# %s: %zu allocated, %zu counted\n", kind->name, memory, by_count);
		assert_true(by_count * 3 >= memory * 2);
		assert_true(by_count <= memory * 2);
	}
}

/* --- with little memory --- */

#define VALUES 120

/* A replay of a stored session that makes no progress has no memory for its values: each
 * arrives, once. */
static void replay_waits_for_memory(struct world *w)
{
	struct client *writer = client_new(w, "writer", MQTT_5_0);
	struct client *reader = client_new(w, "reader", MQTT_5_0);
	static char large[20001];
	char topic[16];

	w->journal_paused = false;
	memset(large, 'x', sizeof(large) - 1);
	client_join(writer, &clean);
	for (unsigned i = 0; i < VALUES; i++) {
		snprintf(topic, sizeof(topic), "wide/%u", i);
		client_publish_retained(writer, topic, 1, large);
		world_run(w);
	}
	world_run(w);
	assert_true(client_is_done(writer));
	client_join(reader, &kept);
	client_stall(reader, true);
	client_subscribe(reader, "wide/#", 1);
	world_run(w);
	assert_true(counted(w) <= 3300 << 10);
	if (world_random(w, 2) == 0) {
		client_join(reader, &kept);
		client_stall(reader, true);
		world_run(w);
	}
	client_stall(reader, false);
	world_run(w);
	world_advance(w, 10000);
	world_run(w);
	for (unsigned i = 0; i < VALUES; i++) {
		snprintf(topic, sizeof(topic), "wide/%u", i);
		assert_int_equal(count_received(reader, topic), 1);
	}
}

/* A queue on disk that does not fit into memory is read in small pieces, in order. */
static void queue_on_disk_is_read_in_small_pages(struct world *w)
{
	struct connect_options five = {.keep = true, .expiry_s = 1000, .receive_maximum = 5};
	const struct connect_options *options = world_random(w, 2) == 0 ? &kept : &five;
	struct client *sub, *other, *pub;
	static char text[10001];

	w->journal_paused = false;
	sub = join(w, "sub", options);
	pub = join(w, "pub", &clean);
	other = join(w, "other", options);
	client_subscribe(sub, "x", 1);
	client_subscribe(other, "x", 1);
	world_run(w);
	client_drop(sub);
	client_drop(other);
	for (unsigned n = 1; n <= 100; n++) {
		memset(text, 'x', sizeof(text) - 1);
		snprintf(text, sizeof(text), "pub:%u ", n);
		text[strlen(text)] = 'x';
		client_publish(pub, "x", 1, text);
		world_run(w);
	}
	assert_true(client_is_done(pub));
	client_join(sub, options);
	client_join(other, options);
	for (unsigned i = 0; i < 200; i++) {
		assert_true(counted(w) <= 400 << 10);
		world_advance(w, 200);
	}
	require_at_least(sub, "pub", "x", 1, 100);
	require_at_least(other, "pub", "x", 1, 100);
	assert_int_equal(sub->received_count, 100);
}

/* Nothing of the client's own continues it: it is tried again when others have given memory
 * back. */
static void waiting_session_continues_when_memory_is_free(struct world *w)
{
	struct client *sub, *pub;
	static char large[60001], text[10001];
	char topic[16];

	w->journal_paused = false;
	memset(large, 'x', sizeof(large) - 1);
	memset(text, 'x', sizeof(text) - 1);
	sub = join(w, "sub", &kept);
	pub = join(w, "pub", &clean);
	client_subscribe(sub, "x", 1);
	world_run(w);
	client_drop(sub);
	client_publish(pub, "x", 1, large);
	world_run(w);
	for (unsigned i = 0; i < 40; i++) {
		snprintf(topic, sizeof(topic), "r/%u", i);
		client_publish_retained(pub, topic, 1, text);
		world_run(w);
	}
	client_join(sub, &kept);
	world_advance(w, 1000);
	assert_int_equal(sub->received_count, 0);
	for (unsigned i = 0; i < 40; i++) {
		snprintf(topic, sizeof(topic), "r/%u", i);
		client_publish_retained(pub, topic, 1, "");
		world_run(w);
	}
	world_advance(w, 1000);
	world_run(w);
	assert_int_equal(sub->received_count, 1);
}

/* Packets that one turn has no time for wait, and memory is short: that is no unfinished packet. */
static void packets_wait_for_the_next_turn(struct world *w)
{
	struct client *pub = join(w, "pub", &clean), *other = join(w, "other", &clean);
	static char large[100001];
	static uint8_t payload[80];
	struct buf bytes = {0};
	char topic[16];

	memset(large, 'x', sizeof(large) - 1);
	for (unsigned i = 0; i < 100; i++) { /* until only what frees memory has some */
		snprintf(topic, sizeof(topic), "r/%u", i);
		client_publish_retained(other, topic, 1, i < 70 ? large : large + 90000);
		world_run(w);
	}
	for (unsigned i = 0; i < w->workers; i++)
		w->server->workers[i]->turn_steps = 64;
	for (unsigned i = 0; i < 2000; i++) {
		struct publish_out p = {.version = pub->version,
		                        .topic = SLICE("some/topic"),
		                        .payload = slice_of(payload, sizeof(payload))};

		packet_publish_encode(&bytes, &p);
	}
	client_send(pub, buf_slice(&bytes));
	buf_fini(&bytes);
	world_run(w);
	client_publish(pub, "some/topic", 1, "x");
	world_run(w);
	assert_true(client_is_done(pub));
}

/* Deliveries that wait for later turns are paid for by who published: many connections of one user
 * cannot fill the memory with them, and what is refused is said. */
static void waiting_deliveries_have_a_payer(struct world *w)
{
	enum { PUBLISHERS = 100 };
	struct client *pubs[PUBLISHERS];
	struct client *sub = join(w, "sub", &clean);
	static char text[20001];
	uint64_t most = 0;
	size_t refused = 0, closed = 0, before;
	char name[16];

	memset(text, 'x', sizeof(text) - 1);
	client_subscribe(sub, "x/#", 1);
	for (unsigned i = 0; i < PUBLISHERS; i++) {
		snprintf(name, sizeof(name), "pub%u", i);
		pubs[i] = join(w, name, &clean);
	}
	world_run(w);
	for (unsigned i = 0; i < w->workers; i++)
		w->server->workers[i]->turn_steps = 64;
	for (unsigned i = 0; i < PUBLISHERS; i++)
		client_publish(pubs[i], "x/y", 1, text);
	for (unsigned i = 0; i < 20000; i++) {
		world_steps(w, 1);
		if (counted(w) > most)
			most = counted(w);
	}
	world_run(w);
	for (unsigned i = 0; i < PUBLISHERS; i++) {
		struct answer answer;

		if (client_answers(pubs[i], PACKET_PUBACK, &answer) == 0) {
			assert_true(pubs[i]->closed); /* there was no memory for its packet */
			closed++;
		} else if (answer.reasons[0] == REASON_QUOTA_EXCEEDED) {
			refused++;
		}
	}
	assert_in_range(refused, 1, PUBLISHERS / 2);
	/* the subscriber's own messages may find no memory either */
	before = sub->received_count;
	assert_in_range(before, PUBLISHERS / 4, PUBLISHERS - refused - closed);
	assert_in_range(most, 0, 1500000);
	client_publish(sub, "x/y", 1, text); /* when nothing waits any more */
	world_run(w);
	assert_int_equal(sub->received_count, before + 1);
}

/* What a commit has to tell its receivers' workers waits for their turns, and no user pays for it:
 * it counts as waiting in the journal until it is done, so publishers are not read above that mark,
 * and nothing is lost. */
static void notifications_are_bounded_by_the_journal(struct world *w)
{
	enum { PUBLISHERS = 8, MESSAGES = 25, READERS = 3, BYTES = 100000 };
	struct client *pubs[PUBLISHERS], *readers[READERS];
	static char text[BYTES + 1];
	size_t most = 0;
	char name[16];

	memset(text, 'x', BYTES);
	w->journal_paused = false;
	for (unsigned i = 0; i < READERS; i++) {
		snprintf(name, sizeof(name), "reader%u", i);
		readers[i] = join(w, name, &kept);
		client_subscribe(readers[i], "x", 1);
	}
	for (unsigned i = 0; i < PUBLISHERS; i++) {
		snprintf(name, sizeof(name), "pub%u", i);
		pubs[i] = join(w, name, &clean);
	}
	world_run(w);
	for (unsigned i = 0; i < w->workers; i++)
		w->server->workers[i]->turn_steps = 1;
	for (unsigned i = 0; i < PUBLISHERS * MESSAGES; i++)
		client_publish(pubs[i % PUBLISHERS], "x", 1, text);
	for (unsigned i = 0; i < 20000; i++) {
		world_steps(w, 1);
		if (journal_waiting(w->journal) > most)
			most = journal_waiting(w->journal);
	}
	world_advance(w, 10000);
	/* one of each publisher may be on its way when the mark is reached */
	assert_in_range(most, JOURNAL_HIGH / 2, JOURNAL_HIGH + PUBLISHERS * (BYTES + 1000));
	for (unsigned i = 0; i < PUBLISHERS; i++)
		assert_true(client_is_done(pubs[i]));
	for (unsigned i = 0; i < READERS; i++)
		assert_int_equal(count_received(readers[i], "x"), PUBLISHERS * MESSAGES);
}

#define ANONYMOUS                                                                                  \
	"listeners:\n  - bind: unix:/run/sim.sock\nauthentication:\n  anonymous: true\n"           \
	"  anonymous_sessions: true\nauthorization:\n  acl_file: acl.yaml\n"

static const char retained_mostly[] = ANONYMOUS "limits: {memory: 3300k, retained_bytes: 8M}\n";
static const char hardly_a_page[] = ANONYMOUS "limits: {memory: 400k, queue_messages: 1000}\n";
static const char wide_queues[] =
    ANONYMOUS "limits: {memory: 1G, queue_messages: 1000, queue_bytes: 100M}\n";
static const char little_memory[] = ANONYMOUS "limits: {memory: 1500k}\n";
static const char nearly_full[] = ANONYMOUS "limits: {memory: 6400k, retained_bytes: 8M}\n";

int main(void)
{
	const struct CMUnitTest tests[] = {
	    SCENARIO_WITH(all_memory_is_given_back, .seeds = 10),
	    SCENARIO_WITH(all_memory_is_given_back, .seeds = 10, .durable = true),
	    SCENARIO_WITH(counted_memory_is_close_to_allocated, .seeds = 1),
	    SCENARIO_WITH(replay_waits_for_memory, .conf = retained_mostly, .seeds = 10),
	    SCENARIO_WITH(replay_waits_for_memory, .conf = retained_mostly, .seeds = 10,
	                  .durable = true),
	    SCENARIO_WITH(waiting_session_continues_when_memory_is_free, .conf = hardly_a_page,
	                  .seeds = 5, .durable = true),
	    SCENARIO_WITH(packets_wait_for_the_next_turn, .conf = nearly_full, .seeds = 20),
	    SCENARIO_WITH(waiting_deliveries_have_a_payer, .conf = little_memory, .seeds = 3),
	    SCENARIO_WITH(notifications_are_bounded_by_the_journal, .conf = wide_queues, .seeds = 2,
	                  .durable = true),
	    SCENARIO_WITH(queue_on_disk_is_read_in_small_pages, .conf = hardly_a_page, .seeds = 10,
	                  .durable = true),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
