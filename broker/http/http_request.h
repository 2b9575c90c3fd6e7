/* A request as it was received: parsed by the library, and checked by us, because that is lenient.
 * RFC 9110, RFC 9112.  Pure: bytes in, struct out.  Thread: any. */
#ifndef HTTP_HTTP_REQUEST_H
#define HTTP_HTTP_REQUEST_H

#include <stdbool.h>

#include "base/bytes.h"

#define HTTP_HEAD_BYTES_MAX   8192
#define HTTP_HEADERS_MAX      64
#define HTTP_TARGET_BYTES_MAX 2048

enum http_request_method {
	HTTP_METHOD_GET = 1 << 0,
	HTTP_METHOD_HEAD = 1 << 1,
	HTTP_METHOD_POST = 1 << 2,
	HTTP_METHOD_OPTIONS = 1 << 3,
	HTTP_METHOD_OTHER = 1 << 4, /* a method that nothing here has */
};

struct http_field {
	struct slice name, value;
};

struct http_request {
	enum http_request_method method;
	/* As it was sent, without the query; begins with a slash; not decoded. */
	struct slice path;
	/* After the '?'; empty: none. */
	struct slice query;
	/* "broker.example:8443", in the case in which it was sent. */
	struct slice host;
	struct slice body;
	struct http_field fields[HTTP_HEADERS_MAX];
	size_t field_count;
	/* Of the body that follows. */
	uint64_t content_length;
	bool has_content_length;
	bool has_upgrade;    /* Connection: Upgrade, and an Upgrade field */
	bool wants_close;    /* Connection: close */
	bool wants_continue; /* Expect: 100-continue */
};

/* What is wrong, and the status that says so; status 0: nothing. */
struct http_fault {
	unsigned status;
	const char *cause;
};
#define HTTP_FINE ((struct http_fault){0})

/* Where the head of a request ends, over several reads. Zero-initialised. */
struct http_scan {
	size_t seen;     /* bytes that were looked at */
	size_t line;     /* where the present line begins */
	bool has_line;   /* the request line is whole */
	size_t head_len; /* the whole head; 0: it is not whole */
};

/* `in`: all that has come so far; as soon as something is wrong, status is not 0. */
struct http_fault http_scan(struct http_scan *scan, struct slice in);
/* `head`: a whole one. Slices of *out point into it. The body is the caller's. */
struct http_fault http_request_parse(struct slice head, struct http_request *out);

/* The value of a field, by its name in lower case; the first where there are several. NULL: none.
 */
const struct http_field *http_request_field(const struct http_request *r, const char *name);
/* How many fields have the name. */
size_t http_request_field_count(const struct http_request *r, const char *name);
/* Is `token` in a field that is a comma-separated list? Compared without case. */
bool http_request_has_token(const struct http_request *r, const char *name, const char *token);
/* A value of the query: "qos" of "qos=1&retain=true", not decoded. False: it is not there. */
bool http_request_query(const struct http_request *r, const char *name, struct slice *value);
/* %XX decoded once, appended. False: a wrong escape. */
bool http_percent_decode(struct slice text, struct buf *out);

#endif
