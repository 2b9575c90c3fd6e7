/* $share groups: members of (group, filter); each message goes to one of them. (Section 4.8.2 of
 * MQTT 5.0.)  Thread: any. */
#ifndef TREE_ROUTE_SHARE_H
#define TREE_ROUTE_SHARE_H

#include "tree/route.h"

struct route_group;

/* A member that is not durable is always online; a durable one
 * is marked as its connection comes and goes. */
bool route_share_put(struct route *r, struct slice group, struct slice filter,
                     const struct route_target *member, bool online);
bool route_share_remove(struct route *r, struct slice group, struct slice filter,
                        uint64_t session_id);
void route_share_online(struct route *r, struct slice group, struct slice filter,
                        uint64_t session_id, bool online);

/* Another member of a group, none of those in `tried`; false: nobody else. Takes the read section
 * itself. */
bool route_share_pick(struct route *r, unsigned slot, uint64_t group_id, const uint64_t *tried,
                      size_t tried_count, struct route_target *out);

/* The next member in turn, NULL when all are in `tried`. Inside a read section: for route_match. */
const struct route_target *route_share_next(struct route_group *g, const uint64_t *tried,
                                            size_t tried_count);

#endif
