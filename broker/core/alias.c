/* Topic aliases: a small table each way. */
#include "core/alias.h"

#include <stdlib.h>

#include "base/alloc.h"

#define ALIAS_BYTES 3 /* identifier and value of the property */

static void forget(struct slice *topic)
{
	free((void *)(uintptr_t)topic->data);
	*topic = SLICE_EMPTY;
}

/* [MQTT5-3.3.2-7] */
void alias_table_fini(struct alias_table *t)
{
	for (size_t i = 0; t->topics != NULL && i < t->max; i++)
		forget(&t->topics[i]);
	free(t->topics);
	*t = (struct alias_table){0};
}

static void remember(struct alias_table *t, uint16_t alias, struct slice topic)
{
	if (t->topics == NULL)
		t->topics = xcalloc(t->max, sizeof(*t->topics));
	forget(&t->topics[alias - 1]);
	t->topics[alias - 1] = slice_of(slice_dup(topic), topic.len);
}

/* A well-formed alias is remembered whatever the ACL then says of the message: the client may rely
 * on it. [MQTT5-3.2.2-17, -18] [MQTT5-3.3.2-12] */
enum reason alias_resolve(struct alias_table *t, struct publish *pub)
{
	uint16_t alias = pub->properties.topic_alias;

	if (!properties_have(&pub->properties, PROPERTY_TOPIC_ALIAS))
		return REASON_OK;
	if (alias == 0 || alias > t->max) /* [MQTT5-3.3.2-8, -9] */
		return REASON_TOPIC_ALIAS_INVALID;
	if (pub->topic.len > 0) {
		remember(t, alias, pub->topic);
		return REASON_OK;
	}
	if (t->topics == NULL || t->topics[alias - 1].len == 0)
		return REASON_PROTOCOL_ERROR;
	pub->topic = t->topics[alias - 1];
	return REASON_OK;
}

static uint16_t known_alias(const struct alias_table *t, struct slice topic)
{
	for (uint16_t i = 0; i < t->count; i++) {
		if (slice_equal(t->topics[i], topic))
			return (uint16_t)(i + 1);
	}
	return 0;
}

/* [MQTT5-3.1.2-26, -27] [MQTT5-3.3.2-11] */
void alias_use(struct alias_table *t, struct publish_out *p, size_t max_bytes)
{
	uint16_t alias;

	if (t->max == 0 || p->topic.len <= ALIAS_BYTES)
		return;
	alias = known_alias(t, p->topic);
	if (alias != 0) {
		p->topic_alias = alias;
		p->topic = SLICE_EMPTY;
		return;
	}
	if (t->count == t->max)
		return;
	p->topic_alias = (uint16_t)(t->count + 1);
	if (publish_size(p) > max_bytes) {
		p->topic_alias = 0;
		return;
	}
	remember(t, ++t->count, p->topic);
}
