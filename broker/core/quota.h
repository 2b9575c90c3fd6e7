/* Limits of what all clients share: retained messages, and the memory of all messages.  Refused is
 * what is new; what is there stays.  Thread: the worker's own. */
#ifndef CORE_QUOTA_H
#define CORE_QUOTA_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct worker;
struct session;
struct msg;
struct retain_change;

/* What a worker may still take without asking the others. */
struct quota_room {
	uint64_t limit; /* of which it is a part */
	uint64_t bytes;
};

/* May this be retained in the place of what the topic has? NULL: it may; else what it exceeds.
 * Under the topic's stripe. */
const char *quota_retained(struct worker *w, const struct retain_change *change,
                           const struct msg *msg);
/* May this many bytes more wait in memory? NULL: they may; else what they exceed. */
const char *quota_memory(struct worker *w, size_t bytes);
/* Count and tell a retained message that was refused: a line for several, not for each. */
void quota_tell_refused(const struct session *s, struct slice topic, const char *cause);

#endif
