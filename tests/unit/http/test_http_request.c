/* What libhttp-parser accepts and we do not, and what both do: a table, each row split at every
 * byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/array.h"
#include "http/http_request.h"

#define GET  "GET /mqtt HTTP/1.1\r\n"
#define HOST "Host: a\r\n"
#define END  "\r\n"

struct row {
	/* An at sign stands for 9,000 bytes, and a tilde for an at sign. */
	const char *name, *request;
	unsigned status; /* 0: fine */
};

static const struct row rows[] = {
    {"fine", GET HOST END, 0},
    {"with a query", "GET /mqtt?x=1 HTTP/1.1\r\n" HOST END, 0},
    {"HEAD", "HEAD / HTTP/1.1\r\n" HOST END, 0},
    {"absolute form with this host", "GET https://A/mqtt HTTP/1.1\r\n" HOST END, 0},
    {"two dots are a path like any other", "GET /a/../b HTTP/1.1\r\n" HOST END, 0},
    {"a value that is empty", GET HOST "X:\r\n" END, 0},
    {"blanks around a value", GET "Host: \t a \t\r\n" END, 0},
    {"a length of 0", GET HOST "Content-Length: 0\r\n" END, 0},
    {"POST", "POST /x HTTP/1.1\r\n" HOST "Content-Length: 5\r\n" END, 0},
    {"another method is the route's matter", "DELETE /x HTTP/1.1\r\n" HOST END, 0},
    {"upgrade to what is not known", GET HOST "Connection: Upgrade\r\nUpgrade: h2c\r\n" END, 0},
    {"64 fields",
     GET HOST "a:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\n"
              "a:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\n"
              "a:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\n"
              "a:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\n"
              "a:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\n"
              "a:b\r\na:b\r\na:b\r\n" END,
     0},

    /* Accepted by the parser. */
    {"bare line feeds", "GET /mqtt HTTP/1.1\nHost: a\n\n", 400},
    {"one bare line feed", GET "Host: a\n" END, 400},
    {"a bare line feed at the end", GET HOST "\n", 400},
    {"a bare carriage return", GET "Host: a\rX: b\r\n" END, 400},
    {"a folded line", GET HOST "X: a\r\n b\r\n" END, 400},
    {"a line folded by a tab", GET HOST "X: a\r\n\tb\r\n" END, 400},
    {"a blank before the first field", GET " Host: a\r\n" END, 400},
    {"a blank before the colon", GET "Host : a\r\n" END, 400},
    {"HTTP/0.9", "GET /mqtt\r\n" END, 505},
    {"HTTP/1.0", "GET /mqtt HTTP/1.0\r\n" HOST END, 505},
    {"HTTP/2.0", "GET /mqtt HTTP/2.0\r\n" HOST END, 505},
    {"HTTP/9.9", "GET /mqtt HTTP/9.9\r\n" HOST END, 505},
    {"no Host", GET END, 400},
    {"an empty Host", GET "Host:\r\n" END, 400},
    {"two Hosts", GET HOST HOST END, 400},
    {"a Host with a path", GET "Host: a/b\r\n" END, 400},
    {"a Host with a user", GET "Host: u~a\r\n" END, 400},
    {"a Host with a port", GET "Host: a:8443\r\n" END, 0},
    {"a Host with the highest port", GET "Host: a:65535\r\n" END, 0},
    {"a Host with an empty port", GET "Host: a:\r\n" END, 0},
    {"a Host that is an address", GET "Host: 192.0.2.1:8443\r\n" END, 0},
    {"a Host that is an IPv6 address", GET "Host: [2001:db8::1]\r\n" END, 0},
    {"a Host that is an IPv6 address with a port", GET "Host: [::1]:8443\r\n" END, 0},
    {"a Host with a port that does not exist", GET "Host: a:65536\r\n" END, 400},
    {"a Host with a port that would be 80 in 32 bits", GET "Host: a:4294967376\r\n" END, 400},
    {"a Host with two ports", GET "Host: a:1:2\r\n" END, 400},
    {"a Host with a port in letters", GET "Host: a:https\r\n" END, 400},
    {"a Host with a negative port", GET "Host: a:-1\r\n" END, 400},
    {"a Host that is a port", GET "Host: :8443\r\n" END, 400},
    {"a Host without its bracket", GET "Host: [::1\r\n" END, 400},
    {"a Host with another bracket", GET "Host: ::1]\r\n" END, 400},
    {"a Host with empty brackets", GET "Host: []\r\n" END, 400},
    {"a Host with a name in brackets", GET "Host: [a]\r\n" END, 400},
    {"a Host with something behind the bracket", GET "Host: [::1]8443\r\n" END, 400},
    {"a Host with a zone", GET "Host: [fe80::1%25eth0]\r\n" END, 400},
    {"a Host with a blank", GET "Host: a b\r\n" END, 400},
    {"absolute form with another host", "GET https://b/mqtt HTTP/1.1\r\n" HOST END, 400},
    {"absolute form with a longer host", "GET https://a.b/mqtt HTTP/1.1\r\n" HOST END, 400},
    {"absolute form without path", "GET https://a HTTP/1.1\r\n" HOST END, 400},
    {"absolute form without TLS", "GET http://a/mqtt HTTP/1.1\r\n" HOST END, 400},
    {"a fragment", "GET /mqtt#x HTTP/1.1\r\n" HOST END, 400},
    {"raw UTF-8 in the target", "GET /mqtt\xc3\xa4 HTTP/1.1\r\n" HOST END, 400},
    {"a line before the request", "\r\n" GET HOST END, 400},
    {"GET with a body", GET HOST "Content-Length: 5\r\n" END, 400},
    {"GET with a coded body", GET HOST "Transfer-Encoding: chunked\r\n" END, 400},
    {"two blanks before the target", "GET  /mqtt HTTP/1.1\r\n" HOST END, 400},
    {"two blanks before the version", "GET /mqtt  HTTP/1.1\r\n" HOST END, 400},
    {"a blank after the version", "GET /mqtt HTTP/1.1 \r\n" HOST END, 400},
    {"a tab in the request line", "GET\t/mqtt HTTP/1.1\r\n" HOST END, 400},
    {"65 fields",
     GET HOST "a:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\n"
              "a:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\n"
              "a:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\n"
              "a:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\n"
              "a:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\na:b\r\n"
              "a:b\r\na:b\r\na:b\r\na:b\r\n" END,
     431},
    {"a target of 9,000 bytes", "GET /@ HTTP/1.1\r\n" HOST END, 414},
    {"a field of 9,000 bytes", GET HOST "X: @\r\n" END, 431},

    /* Refused by the parser, too. */
    {"NUL in a value", GET "Host: a\x01\r\n" END, 400},
    {"length and coding",
     "POST /x HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n" END, 400},
    {"a coding that is none", "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: x\r\n" END, 411},
    {"two lengths", "POST /x HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 5\r\n" END,
     400},
    {"two lengths in one field", "POST /x HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n" END, 400},
    {"a length that is too large",
     "POST /x HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n" END, 400},
    {"a negative length", "POST /x HTTP/1.1\r\n" HOST "Content-Length: -5\r\n" END, 400},
    {"a length with a sign", "POST /x HTTP/1.1\r\n" HOST "Content-Length: +5\r\n" END, 400},
    {"a length in hex", "POST /x HTTP/1.1\r\n" HOST "Content-Length: 0x5\r\n" END, 400},
    {"a method in small letters", "get /mqtt HTTP/1.1\r\n" HOST END, 400},
    {"a method that nobody knows", "BREW /mqtt HTTP/1.1\r\n" HOST END, 400},
    {"an MQTT CONNECT", "\x10\x0c", 400},
    {"TLS", "\x16\x03\x01", 400},
    {"the preface of HTTP/2", "PRI * HTTP/2.0\r\n" END, 400},
    {"an asterisk", "OPTIONS * HTTP/1.1\r\n" HOST END, 400},
    {"CONNECT", "CONNECT a:443 HTTP/1.1\r\n" HOST END, 400},
    {"no colon", GET HOST "X\r\n" END, 400},
    {"no name", GET HOST ": x\r\n" END, 400},
    {"a name with a slash", GET HOST "X/Y: x\r\n" END, 400},

    /* Of ours. */
    {"POST without a length", "POST /x HTTP/1.1\r\n" HOST END, 411},
    {"POST in chunks", "POST /x HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n" END, 411},
    {"an expectation", "POST /x HTTP/1.1\r\n" HOST "Content-Length: 1\r\nExpect: tea\r\n" END, 417},
};

/* From exact memory, in two reads. */
static unsigned status_of(const char *request, size_t split, struct http_request *out,
                          struct buf *head)
{
	size_t len = strlen(request);
	struct http_scan scan = {0};
	struct http_fault fault;

	buf_put(head, request, split);
	fault = http_scan(&scan, buf_slice(head));
	if (fault.status != 0)
		return fault.status;
	buf_put(head, request + split, len - split);
	fault = http_scan(&scan, buf_slice(head));
	if (fault.status != 0) {
		assert_non_null(fault.cause);
		return fault.status;
	}
	assert_int_equal(scan.head_len, len);
	fault = http_request_parse(buf_slice(head), out);
	return fault.status;
}

static char *text_of(const char *request)
{
	struct buf text = {0};

	for (const char *p = request; *p != '\0'; p++) {
		for (int n = *p == '@' ? 9000 : 1; n > 0; n--)
			buf_put(&text, *p == '@' ? "x" : *p == '~' ? "@" : p, 1);
	}
	buf_put_u8(&text, '\0');
	return (char *)text.data;
}

static void table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *text = text_of(rows[i].request);
		size_t len = strlen(text), step = len > 500 ? 97 : 1;

		for (size_t split = 0; split <= len; split += step) {
			struct http_request r = {0};
			struct buf head = {0};
			unsigned got = status_of(text, split, &r, &head);

			if (got != rows[i].status)
				fail_msg("%s, split at %zu: %u", rows[i].name, split, got);
			buf_fini(&head);
		}
		free(text);
	}
}

/* What cannot become a request is known with its first byte. */
static void first_bytes(void **state)
{
	(void)state;
	for (unsigned byte = 0; byte < 256; byte++) {
		uint8_t in = (uint8_t)byte;
		struct http_scan scan = {0};
		bool is_letter = byte >= 'A' && byte <= 'Z';

		assert_int_equal(http_scan(&scan, slice_of(&in, 1)).status, is_letter ? 0 : 400);
	}
	assert_non_null(strstr(http_scan(&(struct http_scan){0}, SLICE("\x10")).cause, "wss://"));
}

static void assert_slice(struct slice got, const char *want)
{
	if (!slice_equal(got, slice_of_str(want)))
		fail_msg("'%.*s', not '%s'", (int)got.len, (const char *)got.data, want);
}

static void parts(void **state)
{
	static const char text[] = "POST /a/b%20c?qos=1&retain=true&x HTTP/1.1\r\n"
				   "hOST: Broker:8443\r\n"
				   "Content-Length: 12\r\n"
				   "Connection: keep-alive , Upgrade\r\n"
				   "UPGRADE: websocket\r\n"
				   "Accept: a\r\nAccept: b,, c\r\n"
				   "Expect: 100-Continue\r\n\r\n";
	struct http_request r = {0};
	struct buf head = {0}, decoded = {0};
	struct slice value;

	(void)state;
	assert_int_equal(status_of(text, 0, &r, &head), 0);
	assert_int_equal(r.method, HTTP_METHOD_POST);
	assert_slice(r.path, "/a/b%20c");
	assert_slice(r.query, "qos=1&retain=true&x");
	assert_slice(r.host, "Broker:8443");
	assert_int_equal(r.content_length, 12);
	assert_true(r.has_content_length && r.has_upgrade && r.wants_continue && !r.wants_close);
	assert_int_equal(http_request_field_count(&r, "accept"), 2);
	assert_slice(http_request_field(&r, "accept")->value, "a");
	assert_true(http_request_has_token(&r, "accept", "C"));
	assert_true(http_request_has_token(&r, "connection", "upgrade"));
	assert_false(http_request_has_token(&r, "accept", "d"));
	assert_null(http_request_field(&r, "accep"));
	assert_true(http_request_query(&r, "qos", &value));
	assert_slice(value, "1");
	assert_true(http_request_query(&r, "retain", &value));
	assert_slice(value, "true");
	assert_false(http_request_query(&r, "x", &value));
	assert_false(http_request_query(&r, "qo", &value));
	assert_true(http_percent_decode(r.path, &decoded));
	assert_slice(buf_slice(&decoded), "/a/b c");
	buf_fini(&head);
	buf_fini(&decoded);
}

static void percent(void **state)
{
	static const struct {
		const char *text, *want; /* NULL: refused */
	} escapes[] = {
	    {"", ""},
	    {"a", "a"},
	    {"%41", "A"},
	    {"%2f%2F", "//"},
	    {"%25%34%31", "%41"},
	    {"%", NULL},
	    {"%4", NULL},
	    {"%4g", NULL},
	    {"%g4", NULL},
	    {"a%", NULL},
	    {"%c3%a4", "\xc3\xa4"},
	    {"a+b", "a+b"},
	    {"%%41", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(escapes); i++) {
		struct buf out = {0};
		bool valid = http_percent_decode(slice_of_str(escapes[i].text), &out);

		assert_int_equal(valid, escapes[i].want != NULL);
		if (valid)
			assert_slice(buf_slice(&out), escapes[i].want);
		buf_fini(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(table),
	    cmocka_unit_test(first_bytes),
	    cmocka_unit_test(parts),
	    cmocka_unit_test(percent),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
