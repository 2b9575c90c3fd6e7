/* Interned owners, found by identity key. */
#include "tree/topic_owners.h"

#include <stdlib.h>

#include "base/alloc.h"

void topic_owners_init(struct owners *o)
{
	*o = (struct owners){0};
	mutex_init(&o->lock, LOCK_TOPIC_OWNERS);
}

void topic_owners_fini(struct owners *o)
{
	REQUIRE(o->by_key == NULL);
	mutex_fini(&o->lock);
}

/* NOLINTBEGIN(readability-function-size): it counts the nesting inside uthash's macros */

static struct owner *owner_new(struct owners *o, struct slice key)
{
	struct owner *owner = xcalloc(1, sizeof(*owner) + key.len);

	owner->key_len = key.len;
	memcpy(owner->key, key.data, key.len);
	HASH_ADD_KEYPTR(hh, o->by_key, owner->key, owner->key_len, owner);
	return owner;
}

struct owner *topic_owners_ref(struct owners *o, struct slice key)
{
	struct owner *owner;

	REQUIRE(key.len > 0);
	mutex_lock(&o->lock);
	HASH_FIND(hh, o->by_key, key.data, key.len, owner);
	if (owner == NULL)
		owner = owner_new(o, key);
	owner->refs++;
	mutex_unlock(&o->lock);
	return owner;
}

/* Under the lock. */
static void owner_unref(struct owners *o, struct owner *left)
{
	while (left != NULL) {
		struct owner *next = left->merged_into;

		REQUIRE(left->refs > 0);
		if (--left->refs > 0)
			return;
		if (!left->gone)
			HASH_DEL(o->by_key, left); /* NOLINT(clang-analyzer-core.NullDereference):
			                              it is in the table */
		free(left);
		left = next;
	}
}

void topic_owners_unref(struct owners *o, struct owner **owner)
{
	struct owner *left = *owner;

	*owner = NULL;
	if (left == NULL)
		return;
	mutex_lock(&o->lock);
	owner_unref(o, left);
	mutex_unlock(&o->lock);
}

/* It belongs to itself again. */
static void leave_merged(struct owners *o, struct owner *owner)
{
	struct owner *into = owner->merged_into;

	owner->merged_into = NULL;
	owner_unref(o, into);
}

void topic_owners_set_aside(struct owners *o, struct slice key, bool set_aside)
{
	struct owner *owner;

	mutex_lock(&o->lock);
	HASH_FIND(hh, o->by_key, key.data, key.len, owner);
	if (owner != NULL) {
		owner->set_aside = set_aside;
		leave_merged(o, owner);
	}
	mutex_unlock(&o->lock);
}

void topic_owners_merge(struct owners *o, struct slice from, struct slice into)
{
	struct owner *owner, *target;

	mutex_lock(&o->lock);
	HASH_FIND(hh, o->by_key, from.data, from.len, owner);
	HASH_FIND(hh, o->by_key, into.data, into.len, target);
	if (owner != NULL && target == NULL)
		target = owner_new(o, into);
	REQUIRE(owner == NULL || target != owner);
	if (owner != NULL && owner->merged_into != target) {
		leave_merged(o, target); /* never a circle */
		target->refs++;
		leave_merged(o, owner);
		owner->set_aside = false;
		owner->merged_into = target;
	}
	mutex_unlock(&o->lock);
}

bool topic_owners_exists(struct owners *o, struct slice key)
{
	struct owner *owner;

	mutex_lock(&o->lock);
	HASH_FIND(hh, o->by_key, key.data, key.len, owner);
	mutex_unlock(&o->lock);
	return owner != NULL;
}

uint64_t topic_owners_values_set_aside(struct owners *o)
{
	struct owner *owner, *next;
	uint64_t values = 0;

	mutex_lock(&o->lock);
	HASH_ITER (hh, o->by_key, owner, next)
		values += topic_owners_now(owner)->set_aside ? owner->values : 0;
	mutex_unlock(&o->lock);
	return values;
}

uint32_t topic_owners_values(struct owners *o, struct slice key)
{
	struct owner *owner;
	uint32_t values;

	mutex_lock(&o->lock);
	HASH_FIND(hh, o->by_key, key.data, key.len, owner);
	values = owner == NULL ? 0 : owner->values;
	mutex_unlock(&o->lock);
	return values;
}

uint64_t topic_owners_bytes(struct owners *o, struct slice key)
{
	struct owner *owner;
	uint64_t bytes;

	mutex_lock(&o->lock);
	HASH_FIND(hh, o->by_key, key.data, key.len, owner);
	bytes = owner == NULL ? 0 : owner->bytes;
	mutex_unlock(&o->lock);
	return bytes;
}

void topic_owners_visit(struct owners *o, topic_owners_visit_fn *visit, void *arg)
{
	struct owner *owner, *next;

	mutex_lock(&o->lock);
	HASH_ITER (hh, o->by_key, owner, next) {
		uint64_t bytes = owner->bytes;

		if (bytes > 0)
			visit(arg, topic_owners_own_key(topic_owners_now(owner)), bytes);
	}
	mutex_unlock(&o->lock);
}

void topic_owners_release(struct owners *o, struct slice key)
{
	struct owner *owner;

	mutex_lock(&o->lock);
	HASH_FIND(hh, o->by_key, key.data, key.len, owner);
	if (owner != NULL) {
		HASH_DEL(o->by_key, owner);
		owner->gone = true;
	}
	mutex_unlock(&o->lock);
}

/* NOLINTEND(readability-function-size) */
