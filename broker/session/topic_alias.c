/* Topic aliases: a small table each way. */
#include "session/topic_alias.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/require.h"

#define ALIAS_BYTES 3 /* identifier and value of the property */
#define ALLOC_BYTES ((size_t)16)

/* In the place of a topic that could not be kept. */
static const uint8_t refused_mark[1];

static bool is_refused(struct slice topic)
{
	return topic.data == refused_mark;
}

static size_t cost_of(struct slice topic)
{
	return topic.len == 0 ? 0 : topic.len + 1 + ALLOC_BYTES;
}

static void forget(struct alias_table *t, uint16_t alias)
{
	struct slice *topic = &t->topics[alias - 1];

	REQUIRE(t->bytes >= cost_of(*topic));
	t->bytes -= cost_of(*topic);
	if (!is_refused(*topic))
		free((void *)(uintptr_t)topic->data);
	*topic = SLICE_EMPTY;
}

/* [MQTT5-3.3.2-7] */
void topic_alias_fini(struct alias_table *t)
{
	for (uint16_t alias = t->cap; alias > 0; alias--)
		forget(t, alias);
	free(t->topics);
	*t = (struct alias_table){0};
}

/* A table that fits this alias. The first is small, and not asked for. */
static bool grow(struct alias_table *t, uint16_t alias, topic_alias_admit_fn *admit, void *arg)
{
	uint32_t cap = t->cap < 16 ? 16 : t->cap;
	size_t more;

	REQUIRE(alias > 0 && alias <= t->max);
	if (alias <= t->cap)
		return true;
	while (cap < alias)
		cap *= 2;
	if (cap > t->max)
		cap = t->max;
	more = (size_t)(cap - t->cap) * sizeof(*t->topics);
	if (cap > 16 && !admit(arg, more))
		return false;
	t->topics = xrealloc_array(t->topics, cap, sizeof(*t->topics));
	for (uint32_t i = t->cap; i < cap; i++)
		t->topics[i] = t->refuses ? slice_of(refused_mark, 0) : SLICE_EMPTY;
	t->refuses = t->refuses && cap < t->max;
	t->cap = (uint16_t)cap;
	t->bytes += more;
	return true;
}

static bool remember(struct alias_table *t, uint16_t alias, struct slice topic,
                     topic_alias_admit_fn *admit, void *arg)
{
	if (!grow(t, alias, admit, arg)) {
		t->refuses = true;
		return false;
	}
	if (slice_equal(t->topics[alias - 1], topic))
		return true;
	/* mutant: memory_alias_refused */
	forget(t, alias);
	if (!admit(arg, cost_of(topic))) {
		/* mutant: memory_alias_refused_mark */
		t->topics[alias - 1] = slice_of(refused_mark, 0);
		return false;
	}
	t->topics[alias - 1] = slice_of(slice_dup(topic), topic.len);
	t->bytes += cost_of(topic);
	return true;
}

#define UNKNOWN_ALIAS "the topic name is empty, and the Topic Alias was never set"
#define NO_MEMORY     "there was no memory for the Topic Alias"

/* What a packet that has an alias and no topic means. */
static struct fault look_up(const struct alias_table *t, uint16_t alias, struct slice *topic)
{
	if (alias > t->cap)
		return t->refuses ? fault_of(REASON_QUOTA_EXCEEDED, NO_MEMORY)
		                  : fault_of(REASON_PROTOCOL_ERROR, UNKNOWN_ALIAS);
	*topic = t->topics[alias - 1];
	if (is_refused(*topic))
		return fault_of(REASON_QUOTA_EXCEEDED, NO_MEMORY);
	return topic->len == 0 ? fault_of(REASON_PROTOCOL_ERROR, UNKNOWN_ALIAS) : FAULT_NONE;
}

/* A well-formed alias is remembered whatever the ACL then says of the message: the client may rely
 * on it. [MQTT5-3.2.2-17, -18] [MQTT5-3.3.2-12] */
struct fault topic_alias_resolve(struct alias_table *t, struct publish *pub,
                                 topic_alias_admit_fn *admit, void *arg)
{
	uint16_t alias = pub->properties.topic_alias;

	if (!properties_have(&pub->properties, PROPERTY_TOPIC_ALIAS))
		return FAULT_NONE;
	if (alias == 0 || alias > t->max) /* [MQTT5-3.3.2-8, -9] */
		return fault_of(REASON_TOPIC_ALIAS_INVALID,
		                "the Topic Alias is 0 or above limits.topic_alias_maximum");
	if (pub->topic.len == 0)
		return look_up(t, alias, &pub->topic);
	(void)remember(t, alias, pub->topic, admit, arg);
	return FAULT_NONE;
}

/* [MQTT5-3.1.2-26, -27] [MQTT5-3.3.2-11] */
void topic_alias_use(struct alias_table *t, struct publish_out *p, size_t max_bytes,
                     topic_alias_admit_fn *admit, void *arg)
{
	if (t->max == 0 || p->topic.len <= ALIAS_BYTES)
		return;
	for (uint16_t i = 0; i < t->count; i++) {
		if (slice_equal(t->topics[i], p->topic)) {
			p->topic_alias = (uint16_t)(i + 1);
			p->topic = SLICE_EMPTY;
			return;
		}
	}
	if (t->count == t->max)
		return;
	p->topic_alias = (uint16_t)(t->count + 1);
	if (packet_publish_size(p) > max_bytes ||
	    !remember(t, p->topic_alias, p->topic, admit, arg)) {
		p->topic_alias = 0;
		return;
	}
	t->count++;
}
