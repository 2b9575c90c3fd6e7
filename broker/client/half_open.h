/* Connections that have not got their CONNACK, by address and by how far they have come: which one
 * gives way when all places are taken?  Everything is O(1): addresses stand in buckets by how many
 * connections they have, and in each bucket by their least progress.  Thread: its owner's. */
#ifndef CLIENT_HALF_OPEN_H
#define CLIENT_HALF_OPEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Bytes are no progress: only what cannot be had for nothing. */
enum half_open_stage {
	HALF_OPEN_ACCEPTED,
	HALF_OPEN_HELLO,     /* a whole ClientHello came */
	HALF_OPEN_HANDSHAKE, /* TLS is done, or there is none */
	HALF_OPEN_CONNECT,   /* a whole CONNECT came */
	HALF_OPEN_STAGES,
};

struct half_open_address;
struct half_open_bucket;

/* One connection; a member of it. */
struct half_open_place {
	struct half_open_address *address; /* NULL: it is in no table */
	struct half_open_place *prev, *next;
	enum half_open_stage stage;
};

/* Zero-initialised. */
struct half_open {
	struct half_open_address *addresses; /* by key */
	struct half_open_bucket *fewest, *most;
	size_t count;
};

/* `key` is copied. */
void half_open_add(struct half_open *h, struct half_open_place *p, struct slice key,
                   enum half_open_stage stage);
void half_open_progress(struct half_open_place *p, enum half_open_stage stage);
/* Fine for one that is in no table. */
void half_open_remove(struct half_open *h, struct half_open_place *p);

/* Who gives way to one more connection of the address `key` at this stage? Of the address that has
 * most, if that is more than `key` has, the one with the least progress, and of these the oldest.
 * An address never loses a place to one that has as many or more: then the newcomer can only stand
 * for one of its own. Where the other would have fewer afterwards than the newcomer's address, and
 * where it is of one address, who has come further stays. NULL: the newcomer is refused. */
struct half_open_place *half_open_victim(const struct half_open *h, struct slice key,
                                         enum half_open_stage stage);

/* Does no address have clearly more than `key` has? */
bool half_open_is_even(const struct half_open *h, struct slice key);

#endif
