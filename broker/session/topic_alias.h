/* Topic aliases, both ways [MQTT5-3.3.2-7, -8, -9, -11, -12].  They live as long as the connection.
 * Thread: its executor. */
#ifndef SESSION_TOPIC_ALIAS_H
#define SESSION_TOPIC_ALIAS_H

#include "base/bytes.h"
#include "proto/packet_publish.h"

/* The topics of aliases 1 .. count. Zero-initialised is empty. */
struct alias_table {
	struct slice
	    *topics;    /* owned; made with the first alias, as long as the largest one needs */
	size_t bytes;   /* that all of it takes */
	uint16_t max;   /* the largest that may be used */
	uint16_t count; /* outgoing: given out */
	uint16_t cap;
	bool refuses; /* one above `cap` was refused: of those none is known */
};

/* May the table take so many bytes more? */
typedef bool topic_alias_admit_fn(void *arg, size_t bytes);

void topic_alias_fini(struct alias_table *t);

/* A client's PUBLISH: learn the alias, or put the topic in its place. Where it may not be learnt
 * the alias is marked as refused, and is not what it was before: the packet at hand has its topic
 * and goes on, those that use the alias are REASON_QUOTA_EXCEEDED, until it is set again. */
struct fault topic_alias_resolve(struct alias_table *t, struct publish *pub,
                                 topic_alias_admit_fn *admit, void *arg);

/* A PUBLISH to a client: use an alias where it saves bytes. The first topics get them; the rest go
 * in full, and so do those for which there is no memory. `max_bytes`: the packet stays within. */
void topic_alias_use(struct alias_table *t, struct publish_out *p, size_t max_bytes,
                     topic_alias_admit_fn *admit, void *arg);

#endif
