/* $share groups: members of (group, filter), online ones in front, taken in turn (section 4.8.2
 * of 5.0). A group lives while it has members; its id is never used again.  Any thread. */
#include "tree/route_share.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/array.h"
#include "base/hash.h"
#include "tree/route_tree.h"

static struct slice group_name(const struct route_group *g)
{
	return slice_of(g->name, g->name_len);
}

/* So many groups of one filter are found by a table; below the second number it goes again. */
/* mutant: groups_searched */
#define INDEX_FROM  16
#define INDEX_UNTIL 4

static uint64_t name_hash(struct slice name)
{
	return hash_bytes(name.data, name.len);
}

static bool has_name(const void *item, const void *key)
{
	return slice_equal(group_name(item), *(const struct slice *)key);
}

/* The group of this name among those of its filter, NULL: there is none. */
static struct route_group *group_named(const struct route_extra *x, struct slice name)
{
	void **place;

	if (x->by_name.count > 0) {
		place = table_find(&x->by_name, name_hash(name), has_name, &name);
		return place == NULL ? NULL : *place;
	}
	for (uint32_t i = 0; i < x->group_count; i++) {
		if (slice_equal(group_name(x->groups[i]), name))
			return x->groups[i];
	}
	return NULL;
}

static void add_to_index(struct route_extra *x, struct route_group *g)
{
	table_add(&x->by_name, name_hash(group_name(g)), g);
}

/* NOLINTBEGIN(readability-function-size): it counts the nesting inside uthash's macros */

static struct route_group *group_new(struct route *r, struct slice name)
{
	struct route_group *g = xcalloc(1, sizeof(*g) + name.len);

	REQUIRE(name.len > 0 && name.len <= UINT16_MAX);
	g->id = ++r->last_group_id;
	g->name_len = (uint16_t)name.len;
	memcpy(g->name, name.data, name.len);
	HASH_ADD(hh, r->groups, id, sizeof(g->id), g);
	return g;
}

static struct route_group *group_make(struct route *r, struct route_extra *x, struct slice name)
{
	struct route_group *g = group_named(x, name);

	if (g != NULL)
		return g;
	array_extend(x->groups, x->group_count);
	g = group_new(r, name);
	g->at = x->group_count;
	x->groups[x->group_count++] = g;
	if (x->by_name.count > 0)
		add_to_index(x, g);
	else if (x->group_count == INDEX_FROM) {
		for (uint32_t i = 0; i < x->group_count; i++)
			add_to_index(x, x->groups[i]);
	}
	return g;
}

static void group_forget(struct route *r, struct route_extra *x, struct route_group *g)
{
	struct route_group *last = x->groups[--x->group_count];

	x->groups[g->at] = last;
	last->at = g->at;
	if (x->by_name.count > 0)
		table_remove(&x->by_name, name_hash(group_name(g)), g);
	if (x->group_count < INDEX_UNTIL)
		table_fini(&x->by_name);
	HASH_DEL(r->groups, g);
	free(g);
}

/* NOLINTEND(readability-function-size) */

/* A member moves to the right side of the border between online and offline. */
static void member_mark(struct route_group *g, uint32_t at, bool online)
{
	REQUIRE(at < g->members.count && g->online <= g->members.count);
	if (online && at >= g->online)
		target_set_swap(&g->members, at, g->online++);
	else if (!online && at < g->online)
		target_set_swap(&g->members, at, --g->online);
}

bool route_share_put(struct route *r, struct slice group, struct slice filter,
                     const struct route_target *member, bool online)
{
	struct route_group *g;
	uint32_t at;
	bool is_new;

	REQUIRE((online || member->durable) && member->executor < r->executors);
	route_tree_write_begin(r);
	g = group_make(r, route_tree_extra(route_tree_make_node(r, filter)), group);
	at = target_set_find(&g->members, member->session_id);
	is_new = at == TARGET_NONE;
	if (is_new) {
		at = g->members.count;
		target_set_append(&g->members, member);
		r->counts.share_members++;
	} else {
		g->members.at[at] = *member;
	}
	member_mark(g, at, online);
	reader_locks_unlock_all(&r->reader_locks);
	return is_new;
}

/* The filter's node and its group of this name; false: there is none. */
static bool group_find(struct route *r, struct slice group, struct slice filter,
                       struct route_node **node, struct route_group **g)
{
	struct route_extra *x;

	*node = route_tree_find_node(r, filter);
	if (*node == NULL || (*node)->extra == NULL)
		return false;
	x = (*node)->extra;
	*g = group_named(x, group);
	return *g != NULL;
}

static bool member_remove(struct route *r, struct slice group, struct slice filter,
                          uint64_t session_id)
{
	struct route_node *node;
	struct route_group *g;
	uint32_t at;

	if (!group_find(r, group, filter, &node, &g))
		return false;
	at = target_set_find(&g->members, session_id);
	if (at == TARGET_NONE)
		return false;
	if (at < g->online) {
		member_mark(g, at, false);
		at = g->online;
	}
	target_set_remove(&g->members, at);
	REQUIRE(r->counts.share_members > 0);
	r->counts.share_members--;
	if (g->members.count == 0)
		group_forget(r, node->extra, g);
	route_tree_settle_node(r, node);
	return true;
}

bool route_share_remove(struct route *r, struct slice group, struct slice filter,
                        uint64_t session_id)
{
	bool removed;

	route_tree_write_begin(r);
	removed = member_remove(r, group, filter, session_id);
	reader_locks_unlock_all(&r->reader_locks);
	return removed;
}

void route_share_online(struct route *r, struct slice group, struct slice filter,
                        uint64_t session_id, bool online)
{
	struct route_node *node;
	struct route_group *g;
	uint32_t at;

	route_tree_write_begin(r);
	if (group_find(r, group, filter, &node, &g)) {
		at = target_set_find(&g->members, session_id);
		REQUIRE(at == TARGET_NONE || online || g->members.at[at].durable);
		if (at != TARGET_NONE)
			member_mark(g, at, online);
	}
	reader_locks_unlock_all(&r->reader_locks);
}

static bool is_tried(uint64_t session_id, const uint64_t *tried, size_t tried_count)
{
	for (size_t i = 0; i < tried_count; i++) {
		if (tried[i] == session_id)
			return true;
	}
	return false;
}

/* From `first` on, round `count` members. */
static const struct route_target *pick_from(const struct route_target *members, uint32_t count,
                                            uint32_t turn, const uint64_t *tried,
                                            size_t tried_count)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct route_target *m = &members[((uint64_t)turn + i) % count];

		if (!is_tried(m->session_id, tried, tried_count))
			return m;
	}
	return NULL;
}

const struct route_target *route_share_next(struct route_group *g, const uint64_t *tried,
                                            size_t tried_count)
{
	uint32_t turn = atomic_fetch_add_explicit(&g->turn, 1, memory_order_relaxed);
	const struct route_target *online =
	    pick_from(g->members.at, g->online, turn, tried, tried_count);

	if (online != NULL)
		return online;
	return pick_from(g->members.at + g->online, g->members.count - g->online, turn, tried,
	                 tried_count);
}

/* NOLINTNEXTLINE(readability-function-size): the same */
bool route_share_pick(struct route *r, unsigned slot, uint64_t group_id, const uint64_t *tried,
                      size_t tried_count, struct route_target *out)
{
	const struct route_target *member = NULL;
	struct route_group *g;

	reader_locks_lock(&r->reader_locks, slot);
	HASH_FIND(hh, r->groups, &group_id, sizeof(group_id), g);
	if (g != NULL)
		member = route_share_next(g, tried, tried_count);
	if (member != NULL) {
		*out = *member;
		out->online = member < g->members.at + g->online;
	}
	reader_locks_unlock(&r->reader_locks, slot);
	return member != NULL;
}
