/* Topic aliases, both ways [MQTT5-3.3.2-7, -8, -9, -11, -12].  They live as long as the connection.
 * Thread: its home. */
#ifndef CORE_ALIAS_H
#define CORE_ALIAS_H

#include "base/bytes.h"
#include "proto/publish.h"

/* The topics behind aliases 1 .. count. Zero-initialised is empty. */
struct alias_table {
	struct slice *topics; /* owned; made with the first alias */
	uint16_t max;         /* the largest that may be used */
	uint16_t count;       /* outgoing: given out */
};

void alias_table_fini(struct alias_table *t);

/* A client's PUBLISH: learn the alias, or put the topic in its place. */
enum reason alias_resolve(struct alias_table *t, struct publish *pub);

/* A PUBLISH to a client: use an alias where it saves bytes. The first topics get them; the rest go
 * in full. `max_bytes`: the packet stays within. */
void alias_use(struct alias_table *t, struct publish_out *p, size_t max_bytes);

#endif
