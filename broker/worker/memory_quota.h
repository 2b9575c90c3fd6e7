/* Limits of what all clients share: retained messages, memory, connections of one address or user.
 * Refused is what is new; what is there stays.  Thread: the worker's own. */
#ifndef WORKER_MEMORY_QUOTA_H
#define WORKER_MEMORY_QUOTA_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct conf_listener;
struct conn;
struct worker;
struct session;
struct stream;
struct msg;
struct payer;
struct config_snapshot;
struct retain_change;
struct server;

/* What a worker may still take without asking the others: nobody is refused below the threshold. */
struct quota_room {
	uint64_t whole; /* limits.memory, of whose threshold it is a part */
	uint64_t bytes;
};

/* May `writer` retain this in the place of what the topic has? NULL: it may; else what it exceeds.
 * Under the topic's shard. */
const char *quota_retained(struct worker *w, const struct payer *writer,
                           const struct retain_change *change, const struct msg *msg);
/* May the broker keep so many bytes more for this payer? NULL: it may; else which limit they
 * exceed. Nothing is counted by asking. */
const char *quota_memory(struct worker *w, const struct payer *payer, size_t bytes);
/* The same for those who come to drain: see quota_rule.h. */
const char *quota_memory_drain(struct worker *w, const struct payer *payer, size_t bytes);
/* All that is kept for clients, and what one payer has of it. */
uint64_t quota_memory_used(const struct server *server);
uint64_t quota_memory_paid(const struct server *server, const struct payer *payer);
/* Something of this client was refused for a limit of memory: counted; a line for several. `what`
 * is in plain words: "a subscription". */
void quota_report_memory(struct conn *c, const char *what, const char *cause);
/* The same of a session, whether its client is there or not. */
void quota_report_session(const struct session *s, const char *what, const char *cause);
/* Of the store: who pays for the queues, and the share of a user by this policy. */
void quota_store_begin(struct server *server);
void quota_store_set(struct server *server, const struct config_snapshot *snapshot);
/* May the queue of this session in the store take so many bytes more? NULL: it may. */
const char *quota_store(const struct session *s, size_t bytes);
/* Count and tell a retained message that was refused: a line for several, not for each. */
void quota_report_refused(const struct session *s, struct slice topic, const char *cause);

/* One more connection of this address: counted when true, given back with quota_address_give; else
 * it is told. Unix sockets are let through by the caller. */
bool quota_address_take(struct worker *w, struct stream *stream, const struct conf_listener *l);
void quota_address_give(struct worker *w, const struct stream *stream);
/* One more accepted client of c's user; `s`: the session it will continue, or NULL. What it takes
 * over does not count. Given back with quota_user_give, which is fine for one that was not counted.
 */
bool quota_user_take(struct conn *c, const struct session *s);
void quota_user_give(struct conn *c);

#endif
