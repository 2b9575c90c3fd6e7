/* The broker in numbers: what its workers and its shared state count, summed at one moment, for
 * $SYS and for broker-ctl.  Thread: any. */
#ifndef ADMIN_STATS_H
#define ADMIN_STATS_H

#include "journal/journal.h"

struct server;

/* Numbers are uint64_t: sys.c finds them by their offset. */
struct stats {
	uint64_t clients_total, clients_connected, clients_disconnected;
	uint64_t clients_maximum; /* connected at one time since the start */
	uint64_t clients_expired; /* sessions that ended by their expiry interval */
	uint64_t packets_received, packets_sent;
	uint64_t messages_received, messages_sent, messages_dropped;
	uint64_t payload_received, payload_sent;
	uint64_t bytes_received, bytes_sent;
	uint64_t sockets, clients_accepted, denials, retained_refused, memory_refused;
	uint64_t subscriptions, shared_subscriptions;
	uint64_t retained, retained_bytes;
	uint64_t memory;               /* counted in limits.memory */
	uint64_t stored, stored_bytes; /* retained, queued or in flight */
	struct journal_health store;
	uint64_t commit_us_mean;
};

/* The state of the store in a word: "ok", "full", "failed"; "off" where nothing is kept. */
const char *stats_store_state(const struct server *server, const struct stats *t);
/* What went wrong with it last: "No space left on device". NULL: nothing did. */
const char *stats_store_error(const struct stats *t);

void stats_take(struct server *server, struct stats *out);

#endif
