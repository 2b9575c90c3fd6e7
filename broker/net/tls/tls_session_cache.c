/* A table by id over a list by age. */
#include "net/tls/tls_session_cache.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/crypto.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/require.h"

struct tls_session_entry {
	struct tls_session_entry *prev, *next;
	uint64_t hash;   /* of the id, which the peer chooses: keyed */
	uint64_t source; /* its hash */
	size_t id_len, session_len;
	uint8_t bytes[]; /* the id, then the session */
};

static bool same_id(const void *item, const void *key)
{
	const struct tls_session_entry *e = item;

	return slice_equal(slice_of(e->bytes, e->id_len), *(const struct slice *)key);
}

static struct tls_session_entry *find_entry(const struct tls_session_cache *c, struct slice id)
{
	void **item = table_find(&c->by_id, hash_bytes(id.data, id.len), same_id, &id);

	return item == NULL ? NULL : *item;
}

static void drop_entry(struct tls_session_cache *c, struct tls_session_entry *e)
{
	table_remove(&c->by_id, e->hash, e);
	DL_DELETE(c->oldest_first, e);
	crypto_wipe(e, sizeof(*e) + e->id_len + e->session_len);
	free(e);
}

void tls_session_cache_fini(struct tls_session_cache *c)
{
	while (c->oldest_first != NULL)
		drop_entry(c, c->oldest_first);
	REQUIRE(c->by_id.count == 0);
}

/* Who fills the cache does not drive out all others: beyond its share its own oldest goes. */
static void make_space(struct tls_session_cache *c, uint64_t source)
{
	struct tls_session_entry *e, *own = NULL;
	size_t count = 0;

	if (c->by_id.count < TLS_SESSIONS_MAX)
		return;
	DL_FOREACH (c->oldest_first, e) {
		if (e->source != source)
			continue;
		if (own == NULL)
			own = e;
		count++;
	}
	/* mutant: tls_sessions_of_a_source */
	if (count < TLS_SESSIONS_PER_SOURCE_MAX)
		own = c->oldest_first;
	REQUIRE(own != NULL);
	drop_entry(c, own);
}

void tls_session_cache_put(struct tls_session_cache *c, struct slice id, struct slice source,
                           struct slice session)
{
	uint64_t source_hash = hash_bytes(source.data, source.len);
	struct tls_session_entry *e;

	REQUIRE(id.len > 0 && id.len <= TLS_SESSION_ID_BYTES_MAX);
	if (session.len > TLS_SESSION_BYTES_MAX)
		return;
	tls_session_cache_remove(c, id);
	make_space(c, source_hash);
	e = xalloc(sizeof(*e) + id.len + session.len);
	*e = (struct tls_session_entry){.hash = hash_bytes(id.data, id.len),
	                                .source = source_hash,
	                                .id_len = id.len,
	                                .session_len = session.len};
	memcpy(e->bytes, id.data, id.len);
	memcpy(e->bytes + id.len, session.data, session.len);
	table_add(&c->by_id, e->hash, e);
	DL_APPEND(c->oldest_first, e);
	REQUIRE(c->by_id.count <= TLS_SESSIONS_MAX);
}

bool tls_session_cache_find(const struct tls_session_cache *c, struct slice id, struct buf *out)
{
	const struct tls_session_entry *e = find_entry(c, id);

	if (e != NULL)
		buf_put_secret(out, slice_of(e->bytes + e->id_len, e->session_len));
	return e != NULL;
}

void tls_session_cache_remove(struct tls_session_cache *c, struct slice id)
{
	struct tls_session_entry *e = find_entry(c, id);

	if (e != NULL)
		drop_entry(c, e);
}
