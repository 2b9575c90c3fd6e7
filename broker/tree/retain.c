/* Changes of the retained tree: one topic at a time under its shard; nodes come and go under all
 * slots.  A topic without a node gets one before its change begins, because the shape cannot be
 * changed while the caller's slot is held; a node that turns out empty is listed as garbage and
 * freed later, many at once.  Replay is retain_replay.c.  Any thread. */
#include "tree/retain.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "proto/topic.h"
#include "tree/retain_tree.h"

#define GARBAGE_ALLOWED 64 /* empty nodes that may wait for the sweep */

struct retain *retain_new(unsigned executors)
{
	struct retain *r = xnew(r);

	reader_locks_init(&r->reader_locks, executors + 1);
	reader_locks_init(&r->shards, RETAIN_SHARDS);
	level_tree_init(&r->tree, sizeof(struct retain_node));
	topic_owners_init(&r->owners);
	mutex_init(&r->garbage_lock);
	r->shared_slot = executors;
	return r;
}

void retain_free(struct retain *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < level_tree_slots(&r->tree); i++) {
		struct level_node *level = level_tree_at(&r->tree, i);

		if (level == NULL)
			continue;
		REQUIRE(retain_node_of(level)->pins == 0);
		topic_owners_unref(&r->owners, &retain_node_of(level)->owner);
		retain_writer_drop(r, retain_node_of(level));
		msg_unref(&retain_node_of(level)->value);
	}
	level_tree_fini(&r->tree);
	topic_owners_fini(&r->owners);
	reader_locks_fini(&r->shards);
	reader_locks_fini(&r->reader_locks);
	mutex_fini(&r->garbage_lock);
	free(r->garbage);
	free(r);
}

const _Atomic uint64_t *retain_clock(const struct retain *r)
{
	return &r->clock;
}

/* --- nodes --- */

static unsigned shard_of(const struct retain_node *n)
{
	return (unsigned)(n->level.hash >> 32) % RETAIN_SHARDS;
}

void retain_shard_lock(struct retain *r, const struct retain_node *n)
{
	reader_lock(&r->shards, shard_of(n));
}

void retain_shard_unlock(struct retain *r, const struct retain_node *n)
{
	reader_unlock(&r->shards, shard_of(n));
}

/* New nodes go to the front of their siblings: a replay never runs after them. */
static struct retain_node *node_add(struct retain *r, struct retain_node *parent,
                                    struct slice level, uint64_t hash)
{
	struct retain_node *n =
	    retain_node_of(level_tree_make(&r->tree, &parent->level, level, hash));

	n->next = parent->first_child;
	n->link = &parent->first_child;
	if (n->next != NULL)
		n->next->link = &n->next;
	parent->first_child = n;
	return n;
}

static struct retain_node *node_remove(struct retain *r, struct retain_node *n)
{
	*n->link = n->next;
	if (n->next != NULL)
		n->next->link = n->link;
	return retain_node_of(level_tree_remove(&r->tree, &n->level));
}

static void node_make(struct retain *r, struct slice topic)
{
	struct topic_walk walk = topic_walk_of(topic);
	struct retain_node *at = retain_node_of(r->tree.root);
	struct slice level;

	while (topic_walk_next(&walk, &level)) {
		uint64_t hash = level_hash(level);
		struct level_node *child = level_tree_child(&r->tree, &at->level, level, hash);

		at = child != NULL ? retain_node_of(child) : node_add(r, at, level, hash);
	}
}

static bool node_is_needed(const struct retain_node *n)
{
	return n->value != NULL || n->owner != NULL || n->level.children > 0 || n->pins > 0;
}

void retain_node_discard(struct retain *r, struct retain_node *n)
{
	if (node_is_needed(n))
		return;
	mutex_lock(&r->garbage_lock);
	if (n->level.mark == 0) {
		if (r->garbage_count == r->garbage_cap) {
			r->garbage_cap = r->garbage_cap == 0 ? GARBAGE_ALLOWED : r->garbage_cap * 2;
			r->garbage = xrealloc_array(r->garbage, r->garbage_cap,
			                            sizeof(struct retain_node *));
		}
		n->level.mark = 1;
		r->garbage[r->garbage_count++] = n;
	}
	mutex_unlock(&r->garbage_lock);
}

/* The node and the levels that led only to it. One that is still listed is left to its own turn. */
static void prune(struct retain *r, struct retain_node *n)
{
	while (&n->level != r->tree.root && !node_is_needed(n) && n->level.mark == 0)
		n = node_remove(r, n);
}

static void collect_garbage(struct retain *r)
{
	reader_locks_lock_all(&r->reader_locks);
	mutex_lock(&r->garbage_lock);
	while (r->garbage_count > 0) {
		struct retain_node *n = r->garbage[--r->garbage_count];

		n->level.mark = 0;
		prune(r, n);
	}
	mutex_unlock(&r->garbage_lock);
	reader_locks_unlock_all(&r->reader_locks);
}

void retain_leave(struct retain *r, unsigned slot)
{
	reader_unlock(&r->reader_locks, slot);
	if (r->garbage_count >= GARBAGE_ALLOWED)
		collect_garbage(r);
}

static void value_drop(struct retain *r, struct retain_node *n)
{
	r->values--;
	r->bytes -= retain_cost(n->value);
	retain_writer_drop(r, n);
	msg_unref(&n->value);
}

void retain_node_settle(struct retain *r, struct retain_node *n, uint64_t now_ms)
{
	if (n->value != NULL && msg_is_expired(n->value, now_ms)) {
		n->owned_until_ms = n->value->expires_ms + RETAIN_OWNED_AFTER_MS;
		value_drop(r, n);
	}
	if (n->owner == NULL)
		return;
	if (n->owner->gone || (n->value == NULL && now_ms >= n->owned_until_ms))
		topic_owners_unref(&r->owners, &n->owner);
}

/* --- one change --- */

static struct retain_node *node_enter(struct retain *r, unsigned slot, struct slice topic)
{
	for (;;) {
		struct level_node *level;

		reader_lock(&r->reader_locks, slot);
		level = level_tree_find(&r->tree, topic);
		if (level != NULL)
			return retain_node_of(level);
		reader_unlock(&r->reader_locks, slot);
		reader_locks_lock_all(&r->reader_locks);
		node_make(r, topic);
		reader_locks_unlock_all(&r->reader_locks);
	}
}

void retain_begin(struct retain *r, unsigned slot, struct slice topic, uint64_t now_ms,
                  struct retain_change *out)
{
	struct retain_node *n = node_enter(r, slot, topic);

	retain_shard_lock(r, n);
	retain_node_settle(r, n, now_ms);
	*out = (struct retain_change){
	    .retain = r,
	    .node = n,
	    .slot = slot,
	    .owner = owner_key(n->owner),
	    .current = n->value,
	    .now_ms = now_ms,
	};
}

/* Taken under the shard, so that who reads the clock and then this topic finds the change. */
static uint64_t next_number(struct retain *r)
{
	return ++r->clock;
}

/* [MQTT3-3.3.1-5, -7] [MQTT5-3.3.1-5] */
static void put_numbered(struct retain_change *c, struct msg *msg, uint64_t number)
{
	struct retain *r = c->retain;
	struct retain_node *n = c->node;
	uint64_t more = n->value == NULL ? retain_cost(msg) /* modulo 2^64: it may be less */
	                                 : msg_bytes(msg) - msg_bytes(n->value);

	c->number = msg->number = number;
	if (n->value == NULL)
		r->values++;
	if (more != 0) /* shared by all workers: leave it alone where nothing changes */
		r->bytes += more;
	retain_writer_set(r, n, msg);
	msg_unref(&n->value);    /* [MQTT3-3.3.1-7] [MQTT5-3.3.1-5] */
	n->value = msg_ref(msg); /* [MQTT3-3.3.1-5] [MQTT5-3.3.1-5] */
	n->writer_generation = 0;
	c->current = msg;
}

/* [MQTT3-3.1.2-7] */
void retain_put(struct retain_change *c, struct msg *msg)
{
	REQUIRE(msg_payload(msg).len > 0); /* [MQTT3-3.3.1-11] [MQTT5-3.3.1-7] */
	put_numbered(c, msg, next_number(c->retain));
}

void retain_delete(struct retain_change *c, uint64_t now_ms)
{
	c->number = next_number(c->retain);
	if (c->node->value == NULL)
		return;
	value_drop(c->retain, c->node); /* [MQTT3-3.3.1-10] [MQTT5-3.3.1-6] */
	c->node->owned_until_ms = now_ms + RETAIN_OWNED_AFTER_MS;
	c->current = NULL;
}

void retain_own(struct retain_change *c, struct slice owner)
{
	struct owners *owners = &c->retain->owners;
	struct retain_node *n = c->node;
	struct owner *before = n->owner;

	n->owner = owner.len == 0 ? NULL : topic_owners_ref(owners, owner);
	topic_owners_unref(owners, &before);
	if (n->value == NULL)
		n->owned_until_ms = c->now_ms + RETAIN_OWNED_AFTER_MS;
	c->owner = owner_key(n->owner);
}

void retain_end(struct retain_change *c)
{
	struct retain *r = c->retain;

	retain_node_discard(r, c->node);
	retain_shard_unlock(r, c->node);
	retain_leave(r, c->slot);
	*c = (struct retain_change){.number = c->number};
}

/* --- what was kept --- */

void retain_advance(struct retain *r, uint64_t number)
{
	if (r->clock < number)
		r->clock = number;
}

void retain_restore(struct retain *r, struct slice topic, uint64_t number, struct msg *msg,
                    struct slice owner, uint64_t owned_until_ms)
{
	struct retain_change c;

	retain_begin(r, r->shared_slot, topic, 0, &c);
	if (owner.len > 0)
		retain_own(&c, owner);
	if (msg != NULL)
		put_numbered(&c, msg, number);
	else
		c.node->owned_until_ms = owned_until_ms;
	retain_end(&c);
	retain_advance(r, number);
}

/* --- questions --- */

void retain_owner(struct retain *r, unsigned slot, struct slice topic, uint64_t now_ms,
                  struct buf *key)
{
	struct level_node *level;
	struct retain_node *n;

	reader_lock(&r->reader_locks, slot);
	level = level_tree_find(&r->tree, topic);
	if (level != NULL) {
		n = retain_node_of(level);
		retain_shard_lock(r, n);
		retain_node_settle(r, n, now_ms);
		buf_put_slice(key, owner_key(n->owner));
		retain_shard_unlock(r, n);
	}
	reader_unlock(&r->reader_locks, slot);
}

void retain_release_owner(struct retain *r, struct slice owner)
{
	topic_owners_release(&r->owners, owner);
}

struct msg *retain_find(struct retain *r, unsigned slot, struct slice topic, uint64_t now_ms)
{
	struct level_node *level;
	struct retain_node *n;
	struct msg *found = NULL;

	reader_lock(&r->reader_locks, slot);
	level = level_tree_find(&r->tree, topic);
	if (level != NULL) {
		n = retain_node_of(level);
		retain_shard_lock(r, n);
		if (n->value != NULL && !msg_is_expired(n->value, now_ms))
			found = msg_ref(n->value);
		retain_shard_unlock(r, n);
	}
	reader_unlock(&r->reader_locks, slot);
	return found;
}

bool retain_has(struct retain *r, unsigned slot, struct slice topic, uint64_t until)
{
	struct level_node *level;
	bool has = false;

	reader_lock(&r->reader_locks, slot);
	level = level_tree_find(&r->tree, topic);
	if (level != NULL) {
		const struct retain_node *n = retain_node_of(level);

		retain_shard_lock(r, n);
		has = n->value != NULL && n->value->number <= until;
		retain_shard_unlock(r, n);
	}
	reader_unlock(&r->reader_locks, slot);
	return has;
}

void retain_sweep(struct retain *r, uint64_t now_ms, size_t budget)
{
	size_t reader_locks, at;

	reader_lock(&r->reader_locks, r->shared_slot);
	reader_locks = level_tree_slots(&r->tree);
	budget = budget < reader_locks ? budget : reader_locks;
	at = atomic_fetch_add(&r->sweep_at, budget);
	for (size_t i = at; i < at + budget; i++) {
		struct level_node *level = level_tree_at(&r->tree, i);

		if (level == NULL)
			continue;
		retain_shard_lock(r, retain_node_of(level));
		retain_node_settle(r, retain_node_of(level), now_ms);
		retain_node_discard(r, retain_node_of(level));
		retain_shard_unlock(r, retain_node_of(level));
	}
	reader_unlock(&r->reader_locks, r->shared_slot);
	if (r->garbage_count > 0)
		collect_garbage(r);
}

void retain_count(const struct retain *r, struct retain_counts *out)
{
	*out = (struct retain_counts){.values = r->values, .bytes = r->bytes};
}
