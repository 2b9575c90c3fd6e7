/* The table of requests without acknowledgement: packet identifiers, order, and what is sent again
 * on the next connection. */
#include "mqtt/mqtt_resend.h"
#include "rows.h"

static void add_stored(struct mqtt_in_flight *t, enum mqtt_step step, const char *packet)
{
	struct slice bytes = exact_bytes(packet);

	(void)mqtt_in_flight_add(t, step, 0);
	mqtt_in_flight_store(t, bytes);
	slice_free(bytes);
}

static void on_given_up(void *arg, const struct mqtt_request *r, enum reason reason,
                        const char *why)
{
	(void)arg;
	(void)reason;
	fail_msg("request %u: %s", r->packet_id, why);
}

/* On a connection that is lost at once. */
static void expect_resent(const char *name, struct mqtt_in_flight *t, bool dup, const char *want)
{
	struct buf out = {0};

	mqtt_resend_put(t, &out,
	                &(struct mqtt_resend){.version = MQTT_5_0,
	                                      .resumes = dup,
	                                      .window = 10,
	                                      .retains = true,
	                                      .max_qos = 2,
	                                      .max_packet_bytes = FRAME_SIZE_MAX,
	                                      .on_given_up = on_given_up});
	assert_int_equal(t->held, 0);
	mqtt_in_flight_close(t, true);
	expect_bytes(name, &out, want);
	buf_fini(&out);
}

static void requests_are_found_until_they_end(void **state)
{
	struct mqtt_in_flight t;

	(void)state;
	mqtt_in_flight_init(&t);
	assert_null(mqtt_in_flight_find(&t, 1));
	for (uint16_t i = 1; i <= 100; i++) /* the ring grows */
		assert_int_equal(mqtt_in_flight_add(&t, MQTT_STEP_SUBACK, 1000u + i)->packet_id, i);
	for (uint16_t i = 1; i <= 100; i++)
		assert_int_equal(mqtt_in_flight_find(&t, i)->cookie, 1000 + i);
	assert_null(mqtt_in_flight_find(&t, 0));
	assert_null(mqtt_in_flight_find(&t, 101));
	mqtt_in_flight_end(&t, mqtt_in_flight_find(&t, 50));
	assert_null(mqtt_in_flight_find(&t, 50));
	assert_int_equal(t.count, 100); /* those before it are not done */
	mqtt_in_flight_end(&t, mqtt_in_flight_find(&t, 1));
	assert_int_equal(t.count, 99);
	assert_int_equal(mqtt_in_flight_at(&t, 0)->packet_id, 2);
	mqtt_in_flight_fini(&t);
}

/* After 65535 comes 1, and none is given out twice. */
static void identifiers_go_round(void **state)
{
	struct mqtt_in_flight t;

	(void)state;
	mqtt_in_flight_init(&t);
	for (unsigned i = 0; i < 65500; i++)
		mqtt_in_flight_end(&t, mqtt_in_flight_add(&t, MQTT_STEP_PUBACK, i));
	for (unsigned i = 65500; i < 65500 + 65535; i++) {
		assert_int_not_equal(mqtt_in_flight_next_id(&t), 0);
		(void)mqtt_in_flight_add(&t, MQTT_STEP_PUBACK, i);
	}
	assert_int_equal(mqtt_in_flight_next_id(&t), 0);
	assert_int_equal(t.publishing, 65535);
	for (unsigned i = 65500; i < 65500 + 65535; i++)
		assert_int_equal(mqtt_in_flight_find(&t, (uint16_t)(i % UINT16_MAX + 1))->cookie,
		                 i);
	mqtt_in_flight_end(&t, mqtt_in_flight_find(&t, 7));
	assert_int_equal(mqtt_in_flight_next_id(&t), 0); /* in the middle */
	mqtt_in_flight_end(&t, mqtt_in_flight_at(&t, 0));
	assert_int_equal(mqtt_in_flight_next_id(&t), 65501);
	mqtt_in_flight_fini(&t);
}

/* [MQTT-4.4.0-1] [MQTT-4.6.0-1] */
static void publishes_are_sent_again_in_order(void **state)
{
	struct mqtt_in_flight t;

	(void)state;
	mqtt_in_flight_init(&t);
	add_stored(&t, MQTT_STEP_PUBACK, "32 04 'a' 0001 00");
	add_stored(&t, MQTT_STEP_PUBREC, "34 04 'b' 0002 00");
	(void)mqtt_in_flight_add(&t, MQTT_STEP_SUBACK, 0);
	add_stored(&t, MQTT_STEP_PUBREC, "34 04 'c' 0004 00");
	assert_int_equal(t.publishing, 3);
	mqtt_in_flight_close(&t, true); /* SUBSCRIBE is given up */
	assert_null(mqtt_in_flight_find(&t, 3));
	mqtt_in_flight_find(&t, 2)->step = MQTT_STEP_PUBCOMP;
	expect_resent("dup", &t, true, "3a 04 'a' 0001 00 62 02 0002 3c 04 'c' 0004 00");
	expect_resent("first time", &t, false, "32 04 'a' 0001 00 62 02 0002 34 04 'c' 0004 00");
	mqtt_in_flight_end(&t, mqtt_in_flight_find(&t, 1));
	expect_resent("the first is done", &t, true, "62 02 0002 3c 04 'c' 0004 00");
	mqtt_in_flight_end(&t, mqtt_in_flight_find(&t, 4));
	expect_resent("the last is done", &t, true, "62 02 0002");
	mqtt_in_flight_end(&t, mqtt_in_flight_find(&t, 2));
	assert_int_equal(t.count, 0);
	assert_int_equal(t.stored.len, 0);
	mqtt_in_flight_fini(&t);
}

static void close_without_resending_forgets_all(void **state)
{
	struct mqtt_in_flight t;

	(void)state;
	mqtt_in_flight_init(&t);
	(void)mqtt_in_flight_add(&t, MQTT_STEP_PUBACK, 0);
	(void)mqtt_in_flight_add(&t, MQTT_STEP_UNSUBACK, 0);
	mqtt_in_flight_close(&t, false);
	assert_int_equal(t.count, 0);
	assert_int_equal(t.publishing, 0);
	assert_int_equal(mqtt_in_flight_next_id(&t), 3);
	mqtt_in_flight_fini(&t);
}

/* Places stay while several are marked. */
static void marked_requests_leave_together(void **state)
{
	struct mqtt_in_flight t;

	(void)state;
	mqtt_in_flight_init(&t);
	for (unsigned i = 0; i < 5; i++)
		(void)mqtt_in_flight_add(&t, MQTT_STEP_PUBREC, i);
	for (uint32_t i = 0; i < 3; i++)
		mqtt_in_flight_mark_done(&t, mqtt_in_flight_at(&t, i));
	assert_int_equal(t.count, 5);
	assert_int_equal(t.publishing, 2);
	mqtt_in_flight_trim(&t);
	assert_int_equal(t.count, 2);
	assert_int_equal(mqtt_in_flight_at(&t, 0)->cookie, 3);
	mqtt_in_flight_fini(&t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(requests_are_found_until_they_end),
	    cmocka_unit_test(identifiers_go_round),
	    cmocka_unit_test(publishes_are_sent_again_in_order),
	    cmocka_unit_test(close_without_resending_forgets_all),
	    cmocka_unit_test(marked_requests_leave_together),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("mqtt in flight", tests, NULL, NULL);
}
