/* Who logged in lately: digests of (user, stored hash, password) under a key of this process, so
 * that a house that comes back after a power cut need not hash everything anew.  Holds no password
 * and nothing that outlives the process. Thread: the caller's lock; cache_digest any. */
#ifndef AUTH_LOGIN_CACHE_H
#define AUTH_LOGIN_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define CACHE_DIGEST      32
#define CACHE_MAX         10000
#define CACHE_LIFETIME_MS UINT64_C(3600000)

struct cache_entry;

struct cache {
	uint8_t key[32];             /* drawn at init */
	struct cache_entry *entries; /* oldest first */
};

void cache_init(struct cache *c);
void cache_fini(struct cache *c); /* wipes the key */
void cache_digest(const struct cache *c, struct slice user, struct slice hash,
                  struct slice password, uint8_t digest[CACHE_DIGEST]);
/* A hit does not live longer for being hit. */
bool cache_find(struct cache *c, const uint8_t digest[CACHE_DIGEST], uint64_t now_ms);
void cache_put(struct cache *c, const uint8_t digest[CACHE_DIGEST], uint64_t now_ms);
size_t cache_count(const struct cache *c);

#endif
