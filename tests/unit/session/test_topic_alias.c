/* Topic aliases: what a client sets and uses, what the broker gives out, and both with too little
 * memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"
#include "proto/packet_publish.h"
#include "session/topic_alias.h"

/* Admits while there are bytes left. */
static bool admit(void *arg, size_t bytes)
{
	size_t *left = arg;

	if (bytes > *left)
		return false;
	*left -= bytes;
	return true;
}

static enum reason resolve(struct alias_table *t, uint16_t alias, struct slice *topic, size_t left)
{
	struct publish pub = {.topic = *topic, .properties = {.topic_alias = alias}};
	struct fault fault;

	pub.properties.present = (uint64_t)1 << PROPERTY_TOPIC_ALIAS;
	fault = topic_alias_resolve(t, &pub, admit, &left);
	*topic = pub.topic;
	return fault.reason;
}

static enum reason set(struct alias_table *t, uint16_t alias, struct slice topic)
{
	return resolve(t, alias, &topic, SIZE_MAX);
}

/* The topic that the alias means; empty if the packet is refused with `reason`. */
static struct slice meant(struct alias_table *t, uint16_t alias, enum reason reason)
{
	struct slice topic = SLICE_EMPTY;

	assert_int_equal(resolve(t, alias, &topic, SIZE_MAX), reason);
	return topic;
}

static void an_alias_means_the_topic_it_was_set_with_last(void **state)
{
	struct alias_table t = {.max = 20};

	(void)state;
	assert_int_equal(set(&t, 1, SLICE("home/lamp")), REASON_OK);
	assert_int_equal(set(&t, 20, SLICE("home/door")), REASON_OK);
	assert_true(slice_equal(meant(&t, 1, REASON_OK), SLICE("home/lamp")));
	assert_true(slice_equal(meant(&t, 20, REASON_OK), SLICE("home/door")));
	assert_int_equal(set(&t, 1, SLICE("garden")), REASON_OK);
	assert_true(slice_equal(meant(&t, 1, REASON_OK), SLICE("garden")));
	topic_alias_fini(&t);
	assert_int_equal(t.bytes, 0);
}

static void an_alias_out_of_range_or_never_set_is_refused(void **state)
{
	struct alias_table t = {.max = 4}, none = {.max = 0};

	(void)state;
	assert_int_equal(set(&t, 0, SLICE("a")), REASON_TOPIC_ALIAS_INVALID);
	assert_int_equal(set(&t, 5, SLICE("a")), REASON_TOPIC_ALIAS_INVALID);
	assert_int_equal(set(&none, 1, SLICE("a")), REASON_TOPIC_ALIAS_INVALID);
	(void)meant(&t, 3, REASON_PROTOCOL_ERROR);
	assert_int_equal(set(&t, 1, SLICE("a")), REASON_OK);
	(void)meant(&t, 3, REASON_PROTOCOL_ERROR);
	topic_alias_fini(&t);
}

static void an_alias_without_memory_is_refused_until_it_is_set_again(void **state)
{
	struct alias_table t = {.max = 40};
	struct slice topic = SLICE("home/lamp"), other = SLICE("home/door");

	(void)state;
	assert_int_equal(set(&t, 1, SLICE("before")), REASON_OK);
	assert_int_equal(resolve(&t, 1, &topic, 0), REASON_OK); /* the packet has its topic */
	(void)meant(&t, 1, REASON_QUOTA_EXCEEDED);
	assert_int_equal(resolve(&t, 40, &other, 0), REASON_OK); /* there is no table for it */
	(void)meant(&t, 40, REASON_QUOTA_EXCEEDED);
	assert_int_equal(set(&t, 1, SLICE("after")), REASON_OK);
	assert_int_equal(set(&t, 40, SLICE("last")), REASON_OK);
	assert_true(slice_equal(meant(&t, 1, REASON_OK), SLICE("after")));
	assert_true(slice_equal(meant(&t, 40, REASON_OK), SLICE("last")));
	topic_alias_fini(&t);
}

/* The packet of QoS 0 with this topic, after topic_alias_use. */
static struct publish_out used(struct alias_table *t, struct slice topic, size_t max_bytes,
                               size_t left)
{
	struct publish_out p = {.version = MQTT_5_0, .topic = topic};

	topic_alias_use(t, &p, max_bytes, admit, &left);
	return p;
}

static void the_first_topics_get_aliases_and_the_rest_go_in_full(void **state)
{
	struct alias_table t = {.max = 2};
	struct publish_out p;

	(void)state;
	p = used(&t, SLICE("home/lamp"), SIZE_MAX, SIZE_MAX);
	assert_int_equal(p.topic_alias, 1);
	assert_int_equal(p.topic.len, 9);
	p = used(&t, SLICE("home/door"), SIZE_MAX, SIZE_MAX);
	assert_int_equal(p.topic_alias, 2);
	p = used(&t, SLICE("home/roof"), SIZE_MAX, SIZE_MAX);
	assert_int_equal(p.topic_alias, 0);
	assert_int_equal(p.topic.len, 9);
	p = used(&t, SLICE("home/lamp"), SIZE_MAX, SIZE_MAX);
	assert_int_equal(p.topic_alias, 1);
	assert_int_equal(p.topic.len, 0);
	topic_alias_fini(&t);
}

static void no_alias_where_it_saves_nothing_or_there_is_no_room(void **state)
{
	struct alias_table t = {.max = 2}, none = {.max = 0};
	struct slice topic = SLICE("home/lamp");
	struct publish_out plain = {.version = MQTT_5_0, .topic = topic};

	(void)state;
	assert_int_equal(used(&t, SLICE("abc"), SIZE_MAX, SIZE_MAX).topic_alias, 0);
	assert_int_equal(used(&none, topic, SIZE_MAX, SIZE_MAX).topic_alias, 0);
	/* The client takes the packet, but not with three bytes more. */
	assert_int_equal(used(&t, topic, packet_publish_size(&plain), SIZE_MAX).topic_alias, 0);
	assert_int_equal(used(&t, topic, SIZE_MAX, 0).topic_alias, 0);
	assert_int_equal(used(&t, topic, SIZE_MAX, SIZE_MAX).topic_alias, 1);
	topic_alias_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_alias_means_the_topic_it_was_set_with_last),
	    cmocka_unit_test(an_alias_out_of_range_or_never_set_is_refused),
	    cmocka_unit_test(an_alias_without_memory_is_refused_until_it_is_set_again),
	    cmocka_unit_test(the_first_topics_get_aliases_and_the_rest_go_in_full),
	    cmocka_unit_test(no_alias_where_it_saves_nothing_or_there_is_no_room),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
