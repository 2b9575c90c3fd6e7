/* The retained messages: one change of one topic at a time under its shard, and what is asked of
 * one topic.  The tree itself is retain_tree.c, limits are retain_limits.c, the walk for a new
 * subscription is retain_cursor.c.  Any thread. */
#include "tree/retain.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "proto/topic.h"
#include "tree/retain_tree.h"

struct retain *retain_new(unsigned executors)
{
	struct retain *r = xnew(r);

	reader_locks_init(&r->reader_locks, executors + 1, LOCK_RETAINED);
	reader_locks_init(&r->shards, RETAIN_SHARDS, LOCK_RETAINED_SHARD);
	level_tree_init(&r->tree, sizeof(struct retain_node));
	topic_owners_init(&r->owners);
	mutex_init(&r->garbage_lock, LOCK_RETAINED_GARBAGE);
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
		retain_tree_drop_writer(r, retain_node_of(level));
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

/* --- one change --- */

void retain_begin(struct retain *r, unsigned slot, struct slice topic, uint64_t now_ms,
                  struct retain_change *out)
{
	struct retain_node *n;

	REQUIRE(topic.len > 0 && slot <= r->shared_slot);
	n = retain_tree_enter(r, slot, topic);
	retain_tree_lock_shard(r, n);
	retain_tree_settle_node(r, n, now_ms);
	*out = (struct retain_change){
	    .retain = r,
	    .node = n,
	    .slot = slot,
	    .owner = topic_owners_key(n->owner),
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
	uint64_t more = n->value == NULL ? retain_tree_cost(msg) /* modulo 2^64: it may be less */
	                                 : msg_bytes(msg) - msg_bytes(n->value);

	retain_tree_require_shard(c->retain, c->node);
	REQUIRE(number != 0 && (msg->number == 0 || msg->number == number));
	c->number = msg->number = number;
	if (n->value == NULL)
		r->values++;
	if (more != 0) /* shared by all workers: leave it alone where nothing changes */
		r->bytes += more;
	retain_tree_set_writer(r, n, msg);
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
	retain_tree_require_shard(c->retain, c->node);
	c->number = next_number(c->retain);
	if (c->node->value == NULL)
		return;
	retain_tree_drop_value(c->retain, c->node); /* [MQTT3-3.3.1-10] [MQTT5-3.3.1-6] */
	c->node->owned_until_ms = now_ms + TOPIC_OWNERS_RETENTION_MS;
	c->current = NULL;
}

void retain_own(struct retain_change *c, struct slice owner)
{
	struct owners *owners = &c->retain->owners;
	struct retain_node *n = c->node;
	struct owner *before = n->owner;

	retain_tree_require_shard(c->retain, c->node);
	n->owner = owner.len == 0 ? NULL : topic_owners_ref(owners, owner);
	topic_owners_unref(owners, &before);
	if (n->value == NULL)
		n->owned_until_ms = c->now_ms + TOPIC_OWNERS_RETENTION_MS;
	c->owner = topic_owners_key(n->owner);
}

void retain_end(struct retain_change *c)
{
	struct retain *r = c->retain;

	retain_tree_discard_node(r, c->node);
	retain_tree_unlock_shard(r, c->node);
	retain_tree_leave(r, c->slot);
	*c = (struct retain_change){.number = c->number};
}

void retain_require_locked(const struct retain_change *c)
{
	REQUIRE(c->node != NULL);
	retain_tree_require_shard(c->retain, c->node);
}

/* --- what was stored --- */

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

	reader_locks_lock(&r->reader_locks, slot);
	level = level_tree_find(&r->tree, topic);
	if (level != NULL) {
		n = retain_node_of(level);
		retain_tree_lock_shard(r, n);
		retain_tree_settle_node(r, n, now_ms);
		buf_put_slice(key, topic_owners_key(n->owner));
		retain_tree_unlock_shard(r, n);
	}
	reader_locks_unlock(&r->reader_locks, slot);
}

void retain_release_owner(struct retain *r, struct slice owner)
{
	topic_owners_release(&r->owners, owner);
}

/* Under all shards: whoever asks whose a topic is holds one. */
void retain_set_aside_owner(struct retain *r, struct slice owner, bool set_aside)
{
	reader_locks_lock_all(&r->shards);
	topic_owners_set_aside(&r->owners, owner, set_aside);
	reader_locks_unlock_all(&r->shards);
}

void retain_merge_owner(struct retain *r, struct slice from, struct slice into)
{
	reader_locks_lock_all(&r->shards);
	topic_owners_merge(&r->owners, from, into);
	reader_locks_unlock_all(&r->shards);
}

bool retain_knows_owner(struct retain *r, struct slice owner)
{
	return topic_owners_exists(&r->owners, owner);
}

uint32_t retain_count_written(struct retain *r, struct slice writer)
{
	return topic_owners_values(&r->owners, writer);
}

uint64_t retain_count_set_aside(struct retain *r)
{
	return topic_owners_values_set_aside(&r->owners);
}

size_t retain_find_written(struct retain *r, struct slice writer, size_t *at, size_t budget,
                           struct msg **out)
{
	size_t count = 0, slots, i = *at;

	reader_locks_lock(&r->reader_locks, r->shared_slot);
	slots = level_tree_slots(&r->tree);
	for (; i < slots && budget > 0; i++, budget--) {
		struct level_node *level = level_tree_at(&r->tree, i);

		if (level == NULL)
			continue;
		retain_tree_lock_shard(r, retain_node_of(level));
		if (retain_tree_is_writer(retain_node_of(level)->writer, writer))
			out[count++] = msg_ref(retain_node_of(level)->value);
		retain_tree_unlock_shard(r, retain_node_of(level));
	}
	*at = i < slots ? i : 0;
	reader_locks_unlock(&r->reader_locks, r->shared_slot);
	return count;
}

struct msg *retain_find(struct retain *r, unsigned slot, struct slice topic, uint64_t now_ms)
{
	struct level_node *level;
	struct retain_node *n;
	struct msg *found = NULL;

	reader_locks_lock(&r->reader_locks, slot);
	level = level_tree_find(&r->tree, topic);
	if (level != NULL) {
		n = retain_node_of(level);
		retain_tree_lock_shard(r, n);
		if (n->value != NULL && !msg_is_expired(n->value, now_ms))
			found = msg_ref(n->value);
		retain_tree_unlock_shard(r, n);
	}
	reader_locks_unlock(&r->reader_locks, slot);
	return found;
}

bool retain_has(struct retain *r, unsigned slot, struct slice topic, uint64_t until)
{
	struct level_node *level;
	bool has = false;

	reader_locks_lock(&r->reader_locks, slot);
	level = level_tree_find(&r->tree, topic);
	if (level != NULL) {
		const struct retain_node *n = retain_node_of(level);

		retain_tree_lock_shard(r, n);
		has = n->value != NULL && n->value->number <= until;
		retain_tree_unlock_shard(r, n);
	}
	reader_locks_unlock(&r->reader_locks, slot);
	return has;
}

void retain_expire(struct retain *r, uint64_t now_ms, size_t budget)
{
	size_t reader_locks, at;

	reader_locks_lock(&r->reader_locks, r->shared_slot);
	reader_locks = level_tree_slots(&r->tree);
	budget = budget < reader_locks ? budget : reader_locks;
	at = atomic_fetch_add(&r->expire_at, budget);
	for (size_t i = at; i < at + budget; i++) {
		struct level_node *level = level_tree_at(&r->tree, i);

		if (level == NULL)
			continue;
		retain_tree_lock_shard(r, retain_node_of(level));
		retain_tree_settle_node(r, retain_node_of(level), now_ms);
		retain_tree_discard_node(r, retain_node_of(level));
		retain_tree_unlock_shard(r, retain_node_of(level));
	}
	reader_locks_unlock(&r->reader_locks, r->shared_slot);
	if (r->garbage_count > 0)
		retain_tree_collect_garbage(r);
}

void retain_count(const struct retain *r, struct retain_counts *out)
{
	/* Those of somebody first: they are among all. */
	uint64_t written = r->written, written_bytes = r->written_bytes;

	*out = (struct retain_counts){.values = r->values, .bytes = r->bytes};
	if (out->values > written)
		out->of_broker = out->values - written;
	if (out->bytes > written_bytes)
		out->bytes_of_broker = out->bytes - written_bytes;
	out->expired = r->expired;
}
