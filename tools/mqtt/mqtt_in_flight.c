/* A ring in order of packet identifiers, which are given out one after the other.  Requests that
 * are done in the middle wait in it until they are the first. */
#include "mqtt/mqtt_in_flight.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/require.h"

#define RING_FIRST 16u
/* Bytes that grew above this are given back when there are none. */
#define IDLE_BYTES_MAX 16384u

void mqtt_in_flight_init(struct mqtt_in_flight *t)
{
	*t = (struct mqtt_in_flight){.next_id = 1};
}

void mqtt_in_flight_fini(struct mqtt_in_flight *t)
{
	buf_fini(&t->stored);
	free(t->ring);
	*t = (struct mqtt_in_flight){0};
}

static struct mqtt_request *at(const struct mqtt_in_flight *t, uint32_t i)
{
	return &t->ring[(t->start + i) & (t->size - 1)];
}

struct mqtt_request *mqtt_in_flight_at(const struct mqtt_in_flight *t, uint32_t i)
{
	REQUIRE(i < t->count);
	return at(t, i);
}

static void grow(struct mqtt_in_flight *t)
{
	uint32_t size = t->size == 0 ? RING_FIRST : t->size * 2;
	struct mqtt_request *ring = xcalloc(size, sizeof(*ring));

	for (uint32_t i = 0; i < t->count; i++)
		ring[i] = *at(t, i);
	free(t->ring);
	t->ring = ring;
	t->size = size;
	t->start = 0;
}

/* It has gone round and met the first: none is free. */
uint16_t mqtt_in_flight_next_id(const struct mqtt_in_flight *t)
{
	REQUIRE(t->next_id != 0);
	return t->count > 0 && at(t, 0)->packet_id == t->next_id ? 0 : t->next_id;
}

struct mqtt_request *mqtt_in_flight_add(struct mqtt_in_flight *t, enum mqtt_step step,
                                        uint64_t cookie)
{
	struct mqtt_request *r;

	REQUIRE(step != MQTT_STEP_DONE && mqtt_in_flight_next_id(t) != 0);
	if (t->count == t->size)
		grow(t);
	r = at(t, t->count++);
	*r =
	    (struct mqtt_request){.cookie = cookie, .packet_id = t->next_id, .step = (uint8_t)step};
	t->next_id = t->next_id == UINT16_MAX ? 1 : (uint16_t)(t->next_id + 1);
	t->publishing += step <= MQTT_STEP_PUBCOMP;
	t->untimed++;
	return r;
}

void mqtt_in_flight_store(struct mqtt_in_flight *t, struct slice packet)
{
	struct mqtt_request *last;

	REQUIRE(t->count > 0 && packet.len > 0);
	last = at(t, t->count - 1);
	REQUIRE(last->size == 0);
	last->size = packet.len;
	buf_put_slice(&t->stored, packet);
}

/* Identifiers rise by one from request to request, and 0 is left out: a request stands at its
 * distance from the first, or one before. */
struct mqtt_request *mqtt_in_flight_find(const struct mqtt_in_flight *t, uint16_t packet_id)
{
	uint32_t distance;

	if (t->count == 0)
		return NULL;
	distance = (uint16_t)(packet_id - at(t, 0)->packet_id);
	for (uint32_t i = distance, tries = 0; tries < 2; i--, tries++) {
		struct mqtt_request *r = i < t->count ? at(t, i) : NULL;

		if (r != NULL && r->packet_id == packet_id)
			return r->step == MQTT_STEP_DONE ? NULL : r;
	}
	return NULL;
}

static bool is_publish(const struct mqtt_request *r)
{
	return r->step >= MQTT_STEP_PUBACK && r->step <= MQTT_STEP_PUBCOMP;
}

void mqtt_in_flight_release(struct mqtt_in_flight *t, struct mqtt_request *r)
{
	REQUIRE(t->held >= r->held);
	t->held -= r->held;
	r->held = false;
}

void mqtt_in_flight_mark_done(struct mqtt_in_flight *t, struct mqtt_request *r)
{
	if (is_publish(r)) {
		REQUIRE(t->publishing > 0);
		t->publishing--;
	}
	mqtt_in_flight_release(t, r);
	r->step = MQTT_STEP_DONE;
}

void mqtt_in_flight_trim(struct mqtt_in_flight *t)
{
	while (t->count > 0 && at(t, 0)->step == MQTT_STEP_DONE) {
		t->stored_start += at(t, 0)->size;
		t->start = (t->start + 1) & (t->size - 1);
		t->count--;
	}
	REQUIRE(t->stored_start <= t->stored.len);
	if (t->stored_start == t->stored.len) {
		t->stored_start = 0;
		buf_clear(&t->stored);
		if (t->stored.cap > IDLE_BYTES_MAX)
			buf_fini(&t->stored);
	} else if (t->stored_start > t->stored.len / 2) {
		buf_consume(&t->stored, t->stored_start);
		t->stored_start = 0;
	}
}

void mqtt_in_flight_end(struct mqtt_in_flight *t, struct mqtt_request *r)
{
	REQUIRE(r->step != MQTT_STEP_DONE);
	mqtt_in_flight_mark_done(t, r);
	mqtt_in_flight_trim(t);
}

void mqtt_in_flight_note_sent(struct mqtt_in_flight *t, uint64_t now_ms)
{
	uint32_t count = t->untimed < t->count ? t->untimed : t->count;

	for (uint32_t i = 1; i <= count; i++)
		at(t, t->count - i)->sent_ms = now_ms;
	t->untimed = 0;
}

void mqtt_in_flight_close(struct mqtt_in_flight *t, bool keeps_publishes)
{
	for (uint32_t i = 0; i < t->count; i++) {
		struct mqtt_request *r = at(t, i);

		if (!keeps_publishes || !is_publish(r)) {
			mqtt_in_flight_mark_done(t, r);
		} else if (!r->held) {
			r->held = true;
			t->held++;
		}
	}
	mqtt_in_flight_trim(t);
}
