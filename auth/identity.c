/* The key is one tag byte, the id of an entry (where there is one), then the name; the name of the
 * identity is the tail of its key. */
#include "auth/identity.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/require.h"
#include "base/utf8.h"

#define NAME_MAX_BYTES 256

static size_t key_write(uint8_t *key, enum identity_kind kind, struct slice name, uint64_t entry_id)
{
	size_t len = 0;

	if (kind == IDENTITY_ANONYMOUS) {
		key[len++] = 'a';
		return len;
	}
	if (kind == IDENTITY_CERTIFICATE && entry_id == 0) {
		key[len++] = 'c';
	} else {
		key[len++] = 'u';
		for (int shift = 56; shift >= 0; shift -= 8)
			key[len++] = (uint8_t)(entry_id >> shift);
	}
	memcpy(key + len, name.data, name.len);
	return len + name.len;
}

struct identity *identity_new(enum identity_kind kind, struct slice name, uint64_t entry_id,
                              uint64_t credential)
{
	struct identity *id;
	uint8_t *key;
	size_t len;

	REQUIRE((kind == IDENTITY_ANONYMOUS) == (name.len == 0));
	id = xalloc(sizeof(*id) + 1 + sizeof(entry_id) + name.len);
	key = (uint8_t *)(id + 1);
	len = key_write(key, kind, name, entry_id);
	*id = (struct identity){
	    .refs = 1,
	    .kind = kind,
	    .entry_id = entry_id,
	    .name = slice_of(key + len - name.len, name.len),
	    .key = slice_of(key, len),
	    .credential = credential,
	};
	return id;
}

struct slice identity_key_name(struct slice key)
{
	size_t before = key.len > 0 && key.data[0] == 'u' ? 1 + sizeof(uint64_t) : 1;

	return key.len <= before ? SLICE_EMPTY : slice_skip(key, before);
}

struct identity *identity_ref(struct identity *id)
{
	id->refs++;
	return id;
}

void identity_unref(struct identity **id)
{
	if (*id != NULL && --(*id)->refs == 0)
		free(*id);
	*id = NULL;
}

static const char *character_refused(uint32_t c)
{
	if (c == '/' || c == '+' || c == '#')
		return "a user name must not have '/', '+' or '#': they have a meaning in topics";
	if (utf8_is_control(c))
		return "a user name must not have control characters";
	return NULL;
}

bool identity_name_valid(struct slice name, const char **why)
{
	uint32_t c;

	*why = NULL;
	if (name.len == 0)
		*why = "a user name must not be empty";
	else if (name.len > NAME_MAX_BYTES)
		*why = "a user name must not be longer than 256 bytes";
	else if (!utf8_valid(name))
		*why = "a user name must be valid UTF-8";
	else if (name.data[0] == '$')
		*why = "a user name must not begin with '$': such topics are the broker's own";
	else if (name.data[0] == '#')
		*why = "a user name must not begin with '#': it begins a comment";
	for (size_t at = 0; *why == NULL && at < name.len;) {
		at += utf8_decode(slice_skip(name, at), &c);
		*why = character_refused(c);
	}
	return *why == NULL;
}
