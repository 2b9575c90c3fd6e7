/* Lists of peers in a configuration: networks, ids of processes at Unix sockets, and the users whom
 * they are.  Inside conf/ only.  Thread: any. */
#ifndef CONF_PEER_LIST_H
#define CONF_PEER_LIST_H

#include "base/bytes.h"
#include "conf/schema_field.h"

/* Append one item to a struct conf_peers. False: it is none, and *in says why where that helps. */
bool peer_list_parse(const struct schema_key *key, struct value_input *in, void *field);
/* Append one line "ID: USER" to a struct conf_peer_users: the id. Its user is put afterwards. */
bool peer_list_parse_user(const struct schema_key *key, struct value_input *in, void *field);
/* The user of the line that was appended last. */
void peer_list_set_user(void *field, const char *user);
void peer_list_format(const struct schema_key *key, const void *field, struct buf *out);
void peer_list_expected(const struct schema_key *key, struct buf *out);
void peer_list_clear(const struct schema_key *key, void *field);
/* As it is written: "10.0.0.0/8", "uid:1000", "gid:100". */
void peer_list_put(const struct conf_peer *peer, struct buf *out);

#endif
