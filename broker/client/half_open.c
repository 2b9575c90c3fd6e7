/* Buckets are a list in the order of their counts: one connection more or less moves an address to
 * a neighbour, which is created if it is missing, and freed if it is empty. */
#include "client/half_open.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/list.h"

#define KEY_BYTES_MAX 16

struct half_open_address {
	UT_hash_handle hh;
	struct half_open_bucket *bucket;
	struct half_open_address *prev, *next;            /* in the bucket's list */
	struct half_open_place *places[HALF_OPEN_STAGES]; /* the oldest first */
	enum half_open_stage least;                       /* the list that it is in */
	uint8_t key_len, key[KEY_BYTES_MAX];
};

struct half_open_bucket {
	struct half_open_bucket *fewer, *more;
	size_t each;    /* connections of each of its addresses */
	size_t members; /* addresses */
	struct half_open_address *addresses[HALF_OPEN_STAGES]; /* by their least progress */
};

/* --- buckets --- */

static struct half_open_bucket *bucket_new(struct half_open *h, struct half_open_bucket *fewer,
                                           size_t each)
{
	struct half_open_bucket *b = xnew(b);

	b->each = each;
	b->fewer = fewer;
	b->more = fewer == NULL ? h->fewest : fewer->more;
	if (b->more == NULL)
		h->most = b;
	else
		b->more->fewer = b;
	if (fewer == NULL)
		h->fewest = b;
	else
		fewer->more = b;
	return b;
}

static void bucket_drop_empty(struct half_open *h, struct half_open_bucket *b)
{
	if (b->members > 0)
		return;
	if (b->fewer == NULL)
		h->fewest = b->more;
	else
		b->fewer->more = b->more;
	if (b->more == NULL)
		h->most = b->fewer;
	else
		b->more->fewer = b->fewer;
	free(b);
}

/* --- addresses --- */

static enum half_open_stage least_of(const struct half_open_address *a)
{
	size_t i = 0;

	while (i + 1 < HALF_OPEN_STAGES && a->places[i] == NULL)
		i++;
	return (enum half_open_stage)i;
}

static void stand_in(struct half_open_address *a, struct half_open_bucket *b)
{
	REQUIRE(b->each > 0);
	a->bucket = b;
	a->least = least_of(a);
	DL_APPEND(b->addresses[a->least], a);
	b->members++;
}

static void step_out(struct half_open_address *a)
{
	REQUIRE(a->bucket->members > 0);
	DL_DELETE(a->bucket->addresses[a->least], a);
	a->bucket->members--;
}

/* Its places have changed: move it to the bucket of that many. */
static void move_to(struct half_open *h, struct half_open_address *a, size_t each)
{
	struct half_open_bucket *from = a->bucket, *to;
	struct half_open_bucket *fewer = each > from->each ? from : from->fewer;

	step_out(a);
	to = fewer == NULL ? h->fewest : fewer->more;
	if (each > 0) {
		if (fewer != NULL && fewer->each == each)
			to = fewer;
		else if (to == NULL || to->each != each)
			to = bucket_new(h, fewer, each);
		stand_in(a, to);
	}
	bucket_drop_empty(h, from);
}

static unsigned hash_of(struct slice key)
{
	unsigned hash;

	HASH_VALUE(key.len > 0 ? (const void *)key.data : "", key.len, hash);
	return hash;
}

static struct half_open_address *find(const struct half_open *h, struct slice key, unsigned hash)
{
	const void *data = key.len > 0 ? (const void *)key.data : "";
	struct half_open_address *a;

	HASH_FIND_BYHASHVALUE(hh, h->addresses, data, key.len, hash, a);
	return a;
}

static struct half_open_address *address_new(struct half_open *h, struct slice key, unsigned hash)
{
	struct half_open_address *a = xnew(a);

	REQUIRE(key.len <= sizeof(a->key));
	a->key_len = (uint8_t)key.len;
	if (key.len > 0)
		memcpy(a->key, key.data, key.len);
	HASH_ADD_KEYPTR_BYHASHVALUE(hh, h->addresses, a->key, a->key_len, hash, a);
	return a;
}

/* --- places --- */

void half_open_add(struct half_open *h, struct half_open_place *p, struct slice key,
                   enum half_open_stage stage)
{
	const unsigned hash = hash_of(key);
	struct half_open_address *a = find(h, key, hash);
	bool is_new = a == NULL;

	REQUIRE(p->address == NULL);
	if (is_new)
		a = address_new(h, key, hash);
	p->address = a;
	p->stage = stage;
	DL_APPEND(a->places[stage], p);
	h->count++;
	if (!is_new)
		move_to(h, a, a->bucket->each + 1);
	else if (h->fewest != NULL && h->fewest->each == 1)
		stand_in(a, h->fewest);
	else
		stand_in(a, bucket_new(h, NULL, 1));
}

void half_open_progress(struct half_open_place *p, enum half_open_stage stage)
{
	struct half_open_address *a = p->address;

	if (a == NULL || stage <= p->stage)
		return;
	DL_DELETE(a->places[p->stage], p);
	/* mutant: half_open_by_progress */
	DL_APPEND(a->places[stage], p);
	p->stage = stage;
	step_out(a);
	stand_in(a, a->bucket);
}

void half_open_remove(struct half_open *h, struct half_open_place *p)
{
	struct half_open_address *a = p->address;

	if (a == NULL)
		return;
	REQUIRE(h->count > 0 && a->bucket->each > 0);
	DL_DELETE(a->places[p->stage], p);
	p->address = NULL;
	h->count--;
	if (a->bucket->each > 1) {
		move_to(h, a, a->bucket->each - 1);
		return;
	}
	move_to(h, a, 0);
	HASH_DEL(h->addresses, a);
	free(a);
}

/* --- which one is displaced --- */

static struct half_open_place *least_place(const struct half_open_address *a)
{
	return a->places[least_of(a)];
}

static struct half_open_place *least_of_bucket(const struct half_open_bucket *b)
{
	size_t i = 0;

	while (b->addresses[i] == NULL)
		REQUIRE(++i < HALF_OPEN_STAGES); /* an empty bucket is freed */
	return least_place(b->addresses[i]);
}

static size_t count_of(const struct half_open_address *a)
{
	return a == NULL ? 0 : a->bucket->each;
}

bool half_open_is_even(const struct half_open *h, struct slice key)
{
	return h->most == NULL || h->most->each <= count_of(find(h, key, hash_of(key))) + 1;
}

struct half_open_place *half_open_victim(const struct half_open *h, struct slice key,
                                         enum half_open_stage stage)
{
	const struct half_open_address *own = find(h, key, hash_of(key));
	size_t has = count_of(own);
	struct half_open_place *p;

	/* mutant: half_open_by_address */
	if (h->most != NULL && h->most->each > has) {
		p = least_of_bucket(h->most);
		if (h->most->each > has + 1 || p->stage <= stage)
			return p;
	}
	p = own == NULL ? NULL : least_place(own);
	return p != NULL && p->stage <= stage ? p : NULL;
}

/* --- before all places are taken --- */

#define EARLY_MARGIN 4 /* a handful in flight is no attack */

size_t half_open_median(const struct half_open *h)
{
	size_t all = HASH_COUNT(h->addresses), seen = 0;

	for (const struct half_open_bucket *b = h->fewest; b != NULL; b = b->more) {
		seen += b->members;
		if (seen * 2 >= all)
			return b->each;
	}
	return 0;
}

bool half_open_refuses_early(const struct half_open *h, struct slice key, size_t max,
                             uint64_t chance)
{
	size_t begin = max - max / 4, median;

	if (h->count <= begin || h->count >= max)
		return false;
	median = half_open_median(h);
	/* mutant: half_open_early_by_median */
	if (count_of(find(h, key, hash_of(key))) <= median + median / 2 + EARLY_MARGIN)
		return false;
	return chance % (max - begin) < h->count - begin;
}
