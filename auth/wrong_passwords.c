/* An array, moved up by one whenever an item is used or goes: it is short. */
#include "auth/wrong_passwords.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/crypto.h"
#include "base/require.h"

/* The digest is an HMAC under a key that nobody has: half of it is enough to find no other. */
#define DIGEST_KEPT 16

struct tried_password {
	uint8_t digest[DIGEST_KEPT];
	enum tried tried;
};

void wrong_passwords_fini(struct wrong_passwords *w)
{
	crypto_wipe(w->items, w->cap * sizeof(*w->items));
	free(w->items);
	*w = (struct wrong_passwords){0};
}

/* Take one out. */
static void take_out(struct wrong_passwords *w, uint32_t index)
{
	REQUIRE(index < w->count);
	memmove(&w->items[index], &w->items[index + 1], (w->count - index - 1) * sizeof(*w->items));
	w->count--;
}

/* The most recently used. */
static void append(struct wrong_passwords *w, struct tried_password item)
{
	REQUIRE(item.tried != TRIED_NOT && w->count <= WRONG_PASSWORDS_MAX);
	if (w->count == WRONG_PASSWORDS_MAX)
		take_out(w, 0);
	array_reserve(w->items, w->cap, w->count + 1);
	w->items[w->count++] = item;
}

/* Take it out; all zero where it is not there. */
static struct tried_password remove_item(struct wrong_passwords *w, const uint8_t digest[32])
{
	for (uint32_t i = w->count; i-- > 0;) {
		struct tried_password item = w->items[i];

		if (memcmp(item.digest, digest, DIGEST_KEPT) == 0) {
			take_out(w, i);
			return item;
		}
	}
	return (struct tried_password){.tried = TRIED_NOT};
}

enum tried wrong_passwords_peek(const struct wrong_passwords *w, const uint8_t digest[32])
{
	for (uint32_t i = 0; i < w->count; i++) {
		if (memcmp(w->items[i].digest, digest, DIGEST_KEPT) == 0)
			return w->items[i].tried;
	}
	return TRIED_NOT;
}

enum tried wrong_passwords_find(struct wrong_passwords *w, const uint8_t digest[32])
{
	struct tried_password item = remove_item(w, digest);

	if (item.tried != TRIED_NOT)
		append(w, item);
	return item.tried;
}

void wrong_passwords_put(struct wrong_passwords *w, const uint8_t digest[32], enum tried tried)
{
	struct tried_password item = remove_item(w, digest);

	if (tried == TRIED_NOT)
		return;
	memcpy(item.digest, digest, DIGEST_KEPT);
	item.tried = tried;
	append(w, item);
}
