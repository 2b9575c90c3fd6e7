/* What follows the user's name in a client id must end it, or the user `al` could take the ids of
 * `alice`.  Only ASCII characters count as an end: which other characters are letters depends on
 * tables of Unicode that change, and a name that continues with such a letter is another name. */
#include "auth/client_id.h"

#include "base/require.h"

static bool ends_a_name(uint8_t c)
{
	bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

	/* mutant: client_id_letters_beyond_ascii, client_id_prefix_ends */
	return c < 0x80 && !letter && !(c >= '0' && c <= '9');
}

const char *client_id_misfit(enum conf_bind_client_id bind, struct slice client_id,
                             struct slice user)
{
	switch (bind) {
	case BIND_CLIENT_ID_NONE:
		return NULL;
	case BIND_CLIENT_ID_EQUAL:
		if (client_id.len == 0)
			return "bind_client_id: equal does not allow an empty client id: set the "
			       "client's id to its user name";
		if (slice_equal(client_id, user))
			return NULL;
		return "the client id does not match bind_client_id: equal: set it to the user "
		       "name";
	case BIND_CLIENT_ID_PREFIX:
		if (client_id.len == 0)
			return "bind_client_id: prefix does not allow an empty client id: give the "
			       "client one that begins with its user name";
		if (!slice_starts_with(client_id, user))
			return "the client id does not match bind_client_id: prefix: it must be "
			       "the user name, or the user name followed by a character like '-'";
		if (client_id.len == user.len || ends_a_name(client_id.data[user.len]))
			return NULL;
		return "the client id does not match bind_client_id: prefix: an ASCII character "
		       "that is neither a letter nor a digit must follow the user name; change the "
		       "client id, or set bind_client_id: prefix_any, which allows any";
	case BIND_CLIENT_ID_PREFIX_ANY: /* what `prefix` was before there was prefix_any */
		if (client_id.len == 0 || slice_starts_with(client_id, user))
			return NULL;
		return "the client id does not match bind_client_id: prefix_any: it must begin "
		       "with the user name";
	}
	UNREACHABLE();
}
