/* Two tables, of addresses and of pairs, and the lists by which they forget. */
#include "auth/guess_table.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/require.h"

/* So many of the longest quiet are looked at to find one that is not delayed. */
#define VICTIMS 16

/* 0 is nobody's. */
static uint64_t user_key_of(const struct hash_request *q)
{
	/* mutant: missing_names_are_one_pair */
	if (!q->exists)
		return 0;
	return hash_bytes(q->user, strlen(q->user)) | 1;
}

/* --- sources --- */

/* NOLINTBEGIN(readability-function-size): it counts the nesting inside uthash's macros */
static struct guess_source *source_find(struct guess_table *t, struct slice address)
{
	static const uint8_t nothing[1];
	const void *key = address.len == 0 ? nothing : address.data;
	struct guess_source *s;

	HASH_FIND(hh, t->sources, key, address.len, s);
	return s;
}

static void source_free(struct guess_table *t, struct guess_source *s)
{
	REQUIRE(s->pair_count == 0 && s->turns == NULL);
	HASH_DEL(t->sources, s);
	free(s->address);
	free(s);
}

static void leave_known(struct guess_table *t, struct guess_source *s)
{
	if (s->known_prev == NULL)
		return;
	DL_DELETE2(t->known, s, known_prev, known_next);
	s->known_prev = s->known_next = NULL;
	REQUIRE(t->known_count > 0);
	t->known_count--;
}

/* A source without pairs: it stays where it is known. */
static void source_settle(struct guess_table *t, struct guess_source *s)
{
	if (s->pair_count > 0)
		return;
	if (!s->is_known) {
		source_free(t, s);
		return;
	}
	leave_known(t, s);
	DL_APPEND2(t->known, s, known_prev, known_next);
	t->known_count++;
	if (t->known_count > GUESS_SOURCES_KNOWN_MAX) {
		s = t->known;
		leave_known(t, s);
		source_free(t, s);
	}
}

static struct guess_source *source_get(struct guess_table *t, struct slice address)
{
	struct guess_source *s = source_find(t, address);

	if (s != NULL)
		return s;
	s = xnew(s);
	s->address = slice_dup(address);
	s->address_len = address.len;
	HASH_ADD_KEYPTR(hh, t->sources, s->address, s->address_len, s);
	return s;
}

bool guess_table_is_known(struct guess_table *t, struct slice address)
{
	struct guess_source *s = source_find(t, address);

	return s != NULL && s->is_known;
}

void guess_table_know(struct guess_table *t, struct slice address)
{
	struct guess_source *s = source_get(t, address);

	s->is_known = true;
	source_settle(t, s);
}

/* --- pairs --- */

static void leave_quiet(struct guess_table *t, struct guess_pair *p)
{
	if (!p->is_quiet)
		return;
	p->is_quiet = false;
	/* NOLINTBEGIN(clang-analyzer-core.NullDereference): it takes the last one for the first */
	DL_DELETE2(t->quiet, p, quiet_prev, quiet_next);
	DL_DELETE2(p->key.source->quiet, p, own_prev, own_next);
	/* NOLINTEND(clang-analyzer-core.NullDereference) */
	REQUIRE(t->quiet_count > 0);
	t->quiet_count--;
}

static void pair_free(struct guess_table *t, struct guess_pair *p)
{
	struct guess_source *s = p->key.source;

	REQUIRE(p->waiting == NULL && p->hashing == 0);
	leave_quiet(t, p);
	REQUIRE(s->pair_count > s->busy || s->quiet == NULL);
	HASH_DEL(t->pairs, p);
	s->pair_count--;
	wrong_passwords_fini(&p->tried);
	free(p->user);
	free(p);
	source_settle(t, s);
}

void guess_table_fini(struct guess_table *t)
{
	while (t->quiet != NULL)
		pair_free(t, t->quiet);
	REQUIRE(t->pairs == NULL);
	while (t->known != NULL) {
		struct guess_source *s = t->known;

		leave_known(t, s);
		source_free(t, s);
	}
	REQUIRE(t->sources == NULL);
}

static struct guess_pair *pair_find(struct guess_table *t, const struct guess_pair_key *key)
{
	struct guess_pair *p;

	HASH_FIND(hh, t->pairs, key, sizeof(*key), p);
	return p;
}

static struct guess_pair *pair_new(struct guess_table *t, const struct guess_pair_key *key,
                                   const char *user)
{
	struct guess_pair *p = xnew(p);

	p->key = *key;
	p->user = key->user == 0 ? NULL : xstrdup(user);
	HASH_ADD(hh, t->pairs, key, sizeof(p->key), p);
	leave_known(t, key->source);
	key->source->pair_count++;
	key->source->busy++;
	return p;
}

/* Which of these is forgotten first. */
static struct guess_pair *victim_of(struct guess_table *t)
{
	struct guess_pair *p = t->quiet;

	for (unsigned i = 0; i < VICTIMS && p != NULL; i++, p = p->quiet_next) {
		if (guess_count_delay_ms(&p->count) == 0)
			return p;
	}
	return t->quiet;
}

static struct guess_pair *victim_of_source(struct guess_source *s)
{
	struct guess_pair *p = s->quiet;

	for (unsigned i = 0; i < VICTIMS && p != NULL; i++, p = p->own_next) {
		if (guess_count_delay_ms(&p->count) == 0)
			return p;
	}
	return s->quiet;
}

static void forget_quiet(struct guess_table *t, uint64_t now_ms)
{
	while (t->quiet != NULL && now_ms >= t->quiet->touched_ms + GUESS_FORGOTTEN_MS)
		pair_free(t, t->quiet);
	while (t->quiet_count > GUESS_PAIRS_MAX)
		pair_free(t, victim_of(t));
}

struct guess_pair *guess_table_find(struct guess_table *t, const struct hash_request *q,
                                    uint64_t now_ms)
{
	struct guess_pair_key key = {.source = source_find(t, q->address), .user = user_key_of(q)};
	struct guess_pair *p = key.source == NULL ? NULL : pair_find(t, &key);

	if (p != NULL)
		guess_count_pass(&p->count, now_ms);
	return p;
}

struct guess_pair *guess_table_use(struct guess_table *t, const struct hash_request *q,
                                   uint64_t now_ms)
{
	struct guess_pair_key key = {.source = source_get(t, q->address), .user = user_key_of(q)};
	struct guess_pair *p = pair_find(t, &key);

	if (p == NULL) {
		p = pair_new(t, &key, q->user);
	} else if (p->is_quiet) {
		leave_quiet(t, p);
		key.source->busy++;
	}
	guess_count_pass(&p->count, now_ms);
	return p;
}

void guess_table_settle(struct guess_table *t, struct guess_pair *p, uint64_t now_ms)
{
	struct guess_source *s = p->key.source;

	if (p->waiting != NULL || p->hashing > 0)
		return;
	REQUIRE(!p->is_quiet && p->open == 0);
	REQUIRE(s->busy > 0 && s->busy <= s->pair_count);
	s->busy--;
	if (p->count.wrong == 0 && p->tried.count == 0) {
		pair_free(t, p);
		return;
	}
	p->touched_ms = now_ms;
	p->is_quiet = true;
	DL_APPEND2(t->quiet, p, quiet_prev, quiet_next);
	DL_APPEND2(s->quiet, p, own_prev, own_next);
	t->quiet_count++;
	if (s->pair_count - s->busy > GUESS_PAIRS_OF_ADDRESS_MAX)
		pair_free(t, victim_of_source(s));
	forget_quiet(t, now_ms);
}
/* NOLINTEND(readability-function-size) */
