/* The first filter of persistence.topics that matches decides. */
#include "durability/durability.h"

#include "proto/topic.h"

enum conf_durability durability_of_topic(const struct worker *w, struct slice topic)
{
	const struct conf *conf = w->snapshot->conf;

	REQUIRE_EXECUTOR(&w->executor);
	for (size_t i = 0; i < conf->persistence_topic_count; i++) {
		const struct conf_durable_topic *t = &conf->persistence_topics[i];

		if (topic_matches(slice_of_str(t->filter), topic))
			return t->durability;
	}
	return conf->durability;
}
