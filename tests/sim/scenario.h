/* What scenarios share: running over many seeds and numbers of workers, and checking what
 * arrived. VAKT_SIM_SEED=n runs that seed alone, VAKT_SIM_SEEDS=n so many of them. */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "client.h"
#include "world.h"

typedef void scenario_fn(struct world *w);

struct scenario {
	scenario_fn *fn;
	struct world_settings settings; /* seed and workers are filled in */
};

/* Rows of a struct CMUnitTest table: every seed with 1, 2 and 4 workers. */
#define SCENARIO(fn) SCENARIO_WITH(fn, .seed = 0)
#define SCENARIO_WITH(fn, ...)                                                                     \
	{                                                                                          \
#fn, scenario_test, NULL, scenario_teardown, &(struct scenario)                    \
		{                                                                                  \
			fn,                                                                        \
			{                                                                          \
				__VA_ARGS__                                                        \
			}                                                                          \
		}                                                                                  \
	}
void scenario_test(void **state);
int scenario_teardown(void **state);

/* A configuration with a queue of ten messages. */
#define SMALL_QUEUE                                                                                \
	"listeners:\n"                                                                             \
	"  - bind: unix:/run/sim.sock\n"                                                           \
	"authentication: { anonymous: true, anonymous_sessions: true }\n"                          \
	"limits: { queue_messages: 10 }\n"

/* Until nothing moves and the journal has nothing to commit. */
void commit_all(struct world *w);
/* The broker's side of the client's connection; fails the test if there is none. */
struct conn *connection_of(struct world *w, const struct client *c);

/* Payloads are "NAME:NUMBER". */
void publish_numbered(struct client *c, const char *topic, uint8_t qos, unsigned number);
/* Its number, if the payload's name is `name`; otherwise -1. */
long number_of(const struct received *r, const char *name);

/* Exactly the numbers first to last of this publisher and topic (NULL: any), in order and once. */
void require_exactly(const struct client *c, const char *name, const char *topic, long first,
                     long last);
/* The same, but a message may be repeated (QoS 1): in order at its first delivery. */
void require_at_least(const struct client *c, const char *name, const char *topic, long first,
                      long last);
size_t count_received(const struct client *c, const char *topic);
/* For debugging. */
void print_received(const struct client *c);
/* The newest payload of a topic, "" if there is none. */
const char *last_received(const struct client *c, const char *topic);

#endif
