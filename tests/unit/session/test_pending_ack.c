/* Acknowledgements leave in the order of their packets, each when it is ready. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/packet_ack.h"
#include "proto/packet_ping.h"
#include "session/client_link.h"
#include "session/inflight/pending_ack.h"
#include "session/link_output.h"
#include "world.h"

struct fixture {
	struct world *world;
	struct worker *worker;
	struct client_link link;
};

/* A link with CONNACK, on a worker whose turn never ends. */
static int setup(void **state)
{
	struct world_settings settings = {.seed = 1, .workers = 1};
	static struct fixture f;

	f = (struct fixture){.world = world_new(&settings)};
	f.worker = f.world->server->workers[0];
	f.link.worker = f.worker;
	f.link.version = MQTT_5_0;
	f.link.accepted = true;
	f.link.admitted_by = f.worker->snapshot->generation;
	f.link.pending_acks_tail = &f.link.pending_acks;
	charge_init(&f.link.charge,
	            payers_find(&f.worker->shared->payers, PAYER_ADDRESS, SLICE("a")));
	executor_enter(&f.worker->executor);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	pending_acks_forget(&f->link);
	f->worker->output->dirty = f->worker->output->review = NULL;
	link_output_drop(&f->link);
	charge_fini(f->worker, &f->link.charge);
	executor_leave();
	world_free(f->world);
	return 0;
}

/* What was written so far: a letter for each packet, and its identifier if it has one. */
static void require_written(const struct fixture *f, const char *want)
{
	struct slice in = buf_slice(&f->link.out);
	struct buf text = {0};
	struct frame frame;
	size_t needed;

	while (frame_next(&in, SIZE_MAX, &frame, &needed) == FRAME_COMPLETE) {
		static const char *const names[16] = {
		    [PACKET_CONNACK] = "connack", [PACKET_PUBACK] = "ack",
		    [PACKET_PUBREC] = "rec",      [PACKET_PUBCOMP] = "comp",
		    [PACKET_SUBACK] = "suback",   [PACKET_PINGRESP] = "pong"};

		buf_printf(&text, "%s%s", text.len == 0 ? "" : " ", names[frame.type]);
		if (frame.body.len >= 2 && frame.type != PACKET_CONNACK)
			buf_printf(&text, "%u", frame.body.data[0] << 8 | frame.body.data[1]);
	}
	buf_put_u8(&text, 0);
	assert_string_equal((const char *)text.data, want);
	buf_fini(&text);
}

static struct pending_ack *packet(struct fixture *f, enum packet_type type, const char *bytes,
                                  size_t len)
{
	struct buf out = {0};

	buf_put(&out, bytes, len);
	return pending_ack_packet(&f->link, type, &out);
}

static void done(struct pending_ack *ack)
{
	pending_ack_done(&ack, REASON_SUCCESS, SLICE_EMPTY);
	assert_null(ack);
}

static void ack_waits_for_those_before_it(void **state)
{
	struct fixture *f = *state;
	struct pending_ack *first = pending_ack_ack(&f->link, PACKET_PUBACK, 1);
	struct pending_ack *second = pending_ack_ack(&f->link, PACKET_PUBREC, 2);

	pending_ack_send(&f->link, PACKET_PUBACK, 3, REASON_SUCCESS, SLICE_EMPTY);
	done(second);
	require_written(f, "");
	done(first);
	require_written(f, "ack1 rec2 ack3");
	pending_ack_send(&f->link, PACKET_PUBCOMP, 4, REASON_SUCCESS, SLICE_EMPTY);
	require_written(f, "ack1 rec2 ack3 comp4");
}

static void ping_waits_for_connack_only(void **state)
{
	struct fixture *f = *state;
	struct pending_ack *connack = packet(f, PACKET_CONNACK, "\x20\x03\x00\x00\x00", 5), *ack;

	ack = pending_ack_ack(&f->link, PACKET_PUBACK, 1);
	pending_ack_ping(&f->link);
	require_written(f, "");
	done(connack);
	require_written(f, "connack pong");
	pending_ack_ping(&f->link);
	require_written(f, "connack pong pong");
	done(ack);
	require_written(f, "connack pong pong ack1");
}

static void deliveries_wait_while_suback_is_owed(void **state)
{
	struct fixture *f = *state;
	struct pending_ack *one = packet(f, PACKET_SUBACK, "\x90\x04\x00\x01\x00\x00", 6);
	struct pending_ack *two = packet(f, PACKET_SUBACK, "\x90\x04\x00\x02\x00\x00", 6);

	assert_int_equal(f->link.holding, 2);
	done(two);
	assert_int_equal(f->link.holding, 2);
	done(one);
	assert_int_equal(f->link.holding, 0);
	require_written(f, "suback1 suback2");
}

static void acknowledged_flows_give_back_receive_maximum(void **state)
{
	struct fixture *f = *state;
	struct pending_ack *ack;

	f->link.inbound_unacked = 3;
	ack = pending_ack_ack(&f->link, PACKET_PUBREC, 1);
	done(ack);
	assert_int_equal(f->link.inbound_unacked, 3); /* PUBCOMP ends it */
	pending_ack_send(&f->link, PACKET_PUBCOMP, 1, REASON_SUCCESS, SLICE_EMPTY);
	assert_int_equal(f->link.inbound_unacked, 2);
	pending_ack_send(&f->link, PACKET_PUBREC, 2, REASON_NOT_AUTHORIZED, SLICE_EMPTY);
	assert_int_equal(f->link.inbound_unacked, 1);
	ack = pending_ack_ack(&f->link, PACKET_PUBACK, 3);
	done(ack);
	assert_int_equal(f->link.inbound_unacked, 0);
}

static void ack_of_a_closed_connection_reaches_nobody(void **state)
{
	struct fixture *f = *state;
	struct pending_ack *ack = pending_ack_ack(&f->link, PACKET_PUBACK, 1), *failed;

	failed = pending_ack_ack(&f->link, PACKET_PUBACK, 2);
	pending_acks_forget(&f->link);
	f->link.limit = (struct input_limit){0};
	pending_ack_send(&f->link, PACKET_PUBACK, 3, REASON_SUCCESS, SLICE_EMPTY);
	done(ack);
	pending_ack_failed(&failed); /* would close the connection */
	require_written(f, "ack3");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(ack_waits_for_those_before_it),
	    TEST(ping_waits_for_connack_only),
	    TEST(deliveries_wait_while_suback_is_owed),
	    TEST(acknowledged_flows_give_back_receive_maximum),
	    TEST(ack_of_a_closed_connection_reaches_nobody),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
