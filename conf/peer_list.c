/* Texts to peers and back. */
#include "conf/peer_list.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/require.h"
#include "conf/value_quote.h"

#define UID_PREFIX "uid:"
#define GID_PREFIX "gid:"
/* What the kernel says of ids that have none in this user namespace. */
#define ID_OVERFLOW 65534

static bool refuse(struct value_input *in, char *why)
{
	in->why = why;
	return false;
}

/* A number of a user or a group that can be one peer's. */
static bool parse_id(struct value_input *in, const char *text, uint32_t *out)
{
	size_t len = strlen(text);
	unsigned long long value;

	if (len == 0 || len > 10 || strspn(text, "0123456789") != len ||
	    (text[0] == '0' && len > 1))
		return refuse(in, xasprintf("'%.80s' is not the number of a user or a group; 'id "
		                            "NAME' shows both",
		                            text));
	value = strtoull(text, NULL, 10);
	/* mutant: id_of_other_namespaces */
	if (value == ID_OVERFLOW)
		return refuse(in,
		              xstrdup("65534 is what the system shows of everybody whose user "
		                      "namespace is another one: it names nobody in particular"));
	if (value >= UINT32_MAX)
		return refuse(in, xasprintf("%s is not the number of a user or a group", text));
	*out = (uint32_t)value;
	return true;
}

static bool parse_network(struct value_input *in, struct conf_peer *out)
{
	char *why;

	out->kind = CONF_PEER_NETWORK;
	if (cidr_parse(in->text, &out->network, &why))
		return true;
	if (why != NULL) {
		in->why = xasprintf("'%.80s': %s", in->text, why);
		free(why);
	}
	return false;
}

bool peer_list_parse(const struct schema_key *key, struct value_input *in, void *field)
{
	struct conf_peer peer = {.kind = CONF_PEER_UID};
	struct conf_peers list;
	bool is_uid =
	    key->kind == SCHEMA_SENDERS && strncmp(in->text, UID_PREFIX, strlen(UID_PREFIX)) == 0;

	if (is_uid ? !parse_id(in, in->text + strlen(UID_PREFIX), &peer.id)
	           : !parse_network(in, &peer))
		return false;
	memcpy(&list, field, sizeof(list));
	list.items = xrealloc_array(list.items, list.count + 1, sizeof(*list.items));
	list.items[list.count++] = peer;
	memcpy(field, &list, sizeof(list));
	return true;
}

bool peer_list_parse_user(const struct schema_key *key, struct value_input *in, void *field)
{
	bool is_gid = strncmp(in->text, GID_PREFIX, strlen(GID_PREFIX)) == 0;
	struct conf_peer_user user = {.peer.kind = is_gid ? CONF_PEER_GID : CONF_PEER_UID};
	struct conf_peer_users list;

	(void)key;
	if (!parse_id(in, in->text + (is_gid ? strlen(GID_PREFIX) : 0), &user.peer.id))
		return false;
	memcpy(&list, field, sizeof(list));
	list.items = xrealloc_array(list.items, list.count + 1, sizeof(*list.items));
	list.items[list.count++] = user;
	memcpy(field, &list, sizeof(list));
	return true;
}

void peer_list_set_user(void *field, const char *user)
{
	struct conf_peer_users list;

	memcpy(&list, field, sizeof(list));
	REQUIRE(list.count > 0 && list.items[list.count - 1].user == NULL);
	list.items[list.count - 1].user = xstrdup(user);
}

void peer_list_put(const struct conf_peer *peer, struct buf *out)
{
	char text[CIDR_TEXT];

	switch (peer->kind) {
	case CONF_PEER_NETWORK:
		buf_put(out, text, cidr_text(&peer->network, text, sizeof(text)));
		break;
	case CONF_PEER_UID:
		buf_printf(out, UID_PREFIX "%" PRIu32, peer->id);
		break;
	case CONF_PEER_GID:
		buf_printf(out, GID_PREFIX "%" PRIu32, peer->id);
		break;
	}
}

static void put_users(const struct conf_peer_users *list, struct buf *out)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct conf_peer_user *user = &list->items[i];

		buf_printf(out, i == 0 ? "{" : ", ");
		if (user->peer.kind == CONF_PEER_UID)
			buf_printf(out, "%" PRIu32 ": ", user->peer.id);
		else
			buf_printf(out, "\"" GID_PREFIX "%" PRIu32 "\": ", user->peer.id);
		value_quote(user->user == NULL ? "" : user->user, out);
	}
	buf_printf(out, list->count == 0 ? "null" : "}");
}

void peer_list_format(const struct schema_key *key, const void *field, struct buf *out)
{
	struct conf_peer_users users;
	struct conf_peers list;

	if (key->kind == SCHEMA_PEER_USERS) {
		memcpy(&users, field, sizeof(users));
		put_users(&users, out);
		return;
	}
	memcpy(&list, field, sizeof(list));
	for (size_t i = 0; i < list.count; i++) {
		buf_printf(out, i == 0 ? "[\"" : ", \"");
		peer_list_put(&list.items[i], out);
		buf_put_u8(out, '"');
	}
	buf_printf(out, list.count == 0 ? "null" : "]");
}

void peer_list_expected(const struct schema_key *key, struct buf *out)
{
	if (key->kind == SCHEMA_PEER_USERS)
		buf_printf(out,
		           "a mapping of %" PRIu64 " to %" PRIu64
		           " lines like '1000: anna' (the number of a user) or 'gid:100: family' "
		           "(of a group)",
		           key->min, key->max);
	else
		buf_printf(out,
		           "a list of %" PRIu64 " to %" PRIu64
		           " addresses or networks like [\"192.0.2.7\", \"10.0.0.0/8\"]%s",
		           key->min, key->max,
		           key->kind == SCHEMA_SENDERS
		               ? " on TCP, and of users like [\"uid:998\"] on a Unix socket"
		               : "");
}

void peer_list_clear(const struct schema_key *key, void *field)
{
	struct conf_peer_users users;
	struct conf_peers list;

	if (key->kind == SCHEMA_PEER_USERS) {
		memcpy(&users, field, sizeof(users));
		for (size_t i = 0; i < users.count; i++)
			free(users.items[i].user);
		free(users.items);
		memset(field, 0, sizeof(users));
		return;
	}
	memcpy(&list, field, sizeof(list));
	free(list.items);
	memset(field, 0, sizeof(list));
}
