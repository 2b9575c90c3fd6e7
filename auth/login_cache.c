/* The success cache.  Every entry lives equally long and uthash keeps the order of insertion, so
 * the first is always the oldest: expiry and the bound both take from the front. */
#include "auth/login_cache.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/crypto.h"
#include "base/hash.h"
#include "base/random.h"

struct login_cache_entry {
	uint8_t digest[LOGIN_CACHE_DIGEST];
	uint64_t until_ms;
	UT_hash_handle hh;
};

void login_cache_init(struct login_cache *c)
{
	*c = (struct login_cache){0};
	random_bytes(c->key, sizeof(c->key));
}

/* NOLINTBEGIN(readability-function-size): it counts the nesting inside uthash's macros */
static void drop(struct login_cache *c, struct login_cache_entry *e)
{
	HASH_DEL(c->entries, e);
	crypto_wipe(e, sizeof(*e));
	free(e);
}

void login_cache_fini(struct login_cache *c)
{
	/* the analyzer does not know that who is freed has left the table, here and below */
	while (c->entries != NULL)
		drop(c, c->entries); /* NOLINT(clang-analyzer-unix.Malloc) */
	crypto_wipe(c->key, sizeof(c->key));
}

static void put_part(struct buf *b, struct slice part)
{
	buf_put_u32(b, (uint32_t)part.len);
	buf_put_slice(b, part);
}

void login_cache_digest(const struct login_cache *c, const struct hash_request *q,
                        uint8_t digest[LOGIN_CACHE_DIGEST])
{
	struct slice user = slice_of_str(q->user), hash = slice_of_str(q->hash);
	struct buf text = {0};

	/* At once: growing would leave a copy of the password behind. */
	buf_reserve(&text, 13 + user.len + hash.len + q->password_len);
	put_part(&text, user);
	/* Without a hash nobody logs in, whatever else is known of the entry. */
	/* mutant: added_user_is_asked_anew */
	buf_put_u8(&text, q->exists);
	put_part(&text, hash);
	put_part(&text, slice_of(q->password, q->password_len));
	crypto_hmac_sha256(slice_of(c->key, sizeof(c->key)), buf_slice(&text), digest);
	crypto_wipe(text.data, text.len);
	buf_fini(&text);
}

bool login_cache_find(struct login_cache *c, const uint8_t digest[LOGIN_CACHE_DIGEST],
                      uint64_t now_ms)
{
	struct login_cache_entry *e;

	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
	while (c->entries != NULL && c->entries->until_ms <= now_ms)
		drop(c, c->entries);
	HASH_FIND(hh, c->entries, digest, LOGIN_CACHE_DIGEST, e);
	return e != NULL;
}

void login_cache_put(struct login_cache *c, const uint8_t digest[LOGIN_CACHE_DIGEST],
                     uint64_t now_ms)
{
	struct login_cache_entry *e;

	HASH_FIND(hh, c->entries, digest, LOGIN_CACHE_DIGEST, e);
	if (e != NULL)
		HASH_DEL(c->entries, e);
	else
		e = xnew(e);
	memcpy(e->digest, digest, LOGIN_CACHE_DIGEST);
	e->until_ms = now_ms + LOGIN_CACHE_LIFETIME_MS;
	HASH_ADD(hh, c->entries, digest, LOGIN_CACHE_DIGEST, e);
	if (HASH_COUNT(c->entries) > LOGIN_CACHE_MAX)
		drop(c, c->entries);
}

size_t login_cache_count(const struct login_cache *c)
{
	return HASH_COUNT(c->entries);
}
/* NOLINTEND(readability-function-size) */
