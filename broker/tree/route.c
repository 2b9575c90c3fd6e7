/* Who subscribes to what: executors and durable targets of filters come and go.  Each writer takes
 * all slots for the time of its change; matching is route_match.c, groups are route_share.c.  Any
 * thread. */
#include "tree/route.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "tree/route_tree.h"

struct route *route_new(unsigned executors)
{
	struct route *r = xnew(r);

	route_tree_init(r, executors);
	return r;
}

void route_free(struct route *r)
{
	if (r == NULL)
		return;
	route_tree_fini(r);
	free(r);
}

void route_read_begin(struct route *r, unsigned slot)
{
	reader_locks_lock(&r->reader_locks, slot);
}

void route_read_end(struct route *r, unsigned slot)
{
	reader_locks_unlock(&r->reader_locks, slot);
}

void route_read_require(const struct route *r, unsigned slot)
{
	reader_locks_require(&r->reader_locks, slot);
}

/* Has the executor joined already? Nobody but itself could change that. */
static uint64_t find_joined_id(struct route *r, unsigned executor, struct slice filter)
{
	const struct route_node *node;
	uint64_t id = 0;

	reader_locks_lock(&r->reader_locks, executor);
	node = route_tree_find_node(r, filter);
	if (node != NULL && (node->executors >> executor & 1) != 0)
		id = node->id;
	reader_locks_unlock(&r->reader_locks, executor);
	return id;
}

uint64_t route_join(struct route *r, unsigned executor, struct slice filter)
{
	struct route_node *node;
	uint64_t id;

	REQUIRE(executor < r->executors);
	id = find_joined_id(r, executor, filter);
	if (id != 0)
		return id;
	route_tree_write_begin(r);
	node = route_tree_make_node(r, filter);
	node->executors |= (uint64_t)1 << executor;
	r->counts.executors_joined++;
	id = node->id;
	reader_locks_unlock_all(&r->reader_locks);
	return id;
}

void route_leave(struct route *r, unsigned executor, struct slice filter)
{
	struct route_node *node;
	uint64_t bit;

	REQUIRE(executor < r->executors);
	bit = (uint64_t)1 << executor;
	route_tree_write_begin(r);
	node = route_tree_find_node(r, filter);
	REQUIRE(node != NULL && (node->executors & bit) != 0);
	node->executors &= ~bit;
	REQUIRE(r->counts.executors_joined > 0);
	r->counts.executors_joined--;
	route_tree_settle_node(r, node);
	reader_locks_unlock_all(&r->reader_locks);
}

bool route_target_put(struct route *r, struct slice filter, struct route_target *target,
                      const _Atomic uint64_t *clock)
{
	struct targets *set;
	uint32_t at;

	REQUIRE(target->durable && target->executor < r->executors && target->session_id != 0);
	route_tree_write_begin(r);
	target->since = *clock;
	set = &route_tree_extra(route_tree_make_node(r, filter))->targets;
	at = target_set_find(set, target->session_id);
	if (at == TARGET_NONE) {
		target_set_append(set, target);
		r->counts.targets++;
	} else {
		set->at[at] = *target;
	}
	reader_locks_unlock_all(&r->reader_locks);
	return at == TARGET_NONE;
}

static bool target_remove(struct route *r, struct slice filter, uint64_t session_id)
{
	struct route_node *node = route_tree_find_node(r, filter);
	uint32_t at;

	if (node == NULL || node->extra == NULL)
		return false;
	at = target_set_find(&node->extra->targets, session_id);
	if (at == TARGET_NONE)
		return false;
	target_set_remove(&node->extra->targets, at);
	REQUIRE(r->counts.targets > 0);
	r->counts.targets--;
	route_tree_settle_node(r, node);
	return true;
}

bool route_target_remove(struct route *r, struct slice filter, uint64_t session_id)
{
	bool removed;

	route_tree_write_begin(r);
	removed = target_remove(r, filter, session_id);
	reader_locks_unlock_all(&r->reader_locks);
	return removed;
}

void route_count(struct route *r, unsigned slot, struct route_counts *out)
{
	reader_locks_lock(&r->reader_locks, slot);
	*out = (struct route_counts){.filters = r->counts.filters,
	                             .executors_joined = r->counts.executors_joined,
	                             .targets = r->counts.targets,
	                             .share_members = r->counts.share_members};
	reader_locks_unlock(&r->reader_locks, slot);
}
