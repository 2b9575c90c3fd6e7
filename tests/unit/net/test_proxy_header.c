/* PROXY headers: vectors of both versions; each header is also cut at every place, and followed by
 * bytes of the client, which it must leave alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/array.h"
#include "net/proxy/proxy_header.h"

#define V2             "\r\n\r\n\0\r\nQUIT\n"
#define INET4          "\xc0\x00\x02\x07\xc0\x00\x02\x01\xc3\xcb\x22\xb3"
#define SIX_7          "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07"
#define MAPPED         "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xc0\x00\x02\x07"
#define TEXT40         "0123456789012345678901234567890123456789"
#define TEXT72         TEXT40 "01234567890123456789012345678901"
#define UNIX_ADDRESSES TEXT72 TEXT72 TEXT72

struct row {
	const char *name;
	struct slice bytes;
	const char *source; /* "": the connection's own; NULL: refused */
	const char *cause;  /* a part of it */
};

static const struct row rows[] = {
    {"v1, IPv4", SLICE_INIT("PROXY TCP4 192.0.2.7 192.0.2.1 50123 8883\r\n"), "192.0.2.7:50123",
     NULL},
    {"v1, IPv6", SLICE_INIT("PROXY TCP6 2001:db8::7 ::1 50123 8883\r\n"), "[2001:db8::7]:50123",
     NULL},
    {"v1, IPv4 in IPv6", SLICE_INIT("PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n"), "192.0.2.7:1",
     NULL},
    {"v1, the ports' ends", SLICE_INIT("PROXY TCP4 255.255.255.255 0.0.0.0 65535 0\r\n"),
     "255.255.255.255:65535", NULL},
    {"v1, unknown", SLICE_INIT("PROXY UNKNOWN\r\n"), "", NULL},
    {"v1, unknown with a rest", SLICE_INIT("PROXY UNKNOWN ffff::1 x y z\r\n"), "", NULL},
    {"v1, the longest",
     SLICE_INIT("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
                "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
     "", NULL},
    {"v1, too long",
     SLICE_INIT("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
                "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535 \r\n"),
     NULL, "longer than 107 bytes"},
    {"v1, without CR", SLICE_INIT("PROXY TCP4 192.0.2.7 192.0.2.1 50123 8883\n"), NULL,
     "does not end with CR LF"},
    {"v1, LF first", SLICE_INIT("PROXY \n"), NULL, "does not end with CR LF"},
    {"v1, nothing", SLICE_INIT("PROXY \r\n"), NULL, "TCP4 or TCP6"},
    {"v1, UNKNOWNX", SLICE_INIT("PROXY UNKNOWNX\r\n"), NULL, "TCP4 or TCP6"},
    {"v1, lower case", SLICE_INIT("PROXY tcp4 192.0.2.7 192.0.2.1 1 2\r\n"), NULL, "TCP4 or TCP6"},
    {"v1, IPv6 as IPv4", SLICE_INIT("PROXY TCP4 ::1 ::1 1 2\r\n"), NULL, "TCP4 or TCP6"},
    {"v1, IPv4 as IPv6", SLICE_INIT("PROXY TCP6 192.0.2.7 192.0.2.1 1 2\r\n"), NULL,
     "TCP4 or TCP6"},
    {"v1, two blanks", SLICE_INIT("PROXY TCP4 192.0.2.7  192.0.2.1 1 2\r\n"), NULL, "TCP4 or TCP6"},
    {"v1, a blank at the end", SLICE_INIT("PROXY TCP4 192.0.2.7 192.0.2.1 1 2 \r\n"), NULL,
     "TCP4 or TCP6"},
    {"v1, one port", SLICE_INIT("PROXY TCP4 192.0.2.7 192.0.2.1 1\r\n"), NULL, "TCP4 or TCP6"},
    {"v1, a port too many", SLICE_INIT("PROXY TCP4 192.0.2.7 192.0.2.1 1 2 3\r\n"), NULL,
     "TCP4 or TCP6"},
    {"v1, port 65536", SLICE_INIT("PROXY TCP4 192.0.2.7 192.0.2.1 65536 2\r\n"), NULL,
     "TCP4 or TCP6"},
    {"v1, port of six digits", SLICE_INIT("PROXY TCP4 192.0.2.7 192.0.2.1 655360 2\r\n"), NULL,
     "TCP4 or TCP6"},
    {"v1, port 01", SLICE_INIT("PROXY TCP4 192.0.2.7 192.0.2.1 01 2\r\n"), NULL, "TCP4 or TCP6"},
    {"v1, port +1", SLICE_INIT("PROXY TCP4 192.0.2.7 192.0.2.1 +1 2\r\n"), NULL, "TCP4 or TCP6"},
    {"v1, no destination port", SLICE_INIT("PROXY TCP4 192.0.2.7 192.0.2.1 1 \r\n"), NULL,
     "TCP4 or TCP6"},
    {"v1, a leading zero", SLICE_INIT("PROXY TCP4 192.0.2.07 192.0.2.1 1 2\r\n"), NULL,
     "TCP4 or TCP6"},
    {"v1, a bad destination", SLICE_INIT("PROXY TCP4 192.0.2.7 192.0.2 1 2\r\n"), NULL,
     "TCP4 or TCP6"},
    {"v1, NUL in an address", SLICE_INIT("PROXY TCP4 192.0.2.7\0 192.0.2.1 1 2\r\n"), NULL,
     "TCP4 or TCP6"},
    {"v1, a zone", SLICE_INIT("PROXY TCP6 fe80::1%lo fe80::2 1 2\r\n"), NULL, "TCP4 or TCP6"},

    {"v2, IPv4", SLICE_INIT(V2 "\x21\x11\x00\x0c" INET4), "192.0.2.7:50123", NULL},
    {"v2, IPv6", SLICE_INIT(V2 "\x21\x21\x00\x24" SIX_7 SIX_7 "\xc3\xcb\x22\xb3"),
     "[2001:db8::7]:50123", NULL},
    {"v2, IPv4 in IPv6", SLICE_INIT(V2 "\x21\x21\x00\x24" MAPPED SIX_7 "\xc3\xcb\x22\xb3"),
     "192.0.2.7:50123", NULL},
    {"v2, a Unix socket", SLICE_INIT(V2 "\x21\x31\x00\xd8" UNIX_ADDRESSES), "", NULL},
    {"v2, unspecified", SLICE_INIT(V2 "\x21\x00\x00\x00"), "", NULL},
    {"v2, unspecified stream", SLICE_INIT(V2 "\x21\x01\x00\x00"), "", NULL},
    {"v2, local", SLICE_INIT(V2 "\x20\x00\x00\x00"), "", NULL},
    {"v2, local with what is ignored", SLICE_INIT(V2 "\x20\x11\x00\x03xyz"), "", NULL},
    {"v2, fields", SLICE_INIT(V2 "\x21\x11\x00\x12" INET4 "\x04\x00\x00\x02\x00\x00"),
     "192.0.2.7:50123", NULL},
    {"v2, checksum", SLICE_INIT(V2 "\x21\x11\x00\x13" INET4 "\x03\x00\x04\x72\x57\x6b\x74"),
     "192.0.2.7:50123", NULL},
    {"v2, checksum and a field",
     SLICE_INIT(V2 "\x21\x11\x00\x18" INET4 "\x03\x00\x04\x09\x9a\x03\x13\x04\x00\x02\xaa\xbb"),
     "192.0.2.7:50123", NULL},
    {"v2, wrong checksum", SLICE_INIT(V2 "\x21\x11\x00\x13" INET4 "\x03\x00\x04\x72\x57\x6b\x75"),
     NULL, "its checksum is wrong"},
    {"v2, checksum of three bytes",
     SLICE_INIT(V2 "\x21\x11\x00\x12" INET4 "\x03\x00\x03\x72\x57\x6b"), NULL,
     "its checksum is wrong"},
    {"v2, two checksums",
     SLICE_INIT(V2 "\x21\x11\x00\x1a" INET4
                   "\x03\x00\x04\x72\x57\x6b\x74\x03\x00\x04\x72\x57\x6b\x74"),
     NULL, "its checksum is wrong"},
    {"v2, version 1", SLICE_INIT(V2 "\x11\x11\x00\x0c" INET4), NULL, "version or command"},
    {"v2, version 3", SLICE_INIT(V2 "\x31\x11\x00\x0c" INET4), NULL, "version or command"},
    {"v2, command 2", SLICE_INIT(V2 "\x22\x11\x00\x0c" INET4), NULL, "version or command"},
    {"v2, UDP", SLICE_INIT(V2 "\x21\x12\x00\x0c" INET4), NULL, "datagrams"},
    {"v2, UDP over IPv6", SLICE_INIT(V2 "\x21\x22\x00\x0c" INET4), NULL, "datagrams"},
    {"v2, Unix datagrams", SLICE_INIT(V2 "\x21\x32\x00\x0c" INET4), NULL, "datagrams"},
    {"v2, a family without transport", SLICE_INIT(V2 "\x21\x10\x00\x0c" INET4), NULL,
     "address family and transport"},
    {"v2, family 4", SLICE_INIT(V2 "\x21\x41\x00\x0c" INET4), NULL, "address family and transport"},
    {"v2, one byte short",
     SLICE_INIT(V2 "\x21\x11\x00\x0b\xc0\x00\x02\x07\xc0\x00\x02\x01\xc3\xcb\x22"), NULL,
     "too short for the addresses"},
    {"v2, IPv6 in 12 bytes", SLICE_INIT(V2 "\x21\x21\x00\x0c" INET4), NULL,
     "too short for the addresses"},
    {"v2, a Unix socket in 12 bytes", SLICE_INIT(V2 "\x21\x31\x00\x0c" INET4), NULL,
     "too short for the addresses"},
    {"v2, half a field", SLICE_INIT(V2 "\x21\x11\x00\x0d" INET4 "\x04"), NULL,
     "longer than the header"},
    {"v2, a field that overruns", SLICE_INIT(V2 "\x21\x11\x00\x10" INET4 "\x04\x00\x02\xaa"), NULL,
     "longer than the header"},
    {"v2, of 4097 bytes", SLICE_INIT(V2 "\x21\x11\x0f\xf1"), NULL, "longer than 4096 bytes"},
    {"v2, of 65551 bytes", SLICE_INIT(V2 "\x21\x11\xff\xff"), NULL, "longer than 4096 bytes"},
    {"v2, TLS fields cut", SLICE_INIT(V2 "\x21\x11\x00\x12" INET4 "\x20\x00\x03\x01\x00\x00"), NULL,
     "TLS fields are malformed"},
    {"v2, a TLS field that overruns",
     SLICE_INIT(V2 "\x21\x11\x00\x17" INET4 "\x20\x00\x08\x01\x00\x00\x00\x00\x22\x00\x05"), NULL,
     "TLS fields are malformed"},
    {"v2, two common names",
     SLICE_INIT(V2 "\x21\x11\x00\x1c" INET4 "\x20\x00\x0d\x03\x00\x00\x00\x00\x22\x00\x01"
                   "a\x22\x00\x01"
                   "b"),
     NULL, "TLS fields are malformed"},
    {"v2, TLS fields twice",
     SLICE_INIT(V2 "\x21\x11\x00\x1c" INET4
                   "\x20\x00\x05\x01\x00\x00\x00\x00\x20\x00\x05\x01\x00\x00\x00\x00"),
     NULL, "TLS fields are malformed"},
    {"v2, TLS fields twice, the first says that there is none",
     SLICE_INIT(V2 "\x21\x11\x00\x1c" INET4
                   "\x20\x00\x05\x00\x00\x00\x00\x00\x20\x00\x05\x01\x00\x00\x00\x00"),
     NULL, "TLS fields are malformed"},

    {"TLS", SLICE_INIT("\x16\x03\x01\x02\x00"), NULL, "TLS came without a PROXY header"},
    {"MQTT", SLICE_INIT("\x10\x10\x00\x04MQTT"), NULL, "MQTT came without a PROXY header"},
    {"HTTP", SLICE_INIT("GET / HTTP/1.1\r\n"), NULL, "HTTP came without a PROXY header"},
    {"an MQTT packet that begins like it", SLICE_INIT("PROXZ "), NULL, "are not a PROXY header"},
    {"a byte of the signature is wrong", SLICE_INIT("\r\n\r\n\0\r\nQUIT\r"), NULL,
     "are not a PROXY header"},
    {"something", SLICE_INIT("x"), NULL, "are not a PROXY header"},
};

static struct slice exact(struct slice s, size_t len)
{
	uint8_t *copy = xalloc(len == 0 ? 1 : len);

	memcpy(copy, s.data, len);
	return slice_of(copy, len);
}

static void drop(struct slice s)
{
	free((void *)(uintptr_t)s.data);
}

static void check_complete(const struct row *row, const struct proxy_header *h)
{
	char text[PEER_TEXT_MAX];

	if (h->len != row->bytes.len)
		fail_msg("%s: %zu bytes", row->name, h->len);
	if (row->source == NULL || h->has_source != (row->source[0] != '\0'))
		fail_msg("%s: a source or none", row->name);
	if (!h->has_source)
		return;
	(void)peer_address_text(&h->source, text, sizeof(text));
	assert_string_equal(text, row->source);
}

static void whole_headers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct slice in = exact(rows[i].bytes, rows[i].bytes.len);
		struct proxy_header h;
		enum proxy_header_result got = proxy_header_parse(in, &h);

		if (got != (rows[i].source == NULL ? PROXY_HEADER_BAD : PROXY_HEADER_COMPLETE))
			fail_msg("%s: %d, %s", rows[i].name, (int)got,
			         h.cause == NULL ? "no cause" : h.cause);
		if (got == PROXY_HEADER_COMPLETE)
			check_complete(&rows[i], &h);
		else if (strstr(h.cause, rows[i].cause) == NULL)
			fail_msg("%s: %s", rows[i].name, h.cause);
		drop(in);
	}
}

/* A part of a valid header is incomplete, whatever follows it is not of the header. */
static void parts_of_headers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf longer = {0};
		struct proxy_header h;

		for (size_t len = 0; len < rows[i].bytes.len; len++) {
			struct slice in = exact(rows[i].bytes, len);
			enum proxy_header_result got = proxy_header_parse(in, &h);

			if (got == PROXY_HEADER_COMPLETE ||
			    (got == PROXY_HEADER_BAD && rows[i].source != NULL))
				fail_msg("%s, %zu bytes: %d", rows[i].name, len, (int)got);
			drop(in);
		}
		if (rows[i].source == NULL)
			continue;
		buf_put_slice(&longer, rows[i].bytes);
		buf_put_slice(&longer, SLICE("\x16\x03\x01\r\n\0PROXY "));
		assert_int_equal(proxy_header_parse(buf_slice(&longer), &h), PROXY_HEADER_COMPLETE);
		check_complete(&rows[i], &h);
		buf_fini(&longer);
	}
}

static const struct {
	const char *name;
	struct slice fields; /* of the TLS field */
	bool has_tls, has_certificate;
	uint32_t verify_result;
	const char *version, *common_name;
} tls_rows[] = {
    {"no TLS", SLICE_INIT("\x00\x00\x00\x00\x01"), false, false, 1, "TLS", ""},
    {"no TLS, with a certificate", SLICE_INIT("\x06\x00\x00\x00\x00"), false, false, 0, "TLS", ""},
    {"no certificate", SLICE_INIT("\x01\x00\x00\x00\x01\x21\x00\x07TLSv1.3"), true, false, 1,
     "TLSv1.3", ""},
    {"a certificate",
     SLICE_INIT("\x07\x00\x00\x00\x00\x21\x00\x07TLSv1.2\x22\x00\x04"
                "anna"),
     true, true, 0, "TLSv1.2", "anna"},
    {"in the session",
     SLICE_INIT("\x05\x00\x00\x00\x00\x22\x00\x04"
                "anna"),
     true, true, 0, "TLS", "anna"},
    {"not verified",
     SLICE_INIT("\x03\x00\x00\x00\x12\x22\x00\x04"
                "anna"),
     true, true, 18, "TLS", "anna"},
    {"another version", SLICE_INIT("\x01\x00\x00\x00\x00\x21\x00\x05\x1b[31m"), true, false, 0,
     "TLS", ""},
    {"fields of others", SLICE_INIT("\x03\x00\x00\x00\x00\x23\x00\x02XY\x25\x00\x00\x22\x00\x00"),
     true, true, 0, "TLS", ""},
};

static void what_a_proxy_says_of_tls(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(tls_rows); i++) {
		struct slice fields = tls_rows[i].fields;
		struct buf in = {0};
		struct proxy_header h;

		buf_put_slice(&in, SLICE(V2 "\x21\x11"));
		buf_put_u16(&in, (uint16_t)(12 + 3 + fields.len));
		buf_put_slice(&in, SLICE(INET4 "\x20"));
		buf_put_u16(&in, (uint16_t)fields.len);
		buf_put_slice(&in, fields);
		if (proxy_header_parse(buf_slice(&in), &h) != PROXY_HEADER_COMPLETE)
			fail_msg("%s: %s", tls_rows[i].name, h.cause);
		if (h.has_tls != tls_rows[i].has_tls ||
		    h.has_certificate != tls_rows[i].has_certificate ||
		    h.verify_result != tls_rows[i].verify_result)
			fail_msg("%s: %d, %d, %u", tls_rows[i].name, h.has_tls, h.has_certificate,
			         h.verify_result);
		assert_string_equal(h.tls_version, tls_rows[i].version);
		assert_true(slice_equal(h.common_name, slice_of_str(tls_rows[i].common_name)));
		buf_fini(&in);
	}
}

/* The largest that is taken. */
static void header_of_4096_bytes(void **state)
{
	static const uint8_t zeros[PROXY_HEADER_MAX];
	struct buf in = {0};
	struct proxy_header h;

	(void)state;
	buf_put_slice(&in, SLICE(V2 "\x21\x11"));
	buf_put_u16(&in, PROXY_HEADER_MAX - 16);
	buf_put_slice(&in, SLICE(INET4 "\x04"));
	buf_put_u16(&in, PROXY_HEADER_MAX - 16 - 12 - 3);
	buf_put(&in, zeros, PROXY_HEADER_MAX - in.len);
	assert_int_equal(proxy_header_parse(slice_of(in.data, in.len - 1), &h),
	                 PROXY_HEADER_INCOMPLETE);
	assert_int_equal(proxy_header_parse(buf_slice(&in), &h), PROXY_HEADER_COMPLETE);
	assert_int_equal(h.len, PROXY_HEADER_MAX);
	buf_fini(&in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(whole_headers),
	    cmocka_unit_test(parts_of_headers),
	    cmocka_unit_test(what_a_proxy_says_of_tls),
	    cmocka_unit_test(header_of_4096_bytes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
