/* What a listener says of its peers: allow_from, PROXY headers, peer_users, assume_user.  Inside
 * conf/ only.  Thread: the caller's. */
#ifndef CONF_CONF_CHECK_PEERS_H
#define CONF_CONF_CHECK_PEERS_H

#include "conf/conf.h"
#include "conf/errors.h"
#include "conf/yaml.h"

/* `node`: the mapping of the listener, for the places. */
void conf_check_peers(const struct conf_listener *l, const char *name, const struct yaml_node *node,
                      struct errors *errors);

#endif
