/* The key is one tag byte, the id of an entry (where there is one), then the name; the name of the
 * identity is the tail of its key. */
#include "auth/identity.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/require.h"
#include "base/utf8.h"

#define NAME_MAX_BYTES 256

bool identity_roles_equal(char *const *a, size_t a_count, char *const *b, size_t b_count)
{
	if (a_count != b_count)
		return false;
	for (size_t i = 0; i < a_count; i++) {
		if (strcmp(a[i], b[i]) != 0)
			return false;
	}
	return true;
}

struct identity *identity_new(enum identity_kind kind, struct slice name, uint64_t entry_id,
                              uint64_t credential)
{
	struct identity *id;
	uint8_t *key;
	size_t len = 0;

	REQUIRE((kind == IDENTITY_ANONYMOUS) == (name.len == 0));
	id = xalloc(sizeof(*id) + 1 + sizeof(entry_id) + name.len);
	key = (uint8_t *)(id + 1);
	if (kind == IDENTITY_ANONYMOUS) {
		key[len++] = 'a';
	} else if ((kind == IDENTITY_CERTIFICATE || kind == IDENTITY_PEER) && entry_id == 0) {
		key[len++] = 'c';
	} else {
		key[len++] = 'u';
		for (int shift = 56; shift >= 0; shift -= 8)
			key[len++] = (uint8_t)(entry_id >> shift);
	}
	if (name.len > 0)
		memcpy(key + len, name.data, name.len);
	*id = (struct identity){
	    .refs = 1,
	    .kind = kind,
	    .entry_id = entry_id,
	    .name = slice_of(key + len, name.len),
	    .key = slice_of(key, len + name.len),
	    .credential = credential,
	};
	return id;
}

struct slice identity_key_name(struct slice key)
{
	size_t before = key.len > 0 && key.data[0] == 'u' ? 1 + sizeof(uint64_t) : 1;

	return key.len <= before ? SLICE_EMPTY : slice_skip(key, before);
}

uint64_t identity_key_entry_id(struct slice key)
{
	struct reader r = reader_of(key);

	return read_u8(&r) == 'u' ? read_u64(&r) : 0;
}

struct identity *identity_ref(struct identity *id)
{
	REQUIRE(id->refs > 0);
	id->refs++;
	return id;
}

void identity_unref(struct identity **id)
{
	REQUIRE(*id == NULL || (*id)->refs > 0);
	if (*id != NULL && --(*id)->refs == 0)
		free(*id);
	*id = NULL;
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
		if (c == '/' || c == '+' || c == '#')
			*why = "a user name must not have '/', '+' or '#': they have a meaning in "
			       "topics";
		else if (utf8_is_control(c))
			*why = "a user name must not have control characters";
	}
	return *why == NULL;
}
