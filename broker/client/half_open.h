/* Connections without CONNACK, by address and by stage: which one is displaced when all places are
 * taken? Everything is O(1): addresses are in buckets by their number of connections, and in each
 * bucket by their least progress. Thread: its owner's. */
#ifndef CLIENT_HALF_OPEN_H
#define CLIENT_HALF_OPEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Bytes do not count as progress, only work that the client must do. */
enum half_open_stage {
	HALF_OPEN_ACCEPTED,
	HALF_OPEN_HELLO,     /* a whole ClientHello arrived */
	HALF_OPEN_HANDSHAKE, /* TLS is done, or there is none */
	HALF_OPEN_CONNECT,   /* a whole CONNECT arrived */
	HALF_OPEN_STAGES,
};

struct half_open_address;
struct half_open_bucket;

/* One connection; a member of it. */
struct half_open_place {
	/* The owner's: end it, another one needs its place. */
	void (*displace)(struct half_open_place *p);
	/* When its listener accepted it. */
	uint64_t accepted_ms;
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
/* Does nothing for one that is in no table. */
void half_open_remove(struct half_open *h, struct half_open_place *p);

/* Which one is displaced by one more connection of the address `key` at this stage? Of the address
 * with the most connections, if it has more than `key`, the one with the least progress, and of
 * these the oldest. An address never loses a place to one that has as many or more: then the new
 * connection can only displace one of its own address. If the other address would have fewer
 * afterwards than `key`, or is the same, the one with more progress stays. NULL: the new connection
 * is refused. */
struct half_open_place *half_open_victim(const struct half_open *h, struct slice key,
                                         enum half_open_stage stage);

/* Has no address at least two more than `key`? */
bool half_open_is_even(const struct half_open *h, struct slice key);

/* How many the address in the middle has, the lower one of two; 0: there are none. At most as many
 * steps as there are different numbers. */
size_t half_open_median(const struct half_open *h);
/* Is one more connection of the address `key` refused although there are places, `max` in all? From
 * three quarters of them on by chance, the more of them are taken the more often; and only if the
 * address has clearly more than the one in the middle: equal crowds are not refused. `chance`: any
 * number. */
bool half_open_refuses_early(const struct half_open *h, struct slice key, size_t max,
                             uint64_t chance);

#endif
