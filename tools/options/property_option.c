/* Names are those of the standard, in lower case with hyphens; one table has them all. */
#include "options/property_option.h"

#include <string.h>

#include "base/array.h"
#include "base/nearest.h"
#include "base/require.h"

#define NAME_TEXT 48

enum value_type {
	BYTE,
	TWO,
	FOUR,
	VARINT,
	STRING,
	TOPIC,
	BINARY,
	PAIR,
};

static const struct row {
	const char *name;
	enum property id;
	enum value_type type;
} rows[] = {
#define PROPERTY(id, number, its_type, owners, repeats, min, max, forwarded, member, its_name)     \
	{its_name, PROPERTY_##id, its_type},
#include "proto/properties.def"
#undef PROPERTY
};

static const struct packet {
	const char *name;
	size_t member;
	unsigned owner;
} packets[] = {
    {"connect", offsetof(struct client_options, connect_properties), PACKET_CONNECT},
    {"publish", offsetof(struct client_options, publish_properties), PACKET_PUBLISH},
    {"subscribe", offsetof(struct client_options, subscribe_properties), PACKET_SUBSCRIBE},
    {"unsubscribe", offsetof(struct client_options, unsubscribe_properties), PACKET_UNSUBSCRIBE},
    {"will", offsetof(struct client_options, will_properties), PROPERTY_OWNER_WILL},
};

static void write_name(const char *name, char out[NAME_TEXT])
{
	size_t i;

	for (i = 0; name[i] != '\0' && i + 1 < NAME_TEXT; i++) {
		out[i] = name[i];
		if (name[i] == ' ')
			out[i] = '-';
		else if (name[i] >= 'A' && name[i] <= 'Z')
			out[i] = (char)(name[i] - 'A' + 'a');
	}
	out[i] = '\0';
}

bool property_option_is(const char *name, const char *text)
{
	char written[NAME_TEXT];

	write_name(name, written);
	return strcmp(written, text) == 0;
}

static const struct row *find_row(const char *text)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (property_option_is(rows[i].name, text))
			return &rows[i];
	}
	return NULL;
}

static int report_no_property(const char *text)
{
	char written[ARRAY_LEN(rows)][NAME_TEXT];
	const char *names[ARRAY_LEN(rows)], *near;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		write_name(rows[i].name, written[i]);
		names[i] = written[i];
	}
	near = nearest_word(text, names, ARRAY_LEN(rows));
	return near == NULL
	           ? report_error(EXIT_USAGE, "-D: there is no property '%s'", text)
	           : report_error(EXIT_USAGE, "-D: there is no property '%s'; did you mean '%s'?",
	                          text, near);
}

static int put_value(struct buf *out, const struct row *row, const char *value)
{
	uint64_t number;

	REQUIRE(value != NULL);
	if (row->type >= STRING) {
		if (strlen(value) > UINT16_MAX)
			return report_error(EXIT_USAGE, "-D: the value is longer than 65535 bytes");
		property_put_string(out, row->id, slice_of_str(value));
		return 0;
	}
	if (!client_parse_number(value,
	                         row->type == BYTE  ? UINT8_MAX
	                         : row->type == TWO ? UINT16_MAX
	                                            : UINT32_MAX,
	                         &number))
		return report_error(EXIT_USAGE, "-D: the value '%s' is no number, or too large",
		                    value);
	property_put_number(out, row->id, (uint32_t)number);
	return 0;
}

/* The decoder knows what may stand where. */
int property_option_check(const struct buf *block, unsigned owner)
{
	struct buf whole = {0};
	struct properties p;
	struct reader r;
	struct fault fault;

	buf_put_varint(&whole, (uint32_t)block->len);
	buf_put_slice(&whole, buf_slice(block));
	r = reader_of(buf_slice(&whole));
	fault = properties_read(&r, owner, &p);
	buf_fini(&whole);
	return fault_is_none(fault) ? 0 : report_error(EXIT_USAGE, "-D: %s", fault.cause);
}

int property_option_take(struct client_options *o, const char *packet)
{
	const char *names[ARRAY_LEN(packets)];
	const char *name = client_next_word(), *value = client_next_word(), *second;
	const struct row *row;
	struct buf *block;
	int rc;

	REQUIRE(packet != NULL);
	for (size_t i = 0; i < ARRAY_LEN(packets); i++) {
		names[i] = packets[i].name;
		if (strcmp(packets[i].name, packet) != 0)
			continue;
		if (value == NULL)
			return report_usage(
			    "-D needs a packet, the name of a property and a value");
		row = find_row(name);
		if (row == NULL)
			return report_no_property(name);
		block = (struct buf *)(void *)((uint8_t *)o + packets[i].member);
		if ((rc = put_value(block, row, value)) != 0)
			return rc;
		if (row->type == PAIR) {
			if ((second = client_next_word()) == NULL)
				return report_usage("-D: a user property needs a name and a value");
			buf_put_string(block, slice_of_str(second));
		}
		return property_option_check(block, packets[i].owner);
	}
	return report_unknown("packet with properties", packet, names, ARRAY_LEN(packets));
}
