/* SUBSCRIBE and UNSUBSCRIBE both ways.  Pure. */
#include "proto/packet_subscribe.h"

#include "base/require.h"
#include "proto/topic.h"
#include "proto/wire.h"

enum option_bits {
	OPTION_QOS = 0x03,
	OPTION_NO_LOCAL = 0x04,
	OPTION_RETAIN_AS_PUBLISHED = 0x08,
	OPTION_RETAIN_HANDLING = 0x30,
	OPTION_RESERVED = 0xc0,
};

static struct subscription_options options_of(uint8_t bits)
{
	return (struct subscription_options){
	    .qos = bits & OPTION_QOS,
	    .no_local = (bits & OPTION_NO_LOCAL) != 0,
	    .retain_as_published = (bits & OPTION_RETAIN_AS_PUBLISHED) != 0,
	    .retain_handling = (uint8_t)((bits & OPTION_RETAIN_HANDLING) >> 4),
	};
}

static struct fault check_options_v5(uint8_t bits, struct slice filter)
{
	if ((bits & OPTION_RESERVED) != 0) /* [MQTT5-3.8.3-5] */
		return fault_of(REASON_MALFORMED,
		                "a reserved bit of the subscription options is set");
	if ((bits & OPTION_QOS) == OPTION_QOS)
		return fault_of(REASON_PROTOCOL_ERROR, "the requested QoS is 3");
	if ((bits & OPTION_RETAIN_HANDLING) == OPTION_RETAIN_HANDLING)
		return fault_of(REASON_PROTOCOL_ERROR, "Retain Handling is 3");
	if ((bits & OPTION_NO_LOCAL) != 0 && slice_starts_with(filter, SLICE(TOPIC_SHARE_PREFIX)))
		return fault_of(REASON_PROTOCOL_ERROR, /* [MQTT5-3.8.3-4] */
		                "No Local is set on a shared subscription");
	return FAULT_NONE;
}

/* A filter with a wildcard in the wrong place does not conform, and the packet goes with it: 0x8f
 * is for filters that do conform. [MQTT5-4.7.1-1, -2] [MQTT3-4.7.1-2, -3] [MQTT-4.7.3-1] Only 5.0
 * knows $share; 3.1.1 accepts a missing name. [MQTT5-4.8.2-1, -2] */
static bool filter_conforms(struct slice whole, enum mqtt_version version)
{
	struct slice group, filter;
	enum share_result share =
	    version == MQTT_5_0 ? topic_filter_share(whole, &group, &filter) : SHARE_NONE;

	return share == SHARE_NONE ? topic_filter_valid(whole) : share == SHARE_OK;
}

static struct fault check_name(struct reader *r, enum mqtt_version version, struct slice *filter)
{
	*filter = read_utf8(r); /* [MQTT-3.8.3-1] [MQTT-3.10.3-1] */
	if (r->bad)
		return fault_of(REASON_MALFORMED, "a topic filter is cut short or not UTF-8");
	return filter_conforms(*filter, version)
	           ? FAULT_NONE
	           : fault_of(REASON_MALFORMED, "a topic filter is not valid");
}

static struct fault check_entry(struct reader *r, enum mqtt_version version)
{
	struct slice filter;
	struct fault fault = check_name(r, version, &filter);
	uint8_t bits;

	if (!fault_is_none(fault))
		return fault;
	bits = read_u8(r);
	if (r->bad)
		return fault_of(REASON_MALFORMED, "the subscription options are missing");
	if (version == MQTT_5_0)
		return check_options_v5(bits, filter);
	if (bits > 2) /* all but the QoS is reserved [MQTT3-3.8.3-4] */
		return fault_of(REASON_MALFORMED, "the requested QoS is not 0, 1 or 2");
	return FAULT_NONE;
}

typedef struct fault entry_check(struct reader *r, enum mqtt_version version);

#define STEP_BYTES 64

/* Entries off *entries: how many. */
static struct fault check_entries(struct slice *entries, enum mqtt_version version,
                                  entry_check *check, size_t *steps, size_t *count)
{
	struct reader r = reader_of(*entries);
	struct fault fault = FAULT_NONE;

	REQUIRE(*steps > 0);
	while (reader_left(&r) > 0 && *steps > 0 && fault_is_none(fault)) {
		const uint8_t *start = r.at;
		size_t cost;

		fault = check(&r, version);
		cost = 1 + (size_t)(r.at - start) / STEP_BYTES;
		*steps -= cost < *steps ? cost : *steps;
		(*count)++;
	}
	*entries = slice_of(r.at, reader_left(&r));
	return fault;
}

/* Flags, identifier and, in 5.0, properties: what both requests begin with. [MQTT-3.8.1-1]
 * [MQTT-3.10.1-1] */
struct fault packet_subscribe_decode_head(const struct frame *frame, enum mqtt_version version,
                                          struct subscribe *out)
{
	struct reader r = reader_of(frame->body);
	struct fault fault;

	REQUIRE(frame->type == PACKET_SUBSCRIBE || frame->type == PACKET_UNSUBSCRIBE);
	*out = (struct subscribe){.packet_id = read_packet_id(&r)};
	if (r.bad)
		return wire_packet_id_fault(frame, 0);
	fault = wire_check_flags(frame);
	if (version == MQTT_5_0 && fault_is_none(fault))
		fault = properties_read(&r, frame->type, &out->properties);
	if (fault_is_none(fault))
		out->entries = slice_of(r.at, reader_left(&r));
	return fault;
}

static struct fault check_filter(struct reader *r, enum mqtt_version version)
{
	struct slice filter;

	return check_name(r, version, &filter);
}

struct fault packet_subscribe_check(struct slice *entries, enum mqtt_version version, size_t *steps)
{
	size_t count = 0;

	return check_entries(entries, version, check_entry, steps, &count);
}

struct fault packet_unsubscribe_check(struct slice *entries, enum mqtt_version version,
                                      size_t *steps)
{
	size_t count = 0;

	return check_entries(entries, version, check_filter, steps, &count);
}

struct fault packet_subscribe_decode(const struct frame *frame, enum mqtt_version version,
                                     struct subscribe *out)
{
	struct fault fault = packet_subscribe_decode_head(frame, version, out);
	struct slice entries = out->entries;
	size_t steps = SIZE_MAX;

	if (!fault_is_none(fault))
		return fault;
	fault = check_entries(&entries, version,
	                      frame->type == PACKET_SUBSCRIBE ? check_entry : check_filter, &steps,
	                      &out->count);
	/* [MQTT3-3.8.3-3] [MQTT5-3.8.3-2] [MQTT-3.10.3-2] */
	if (fault_is_none(fault) && out->count == 0)
		return fault_of(REASON_PROTOCOL_ERROR, "there is no topic filter");
	return fault;
}

bool packet_subscribe_next(struct slice *entries, struct slice *filter,
                           struct subscription_options *options)
{
	struct reader r = reader_of(*entries);

	if (reader_left(&r) == 0)
		return false;
	*filter = read_string(&r);
	*options = options_of(read_u8(&r));
	*entries = slice_of(r.at, reader_left(&r));
	return !r.bad;
}

bool packet_unsubscribe_next(struct slice *entries, struct slice *filter)
{
	struct reader r = reader_of(*entries);

	if (reader_left(&r) == 0)
		return false;
	*filter = read_string(&r);
	*entries = slice_of(r.at, reader_left(&r));
	return !r.bad;
}

static uint8_t bits_of(const struct subscription_options *o, enum mqtt_version version)
{
	if (version != MQTT_5_0)
		return o->qos;
	return (uint8_t)(o->qos | (o->no_local ? OPTION_NO_LOCAL : 0) |
	                 (o->retain_as_published ? OPTION_RETAIN_AS_PUBLISHED : 0) |
	                 o->retain_handling << 4);
}

static void put_head(struct buf *out, enum mqtt_version version, uint16_t packet_id,
                     struct slice properties)
{
	buf_put_u16(out, packet_id);
	if (version != MQTT_5_0)
		return;
	buf_put_varint(out, (uint32_t)properties.len);
	buf_put_slice(out, properties);
}

void packet_subscribe_encode(struct buf *out, enum mqtt_version version, uint16_t packet_id,
                             struct slice properties, const struct subscribe_entry *entries,
                             size_t count)
{
	size_t start = out->len;

	REQUIRE(packet_id != 0 && count > 0);
	put_head(out, version, packet_id, properties);
	for (size_t i = 0; i < count; i++) {
		buf_put_string(out, entries[i].filter);
		buf_put_u8(out, bits_of(&entries[i].options, version));
	}
	wire_close_packet(out, start, PACKET_SUBSCRIBE);
}

void packet_unsubscribe_encode(struct buf *out, enum mqtt_version version, uint16_t packet_id,
                               struct slice properties, const struct slice *filters, size_t count)
{
	size_t start = out->len;

	REQUIRE(packet_id != 0 && count > 0);
	put_head(out, version, packet_id, properties);
	for (size_t i = 0; i < count; i++)
		buf_put_string(out, filters[i]);
	wire_close_packet(out, start, PACKET_UNSUBSCRIBE);
}
