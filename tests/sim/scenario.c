/* See scenario.h. */
#include "scenario.h"

#include <utlist.h>

#include "base/bytes.h"
#include "base/log.h"
#include "client/client_list.h"
#include "client/conn.h"
#include "session/session.h"

#define SEEDS 50

static unsigned long number_from_environment(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text == NULL ? otherwise : strtoul(text, NULL, 10);
}

static struct world *at_hand;

static void run_one(const struct scenario *scenario, const struct world_settings *settings)
{
	at_hand = world_new(settings);
	scenario->fn(at_hand);
	world_free(at_hand);
	at_hand = NULL;
}

void scenario_test(void **state)
{
	static const unsigned workers[] = {1, 2, 4};
	const struct scenario *scenario = *state;
	unsigned long first = number_from_environment("VAKT_SIM_SEED", 1);
	unsigned long usual = scenario->settings.seeds == 0 ? SEEDS : scenario->settings.seeds;
	unsigned long count =
	    number_from_environment("VAKT_SIM_SEEDS", getenv("VAKT_SIM_SEED") == NULL ? usual : 1);

	log_set_level(LOG_LEVEL_ERROR);
	for (unsigned long seed = first; seed < first + count; seed++) {
		for (size_t i = 0; i < sizeof(workers) / sizeof(workers[0]); i++) {
			struct world_settings s = scenario->settings;

			s.seed = seed;
			s.workers = workers[i];
			run_one(scenario, &s);
		}
	}
}

/* A failed assertion does not free the world. */
int scenario_teardown(void **state)
{
	struct world *w = at_hand;

	(void)state;
	at_hand = NULL;
	if (w == NULL)
		return 0;
	print_error("VAKT_SIM_SEED=%llu, %u workers\n", (unsigned long long)w->seed, w->workers);
	world_free(w);
	return 0;
}

void publish_numbered(struct client *c, const char *topic, uint8_t qos, unsigned number)
{
	char payload[64];

	snprintf(payload, sizeof(payload), "%s:%u", c->id, number);
	client_publish(c, topic, qos, payload);
}

long number_of(const struct received *r, const char *name)
{
	size_t len = strlen(name);

	if (strncmp(r->payload, name, len) != 0 || r->payload[len] != ':')
		return -1;
	return strtol(r->payload + len + 1, NULL, 10);
}

static void require_sequence(const struct client *c, const char *name, const char *topic,
                             long first, long last, bool again)
{
	long next = first;

	for (size_t i = 0; i < c->received_count; i++) {
		const struct received *r = &c->received[i];
		long number = number_of(r, name);

		if (number < 0 || (topic != NULL && strcmp(topic, r->topic) != 0))
			continue;
		if (number != next && !(again && number < next))
			fail_msg("%s: from %s came %ld (QoS %u, dup %d, connection %u) where %ld "
			         "was next",
			         c->id, name, number, r->qos, r->dup, r->life, next);
		next = number == next ? next + 1 : next;
	}
	if (next != last + 1)
		fail_msg("%s: from %s came numbers up to %ld instead of %ld", c->id, name, next - 1,
		         last);
}

void require_exactly(const struct client *c, const char *name, const char *topic, long first,
                     long last)
{
	require_sequence(c, name, topic, first, last, false);
}

void require_at_least(const struct client *c, const char *name, const char *topic, long first,
                      long last)
{
	require_sequence(c, name, topic, first, last, true);
}

size_t count_received(const struct client *c, const char *topic)
{
	size_t count = 0;

	for (size_t i = 0; i < c->received_count; i++)
		count += strcmp(c->received[i].topic, topic) == 0;
	return count;
}

const char *last_received(const struct client *c, const char *topic)
{
	for (size_t i = c->received_count; i > 0; i--) {
		if (strcmp(c->received[i - 1].topic, topic) == 0)
			return c->received[i - 1].payload;
	}
	return "";
}

void print_received(const struct client *c)
{
	for (size_t i = 0; i < c->received_count; i++) {
		const struct received *r = &c->received[i];

		print_error("%s(%u): %s=%.40s qos %u id %u%s%s\n", c->id, r->life, r->topic,
		            r->payload, r->qos, r->packet_id, r->dup ? " dup" : "",
		            r->retain ? " retain" : "");
	}
}

void commit_all(struct world *w)
{
	world_run(w);
	while (world_commit(w))
		world_run(w);
}

struct conn *connection_of(struct world *w, const struct client *c)
{
	struct conn *conn;

	for (unsigned i = 0; i < w->workers; i++) {
		DL_FOREACH (w->server->workers[i]->clients->conns, conn) {
			if (conn->link.session != NULL &&
			    slice_equal(session_client_id(conn->link.session), slice_of_str(c->id)))
				return conn;
		}
	}
	fail_msg("%s has no connection", c->id);
	return NULL;
}
