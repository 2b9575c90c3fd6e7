/* Connections: what it costs to come, and to be there. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "client.h"

/* --- storm: TLS handshake, CONNECT, CONNACK, DISCONNECT, and again --- */

static void come_and_go(struct pool *p, struct client *clients, uint64_t count)
{
	uint64_t started = 0, before = p->left;

	while (p->left - before < count) {
		for (size_t i = 0; i < p->options->at_once && started < count; i++) {
			if (clients[i].state != CLIENT_NONE)
				continue;
			client_start(&clients[i]);
			started++;
		}
		pool_turn(p, -1);
	}
}

void run_storm(const struct options *o)
{
	struct client *clients = xcalloc(o->at_once, sizeof(*clients));
	struct pool pool;
	uint64_t cpu, start_ns, resumed;

	pool_init(&pool, o);
	for (size_t i = 0; i < o->at_once; i++) {
		client_init(&clients[i], &pool, "storm", i);
		clients[i].leaves_at_once = true;
	}
	come_and_go(&pool, clients, o->at_once + 50); /* the first login is hashed */
	cpu = usage_cpu_settled_ns((pid_t)o->pid);
	resumed = pool.resumed;
	start_ns = clock_monotonic_ns();
	come_and_go(&pool, clients, o->count);
	start_ns = clock_monotonic_ns() - start_ns;
	cpu = usage_cpu_settled_ns((pid_t)o->pid) - cpu;
	report("us_per_connect", (double)cpu / 1000 / (double)o->count);
	if (o->resume != 0)
		report("resumed", (double)(pool.resumed - resumed) / (double)o->count);
	report("connects_per_s", (double)o->count * 1e9 / (double)start_ns);
	clients_close(clients, o->at_once);
	free(clients);
	pool_fini(&pool);
}

/* --- idle --- */

/* The first ones pay for what exists once; those after them show what one more takes. */
void run_idle(const struct options *o)
{
	size_t first = 200;
	struct client *clients = xcalloc(first + o->clients, sizeof(*clients));
	struct pool pool;
	uint64_t before, after;

	pool_init(&pool, o);
	for (size_t i = 0; i < first + o->clients; i++)
		client_init(&clients[i], &pool, "idle", i);
	clients_open(&pool, clients, first);
	before = usage_resident_bytes((pid_t)o->pid);
	clients_open(&pool, clients + first, o->clients);
	after = usage_resident_bytes((pid_t)o->pid);
	report("bytes_per_client", ((double)after - (double)before) / (double)o->clients);
	report("resident_mb", (double)after / 1e6);
	clients_close(clients, first + o->clients);
	free(clients);
	pool_fini(&pool);
}
