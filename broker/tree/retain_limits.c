/* How much is retained, and by which user: each value counts for its writer, in the record that
 * names owners too.  What is already there may always be replaced by something that is not larger.
 * Under the topic's shard; two shards that change at the same time may pass a limit by one. */
#include "tree/retain_limits.h"

#include "proto/topic.h"
#include "tree/retain_tree.h"

void retain_limits_growth(const struct retain_change *c, const struct msg *msg, uint64_t *more,
                          uint64_t *more_of_writer)
{
	size_t before = c->current == NULL ? 0 : retain_tree_cost(c->current);
	size_t bytes = retain_tree_cost(msg);

	*more = bytes > before ? bytes - before : 0;
	*more_of_writer =
	    retain_tree_is_writer(c->node->writer, retain_tree_writer_key(msg)) ? *more : bytes;
}

uint64_t retain_limits_user_bytes(struct retain *r, struct slice user_key)
{
	return topic_owners_bytes(&r->owners, user_key);
}

void retain_limits_visit_writers(struct retain *r, retain_limits_visit_fn *visit, void *arg)
{
	topic_owners_visit(&r->owners, visit, arg);
}

const char *retain_limits_exceeded(const struct retain_change *c, const struct msg *msg,
                                   const struct retain_limits *limits)
{
	size_t before = c->current == NULL ? 0 : retain_tree_cost(c->current);
	size_t bytes = retain_tree_cost(msg);

	if (bytes > before && c->retain->bytes + (bytes - before) > limits->bytes)
		return "limits.retained_bytes is reached";
	if (c->current != NULL || msg->origin == NULL)
		return NULL;
	if (msg->origin->user_key.len == 0)
		return NULL;
	if (c->retain->written >= limits->values)
		return "limits.retained_messages is reached";
	if (topic_owners_values(&c->retain->owners, msg->origin->user_key) >=
	    limits->values_per_user)
		return "limits.retained_per_user is reached";
	return NULL;
}
