/* Both versions, as strictly as their specification words them; what it leaves open is refused. */
#include "net/proxy/proxy_header.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/array.h"
#include "base/require.h"

/* --- version 1: a line of text --- */

#define V1_START SLICE("PROXY ")

static enum proxy_header_result refuse(struct proxy_header *out, const char *cause)
{
	out->cause = cause;
	return PROXY_HEADER_BAD;
}

/* The text before the next blank; the blank is taken. False: there is none. */
static bool take_word(struct slice *rest, struct slice *word)
{
	const uint8_t *blank = rest->len == 0 ? NULL : memchr(rest->data, ' ', rest->len);

	if (blank == NULL)
		return false;
	*word = slice_of(rest->data, (size_t)(blank - rest->data));
	*rest = slice_skip(*rest, word->len + 1);
	return true;
}

static bool parse_port(struct slice text, uint16_t *out)
{
	uint32_t value = 0;

	if (text.len == 0 || text.len > 5 || (text.len > 1 && text.data[0] == '0'))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
		value = value * 10 + (uint32_t)(text.data[i] - '0');
	}
	*out = (uint16_t)value;
	return value <= UINT16_MAX;
}

static bool parse_address(int family, struct slice text, void *out)
{
	char copy[INET6_ADDRSTRLEN];

	if (text.len == 0 || text.len >= sizeof(copy) || memchr(text.data, 0, text.len) != NULL)
		return false;
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	return inet_pton(family, copy, out) == 1;
}

/* IPv4 in IPv6 becomes IPv4 there. */
static struct peer_address make_peer(int family, const void *address, uint16_t port)
{
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	if (family == AF_INET) {
		memcpy(&four.sin_addr, address, sizeof(four.sin_addr));
		return peer_address_from_sockaddr((const struct sockaddr *)&four);
	}
	memcpy(&six.sin6_addr, address, sizeof(six.sin6_addr));
	return peer_address_from_sockaddr((const struct sockaddr *)&six);
}

/* "192.0.2.7 192.0.2.1 50123 8883": source and destination, each of which must be valid. */
static bool parse_v1_addresses(int family, struct slice rest, struct proxy_header *out)
{
	struct slice source, destination, source_port;
	uint8_t from[16], to[16];
	uint16_t port, ignored;

	if (!take_word(&rest, &source) || !take_word(&rest, &destination) ||
	    !take_word(&rest, &source_port))
		return false;
	if (!parse_address(family, source, from) || !parse_address(family, destination, to) ||
	    !parse_port(source_port, &port) || !parse_port(rest, &ignored))
		return false;
	out->has_source = true;
	out->source = make_peer(family, from, port);
	return true;
}

static enum proxy_header_result parse_v1(struct slice in, struct proxy_header *out)
{
	size_t most = in.len < PROXY_HEADER_V1_MAX ? in.len : PROXY_HEADER_V1_MAX;
	const uint8_t *end = memchr(in.data, '\n', most);
	struct slice line, rest;

	if (end == NULL && in.len >= PROXY_HEADER_V1_MAX)
		return refuse(out, "its line is longer than 107 bytes");
	if (end == NULL)
		return PROXY_HEADER_INCOMPLETE;
	if (end[-1] != '\r')
		return refuse(out, "its line does not end with CR LF");
	out->len = (size_t)(end - in.data) + 1;
	line = slice_of(in.data, out->len - 2);
	rest = slice_skip(line, V1_START.len);
	/* What follows UNKNOWN must be ignored. */
	if (slice_equal(rest, SLICE("UNKNOWN")) || slice_starts_with(rest, SLICE("UNKNOWN ")))
		return PROXY_HEADER_COMPLETE;
	if (slice_starts_with(rest, SLICE("TCP4 ")) &&
	    parse_v1_addresses(AF_INET, slice_skip(rest, 5), out))
		return PROXY_HEADER_COMPLETE;
	if (slice_starts_with(rest, SLICE("TCP6 ")) &&
	    parse_v1_addresses(AF_INET6, slice_skip(rest, 5), out))
		return PROXY_HEADER_COMPLETE;
	return refuse(out,
	              "its line is not PROXY TCP4 or TCP6 with two addresses and two ports, or "
	              "PROXY UNKNOWN");
}

/* --- version 2: binary --- */

#define V2_START SLICE("\r\n\r\n\0\r\nQUIT\n")
#define V2_FIXED 16

enum {
	COMMAND_LOCAL = 0x20,
	COMMAND_PROXY = 0x21,
};

enum {
	FAMILY_UNSPEC = 0x00,
	FAMILY_UNSPEC_STREAM = 0x01, /* the transport of no family says nothing */
	FAMILY_INET = 0x11,
	FAMILY_INET_DATAGRAM = 0x12,
	FAMILY_INET6 = 0x21,
	FAMILY_INET6_DATAGRAM = 0x22,
	FAMILY_UNIX = 0x31,
	FAMILY_UNIX_DATAGRAM = 0x32,
};

#define UNIX_BYTES 216

enum {
	FIELD_CRC32C = 0x03,
	FIELD_UNIQUE_ID = 0x05,
	FIELD_TLS = 0x20,
	TLS_FIELD_VERSION = 0x21,
	TLS_FIELD_COMMON_NAME = 0x22,
};

enum {
	CLIENT_TLS = 0x01,
	CLIENT_CERTIFICATE_CONNECTION = 0x02,
	CLIENT_CERTIFICATE_SESSION = 0x04,
};

#define UNIQUE_ID_MAX 128

/* CRC-32C (Castagnoli), by half bytes. */
static uint32_t crc32c_add(uint32_t crc, struct slice bytes)
{
	static const uint32_t table[16] = {
	    0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
	    0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
	    0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
	};

	for (size_t i = 0; i < bytes.len; i++) {
		crc ^= bytes.data[i];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return crc;
}

/* Of the whole header, with zeros in the place of the checksum. */
static bool checksum_fits(struct slice header, struct slice field)
{
	static const uint8_t zeros[4];
	struct reader r = reader_of(field);
	size_t before = (size_t)(field.data - header.data);
	uint32_t crc = UINT32_MAX;

	crc = crc32c_add(crc, slice_of(header.data, before));
	crc = crc32c_add(crc, slice_of(zeros, sizeof(zeros)));
	crc = crc32c_add(crc, slice_skip(header, before + sizeof(zeros)));
	return read_u32(&r) == ~crc;
}

static const char *known_version(struct slice text)
{
	static const char *const known[] = {"TLSv1.3", "TLSv1.2", "TLSv1.1", "TLSv1"};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (slice_equal(text, slice_of_str(known[i])))
			return known[i];
	}
	return "TLS";
}

/* False: fields overrun, or one that counts comes twice. */
static bool read_tls(struct slice value, struct proxy_header *out)
{
	struct reader r = reader_of(value);
	uint8_t client = read_u8(&r);
	bool named = false;

	out->verify_result = read_u32(&r);
	out->tls_version = "TLS";
	while (!r.bad && reader_left(&r) > 0) {
		uint8_t type = read_u8(&r);
		struct slice text = read_bytes(&r, read_u16(&r));

		if (type == TLS_FIELD_VERSION)
			out->tls_version = known_version(text);
		if (type == TLS_FIELD_COMMON_NAME && named)
			return false;
		if (type == TLS_FIELD_COMMON_NAME) {
			named = true;
			out->common_name = text;
		}
	}
	out->has_tls = (client & CLIENT_TLS) != 0;
	out->has_certificate =
	    out->has_tls &&
	    (client & (CLIENT_CERTIFICATE_CONNECTION | CLIENT_CERTIFICATE_SESSION)) != 0;
	return !r.bad;
}

static enum proxy_header_result read_fields(struct slice header, struct reader *r,
                                            struct proxy_header *out)
{
	bool summed = false, has_tls = false;

	while (reader_left(r) > 0) {
		uint8_t type = read_u8(r);
		struct slice value = read_bytes(r, read_u16(r));

		if (r->bad)
			return refuse(out, "a field of it is longer than the header");
		if (type == FIELD_UNIQUE_ID && value.len > UNIQUE_ID_MAX)
			return refuse(out, "its unique id is longer than 128 bytes");
		if (type == FIELD_TLS) {
			if (has_tls || !read_tls(value, out))
				return refuse(out, "its TLS fields are malformed");
			has_tls = true;
		}
		if (type != FIELD_CRC32C)
			continue;
		/* mutant: proxy_checksum */
		if (summed || value.len != 4 || !checksum_fits(header, value))
			return refuse(out,
			              "its checksum is wrong: it was damaged on its way, or the "
			              "proxy computes it wrongly");
		summed = true;
	}
	return PROXY_HEADER_COMPLETE;
}

/* False: *out says why. */
static bool read_v2_addresses(uint8_t family, struct reader *r, struct proxy_header *out)
{
	struct slice addresses, ports;
	struct reader port;

	switch (family) {
	case FAMILY_UNSPEC:
	case FAMILY_UNSPEC_STREAM:
		return true;
	case FAMILY_INET:
	case FAMILY_INET6:
		addresses = read_bytes(r, family == FAMILY_INET ? 8 : 32);
		ports = read_bytes(r, 4);
		if (r->bad)
			break;
		port = reader_of(ports);
		out->has_source = true;
		out->source = make_peer(family == FAMILY_INET ? AF_INET : AF_INET6, addresses.data,
		                        read_u16(&port));
		return true;
	case FAMILY_UNIX:
		(void)read_bytes(r, UNIX_BYTES);
		if (r->bad)
			break;
		return true;
	case FAMILY_INET_DATAGRAM:
	case FAMILY_INET6_DATAGRAM:
	case FAMILY_UNIX_DATAGRAM:
		out->cause = "it says that the client sends datagrams (UDP)";
		return false;
	default:
		out->cause = "its address family and transport are none that the specification has";
		return false;
	}
	out->cause = "it is too short for the addresses that it announces";
	return false;
}

static enum proxy_header_result parse_v2(struct slice in, struct proxy_header *out)
{
	struct reader r = reader_of(slice_skip(in, V2_START.len));
	uint8_t command, family;
	struct slice header;
	size_t len;

	if (in.len < V2_FIXED)
		return PROXY_HEADER_INCOMPLETE;
	command = read_u8(&r);
	family = read_u8(&r);
	len = V2_FIXED + (size_t)read_u16(&r);
	if (command != COMMAND_LOCAL && command != COMMAND_PROXY)
		return refuse(out, "its version or command is none that the specification has");
	/* mutant: proxy_header_is_bounded */
	if (len > PROXY_HEADER_MAX)
		return refuse(out, "it is longer than 4096 bytes: let the proxy send fewer fields");
	if (in.len < len)
		return PROXY_HEADER_INCOMPLETE;
	out->len = len;
	if (command == COMMAND_LOCAL) /* of the proxy itself: nothing else counts */
		return PROXY_HEADER_COMPLETE;
	header = slice_of(in.data, len);
	r = reader_of(slice_skip(header, V2_FIXED));
	if (!read_v2_addresses(family, &r, out))
		return PROXY_HEADER_BAD;
	return read_fields(header, &r, out);
}

/* --- which of them --- */

/* What came instead, by its first bytes. */
static const char *other_cause(struct slice in)
{
	static const struct {
		struct slice start;
		const char *cause;
	} rows[] = {
	    {SLICE_INIT("\x16\x03"),
	     "TLS came without a PROXY header: let the proxy send one (HAProxy: send-proxy-v2, "
	     "nginx: "
	     "proxy_protocol on), or take proxy_protocol out of this listener"},
	    {SLICE_INIT("\x10"), "MQTT came without a PROXY header: let the proxy send one "
	                         "(HAProxy: send-proxy-v2, nginx: "
	                         "proxy_protocol on), or take proxy_protocol out of this listener"},
	    {SLICE_INIT("GET "),
	     "HTTP came without a PROXY header: let the proxy send one, or take "
	     "proxy_protocol out of this listener"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (slice_starts_with(in, rows[i].start))
			return rows[i].cause;
	}
	return "the first bytes are not a PROXY header: let the proxy send one (HAProxy: "
	       "send-proxy-v2, nginx: proxy_protocol on), or take proxy_protocol out of this "
	       "listener";
}

/* Is `in` the start of it, as far as it goes? */
static bool may_start(struct slice in, struct slice start)
{
	return in.len < start.len ? slice_starts_with(start, in) : slice_starts_with(in, start);
}

enum proxy_header_result proxy_header_parse(struct slice in, struct proxy_header *out)
{
	enum proxy_header_result result;

	*out = (struct proxy_header){0};
	if (in.len == 0)
		return PROXY_HEADER_INCOMPLETE;
	if (may_start(in, V1_START))
		result = in.len < V1_START.len ? PROXY_HEADER_INCOMPLETE : parse_v1(in, out);
	else if (may_start(in, V2_START))
		result = in.len < V2_START.len ? PROXY_HEADER_INCOMPLETE : parse_v2(in, out);
	else
		result = refuse(out, other_cause(in));
	REQUIRE(result != PROXY_HEADER_COMPLETE || (out->len > 0 && out->len <= in.len));
	return result;
}
