/* Keyed hashing: SipHash-1-3 (Aumasson, Bernstein 2012) under a key drawn once per process, so that
 * no peer can choose colliding client ids or topics.  Include "base/hash.h" instead of <uthash.h>:
 * it makes every uthash table keyed. Any thread. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Draw the key at random. Call once before threads start; a table built earlier would not find its
 * entries again. */
void hash_init(void);
uint64_t hash_bytes(const void *data, size_t len);
/* The same function under a key of the caller: reference vectors, stored tables. */
uint64_t siphash13(const uint8_t key[16], const void *data, size_t len);

#define HASH_FUNCTION(keyptr, keylen, hashv) ((hashv) = (unsigned)hash_bytes((keyptr), (keylen)))
#define uthash_fatal(msg)                    require_failed(msg, __FILE__, __LINE__)

#include "base/require.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include <uthash.h>
#pragma GCC diagnostic pop

#endif
