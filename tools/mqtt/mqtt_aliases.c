/* A table as large as what was offered, made when the first alias comes. */
#include "mqtt/mqtt_aliases.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/require.h"

void mqtt_aliases_clear(struct mqtt_aliases *t)
{
	for (uint16_t i = 0; i < t->size; i++)
		buf_fini(&t->topics[i]);
	free(t->topics);
	*t = (struct mqtt_aliases){0};
}

struct fault mqtt_aliases_resolve(struct mqtt_aliases *t, struct publish *message, uint16_t max)
{
	uint16_t alias = message->properties.topic_alias;
	struct buf *topic;

	if (!properties_have(&message->properties, PROPERTY_TOPIC_ALIAS))
		return FAULT_NONE;
	REQUIRE(t->size == 0 || t->size == max);
	/* [MQTT5-3.1.2-26] mutant: client_refuses_large_aliases */
	if (alias == 0 || alias > max)
		return fault_of(REASON_TOPIC_ALIAS_INVALID,
		                max == 0 ? "the server used a Topic Alias, and none were offered"
		                         : "the server used a Topic Alias above the client's "
		                           "Topic Alias Maximum");
	if (t->size == 0) {
		t->topics = xcalloc(max, sizeof(*t->topics));
		t->size = max;
	}
	topic = &t->topics[alias - 1];
	if (message->topic.len == 0) {
		message->topic = buf_slice(topic);
		return topic->len > 0 ? FAULT_NONE
		                      : fault_of(REASON_PROTOCOL_ERROR,
		                                 "the server sent a Topic Alias without a topic, "
		                                 "and had not set it on this connection");
	}
	buf_clear(topic);
	buf_put_slice(topic, message->topic);
	return FAULT_NONE;
}
