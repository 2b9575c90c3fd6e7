/* Recent successes: digests of (user, state of its entry, stored hash, password) under a key of
 * this process, so that not every password is hashed again when all devices reconnect after a power
 * cut. Has no passwords, and nothing that outlives the process.  Thread: the caller's lock;
 * login_cache_digest any. */
#ifndef AUTH_LOGIN_CACHE_H
#define AUTH_LOGIN_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/hash_request.h"

#define LOGIN_CACHE_DIGEST      32
#define LOGIN_CACHE_MAX         10000
#define LOGIN_CACHE_LIFETIME_MS UINT64_C(3600000)

struct login_cache_entry;

struct login_cache {
	uint8_t key[32];                   /* drawn at init */
	struct login_cache_entry *entries; /* oldest first */
};

void login_cache_init(struct login_cache *c);
void login_cache_fini(struct login_cache *c); /* wipes the key */
/* Of a login that is asked for. It changes when the user is added, locked, unlocked, or gets
 * another password. */
void login_cache_digest(const struct login_cache *c, const struct hash_request *q,
                        uint8_t digest[LOGIN_CACHE_DIGEST]);
/* A hit does not extend the lifetime. */
bool login_cache_find(struct login_cache *c, const uint8_t digest[LOGIN_CACHE_DIGEST],
                      uint64_t now_ms);
void login_cache_put(struct login_cache *c, const uint8_t digest[LOGIN_CACHE_DIGEST],
                     uint64_t now_ms);
size_t login_cache_count(const struct login_cache *c);

#endif
