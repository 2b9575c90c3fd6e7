/* How much is retained, and by whom: each value counts for its writer, in the record that names
 * owners too.  What is already there may always be replaced by something that is not larger.  Under
 * the topic's shard; two shards that change at the same time may pass a limit by one. */
#include "proto/topic.h"
#include "tree/retain_tree.h"

size_t retain_cost(const struct msg *msg)
{
	return msg_bytes(msg) + topic_levels(msg_topic(msg)) * sizeof(struct retain_node);
}

static bool writes_still(const struct owner *writer, struct slice key)
{
	return writer != NULL && !writer->gone && slice_equal(owner_key(writer), key);
}

void retain_writer_drop(struct retain *r, struct retain_node *n)
{
	if (n->writer == NULL)
		return;
	n->writer->values--;
	n->writer->bytes -= retain_cost(n->value);
	r->written--;
	topic_owners_unref(&r->owners, &n->writer);
}

static struct slice writer_key(const struct msg *msg)
{
	return msg->origin == NULL ? SLICE_EMPTY : msg->origin->user_key;
}

void retain_writer_set(struct retain *r, struct retain_node *n, const struct msg *msg)
{
	struct slice key = writer_key(msg);

	if (writes_still(n->writer, key)) {
		uint64_t more = msg_bytes(msg) - msg_bytes(n->value); /* modulo 2^64 */

		if (more != 0)
			n->writer->bytes += more;
		return;
	}
	retain_writer_drop(r, n);
	if (key.len == 0) /* the broker itself */
		return;
	n->writer = topic_owners_ref(&r->owners, key);
	n->writer->values++;
	n->writer->bytes += retain_cost(msg);
	r->written++;
}

void retain_growth(const struct retain_change *c, const struct msg *msg, uint64_t *more,
                   uint64_t *more_of_writer)
{
	size_t before = c->current == NULL ? 0 : retain_cost(c->current);
	size_t bytes = retain_cost(msg);

	*more = bytes > before ? bytes - before : 0;
	*more_of_writer = writes_still(c->node->writer, writer_key(msg)) ? *more : bytes;
}

uint64_t retain_user_bytes(struct retain *r, struct slice user_key)
{
	return topic_owners_bytes(&r->owners, user_key);
}

void retain_visit_writers(struct retain *r, retain_writer_fn *visit, void *arg)
{
	topic_owners_visit(&r->owners, visit, arg);
}

static const char *one_more(const struct retain_change *c, struct slice user_key,
                            const struct retain_limits *limits)
{
	struct retain *r = c->retain;

	if (user_key.len == 0)
		return NULL;
	if (r->written >= limits->values)
		return "limits.retained_messages is reached";
	if (topic_owners_values(&r->owners, user_key) >= limits->values_per_user)
		return "limits.retained_per_user is reached";
	return NULL;
}

const char *retain_exceeds(const struct retain_change *c, const struct msg *msg,
                           const struct retain_limits *limits)
{
	size_t before = c->current == NULL ? 0 : retain_cost(c->current);
	size_t bytes = retain_cost(msg);

	if (bytes > before && c->retain->bytes + (bytes - before) > limits->bytes)
		return "limits.retained_bytes is reached";
	if (c->current != NULL || msg->origin == NULL)
		return NULL;
	return one_more(c, msg->origin->user_key, limits);
}
