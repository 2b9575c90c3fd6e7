/* The only file that knows the parser (libhttp-parser; llhttp has the same calls under other
 * names).  It finds the parts of a request; whether they are allowed is decided here. */
#include "http/http_request.h"

#include <arpa/inet.h>
#include <http_parser.h>
#include <string.h>
#include <strings.h>

#include "base/array.h"
#include "base/require.h"

static struct http_fault fault_of_status(unsigned status, const char *cause)
{
	return (struct http_fault){.status = status, .cause = cause};
}

/* --- where the head ends --- */

static const char *first_byte_wrong(uint8_t byte)
{
	if (byte >= 'A' && byte <= 'Z')
		return NULL;
	if (byte == 0x10)
		return "the client sent MQTT, and this listener has protocol: https: use wss:// in "
		       "place of mqtts:// in the client, or the port of a listener with protocol: "
		       "mqtt";
	return "the first bytes of the client are not HTTP";
}

static bool is_control_byte(uint8_t byte)
{
	return (byte < 0x20 && byte != '\t' && byte != '\r' && byte != '\n') || byte == 0x7f;
}

/* One byte after another: a line break is CR LF (RFC 9112 2.2 permits no more to us), and no line
 * continues the one before (5.2). */
static const char *byte_wrong(const struct http_scan *scan, struct slice in, size_t i)
{
	uint8_t byte = in.data[i];
	bool after_return = i > 0 && in.data[i - 1] == '\r';

	if (i == 0)
		return first_byte_wrong(byte);
	/* mutant: http_bare_line_feed */
	if ((byte == '\n') != after_return)
		return "a line of the request does not end with CR LF";
	if (scan->has_line && i == scan->line && (byte == ' ' || byte == '\t'))
		return "a line of the request is folded";
	return is_control_byte(byte) ? "the request has control characters" : NULL;
}

struct http_fault http_scan(struct http_scan *scan, struct slice in)
{
	REQUIRE(scan->seen <= in.len);
	for (; scan->seen < in.len && scan->head_len == 0; scan->seen++) {
		size_t i = scan->seen;
		const char *wrong = byte_wrong(scan, in, i);

		if (wrong != NULL)
			return fault_of_status(400, wrong);
		if (in.data[i] == '\n') {
			if (i == scan->line + 1)
				scan->head_len = i + 1;
			scan->has_line = true;
			scan->line = i + 1;
		}
		/* The method and the version are short. */
		if (!scan->has_line && i > HTTP_TARGET_BYTES_MAX + 32)
			return fault_of_status(414,
			                       "the target of the request is longer than 2 kB");
		if (i >= HTTP_HEAD_BYTES_MAX)
			return fault_of_status(431, "the head of the request is longer than 8 kB");
	}
	return HTTP_FINE;
}

/* --- what the parser finds --- */

struct http_parsing {
	struct http_request *out;
	struct slice target;
	bool in_value, too_many;
};

/* Parts of one thing follow each other in memory. */
static void extend(struct slice *part, const char *at, size_t len)
{
	if (part->data == NULL)
		part->data = (const uint8_t *)at;
	part->len += len;
}

static int on_url(http_parser *parser, const char *at, size_t len)
{
	struct http_parsing *p = parser->data;

	extend(&p->target, at, len);
	return 0;
}

static int on_header_field(http_parser *parser, const char *at, size_t len)
{
	struct http_parsing *p = parser->data;

	if (p->out->field_count == 0 || p->in_value) {
		if (p->out->field_count == ARRAY_LEN(p->out->fields)) {
			p->too_many = true;
			return 1;
		}
		p->out->fields[p->out->field_count++] = (struct http_field){0};
	}
	p->in_value = false;
	extend(&p->out->fields[p->out->field_count - 1].name, at, len);
	return 0;
}

static int on_header_value(http_parser *parser, const char *at, size_t len)
{
	struct http_parsing *p = parser->data;

	p->in_value = true;
	extend(&p->out->fields[p->out->field_count - 1].value, at, len);
	return 0;
}

/* No body belongs to the head. */
static int on_headers_complete(http_parser *parser)
{
	(void)parser;
	return 1;
}

static const http_parser_settings settings = {
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
};

static enum http_request_method method_of(unsigned method)
{
	switch (method) {
	case HTTP_GET:
		return HTTP_METHOD_GET;
	case HTTP_HEAD:
		return HTTP_METHOD_HEAD;
	case HTTP_POST:
		return HTTP_METHOD_POST;
	case HTTP_OPTIONS:
		return HTTP_METHOD_OPTIONS;
	default:
		return HTTP_METHOD_OTHER;
	}
}

/* --- what is allowed --- */

/* Not a blank more than one, nor anything else that the parser skips (RFC 9112 3). */
static bool is_line_exact(struct slice head, const char *method, struct slice target)
{
	size_t method_len = strlen(method);
	const uint8_t *after = target.data + target.len;

	return head.len > method_len + 1 + target.len + 11 &&
	       slice_starts_with(head, slice_of_str(method)) && head.data[method_len] == ' ' &&
	       target.data == head.data + method_len + 1 &&
	       slice_equal(slice_of(after, 11), SLICE(" HTTP/1.1\r\n"));
}

/* RFC 9110 5.6.2 */
static bool is_token(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = (char)text.data[i];

		if (c <= ' ' || c > '~' || strchr("\"(),/:;<=>?@[\\]{}", c) != NULL)
			return false;
	}
	return text.len > 0;
}

static bool equal_without_case(struct slice a, struct slice b)
{
	return a.len == b.len &&
	       (a.len == 0 || strncasecmp((const char *)a.data, (const char *)b.data, a.len) == 0);
}

/* The colon follows the name at once (RFC 9112 5.1); blanks around the value are dropped. */
static bool check_field(struct http_field *field)
{
	struct slice *value = &field->value;

	if (!is_token(field->name) || field->name.data[field->name.len] != ':')
		return false;
	while (value->len > 0 &&
	       (value->data[value->len - 1] == ' ' || value->data[value->len - 1] == '\t'))
		value->len--;
	while (value->len > 0 && (value->data[0] == ' ' || value->data[0] == '\t'))
		*value = slice_skip(*value, 1);
	return true;
}

static struct http_fault check_fields(struct http_request *r)
{
	for (size_t i = 0; i < r->field_count; i++) {
		if (!check_field(&r->fields[i]))
			return fault_of_status(400, "the name of a header field is not valid");
	}
	return HTTP_FINE;
}

static bool is_name_of_host(struct slice name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = (char)name.data[i];

		if (c <= ' ' || c > '~' || strchr("\"#%/:<>?@[\\]^`{|},;", c) != NULL)
			return false;
	}
	return name.len > 0;
}

/* RFC 3986 3.2.2, without zones and without what is not IPv6. */
static bool is_address(struct slice text)
{
	char address[INET6_ADDRSTRLEN];
	uint8_t bytes[16];

	if (text.len == 0 || text.len >= sizeof(address))
		return false;
	memcpy(address, text.data, text.len);
	address[text.len] = '\0';
	return inet_pton(AF_INET6, address, bytes) == 1;
}

/* RFC 3986 3.2.3: digits, or nothing, which is the port of the scheme. */
static bool is_port(struct slice text)
{
	uint32_t port = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
		port = port * 10 + (uint32_t)(text.data[i] - '0');
		/* mutant: host_port */
		if (port > UINT16_MAX)
			return false;
	}
	return true;
}

/* A name or an address, and perhaps a port. (RFC 9110 7.2) */
static bool is_host(struct slice host)
{
	bool in_brackets = host.len > 0 && host.data[0] == '[';
	const uint8_t *end =
	    in_brackets ? memchr(host.data, ']', host.len) : memchr(host.data, ':', host.len);
	struct slice name = host, rest = SLICE_EMPTY;

	if (end != NULL) {
		name = slice_of(host.data, (size_t)(end - host.data));
		rest = slice_skip(host, name.len + in_brackets);
	}
	if (rest.len > 0 && (rest.data[0] != ':' || !is_port(slice_skip(rest, 1))))
		return false;
	if (in_brackets)
		return end != NULL && is_address(slice_skip(name, 1));
	return is_name_of_host(name);
}

static struct http_fault check_host(struct http_request *r)
{
	const struct http_field *host = http_request_field(r, "host");

	if (http_request_field_count(r, "host") != 1)
		return fault_of_status(400, host == NULL ? "the request has no Host"
		                                         : "the request has two Hosts");
	if (!is_host(host->value))
		return fault_of_status(400, "the Host of the request is not valid");
	r->host = host->value;
	return HTTP_FINE;
}

/* RFC 9112 3.2: a path, or what a client sends to a proxy, if it is this host that it means. */
static struct http_fault check_target(struct slice target, struct http_request *r)
{
	const struct slice scheme = SLICE("https://");
	const uint8_t *mark;

	for (size_t i = 0; i < target.len; i++) {
		if (target.data[i] <= ' ' || target.data[i] > '~' || target.data[i] == '#')
			return fault_of_status(400, "the target has bytes that have to be escaped");
	}
	if (target.len > HTTP_TARGET_BYTES_MAX)
		return fault_of_status(414, "the target of the request is longer than 2 kB");
	if (target.len > scheme.len &&
	    equal_without_case(slice_of(target.data, scheme.len), scheme)) {
		target = slice_skip(target, scheme.len);
		if (target.len < r->host.len ||
		    !equal_without_case(slice_of(target.data, r->host.len), r->host))
			return fault_of_status(400, "the target names another host than Host");
		target = slice_skip(target, r->host.len);
	}
	if (target.len == 0 || target.data[0] != '/')
		return fault_of_status(400, "the target of the request is not a path");
	mark = memchr(target.data, '?', target.len);
	r->path = mark == NULL ? target : slice_of(target.data, (size_t)(mark - target.data));
	if (mark != NULL)
		r->query = slice_skip(target, r->path.len + 1);
	return HTTP_FINE;
}

static bool read_length(struct slice text, uint64_t *out)
{
	*out = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9' || *out > UINT64_MAX / 100)
			return false;
		*out = *out * 10 + (text.data[i] - '0');
	}
	return text.len > 0;
}

/* RFC 9112 6: a body has a length that was said before. */
static struct http_fault check_body(struct http_request *r)
{
	const struct http_field *length = http_request_field(r, "content-length");
	bool has_coding = http_request_field(r, "transfer-encoding") != NULL;

	if (http_request_field_count(r, "content-length") > 1 ||
	    (length != NULL && !read_length(length->value, &r->content_length)))
		return fault_of_status(400, "the Content-Length of the request is not valid");
	r->has_content_length = length != NULL;
	if ((r->method == HTTP_METHOD_POST || r->method == HTTP_METHOD_OTHER) && has_coding)
		return fault_of_status(411, "a body needs a Content-Length here");
	if (r->method == HTTP_METHOD_POST && length == NULL)
		return fault_of_status(411, "a body needs a Content-Length");
	if (r->method != HTTP_METHOD_POST && r->method != HTTP_METHOD_OTHER &&
	    (has_coding || r->content_length > 0))
		return fault_of_status(400, "a request of this method has no body");
	return HTTP_FINE;
}

static struct http_fault check_options(struct http_request *r)
{
	const struct http_field *expect = http_request_field(r, "expect");

	r->has_upgrade = http_request_has_token(r, "connection", "upgrade") &&
	                 http_request_field(r, "upgrade") != NULL;
	r->wants_close = http_request_has_token(r, "connection", "close");
	r->wants_continue =
	    expect != NULL && equal_without_case(expect->value, SLICE("100-continue"));
	if (expect != NULL && !r->wants_continue)
		return fault_of_status(417, "the client expects what is not known here");
	return HTTP_FINE;
}

struct http_fault http_request_parse(struct slice head, struct http_request *out)
{
	struct http_parsing p = {.out = out};
	struct http_fault fault;
	http_parser parser;

	*out = (struct http_request){0};
	http_parser_init(&parser, HTTP_REQUEST);
	parser.data = &p;
	(void)http_parser_execute(&parser, &settings, (const char *)head.data, head.len);
	if (p.too_many)
		return fault_of_status(431, "the request has more than 64 header fields");
	if (HTTP_PARSER_ERRNO(&parser) != HPE_OK)
		return fault_of_status(400, http_errno_description(HTTP_PARSER_ERRNO(&parser)));
	if (parser.http_major != 1 || parser.http_minor != 1)
		return fault_of_status(505, "the client does not speak HTTP/1.1");
	out->method = method_of(parser.method);
	/* mutant: http_lenient_request_line */
	if (p.target.data == NULL ||
	    !is_line_exact(head, http_method_str((enum http_method)parser.method), p.target))
		return fault_of_status(400, "the first line of the request is not valid");
	fault = check_fields(out);
	if (fault.status == 0)
		fault = check_host(out);
	if (fault.status == 0)
		fault = check_target(p.target, out);
	if (fault.status == 0)
		fault = check_body(out);
	if (fault.status == 0)
		fault = check_options(out);
	return fault;
}

/* --- asking --- */

static bool is_named(const struct http_field *field, const char *name)
{
	return equal_without_case(field->name, slice_of_str(name));
}

static bool is_lower_case(const char *name)
{
	return name[0] >= 'a' && name[0] <= 'z';
}

const struct http_field *http_request_field(const struct http_request *r, const char *name)
{
	REQUIRE(is_lower_case(name));
	for (size_t i = 0; i < r->field_count; i++) {
		if (is_named(&r->fields[i], name))
			return &r->fields[i];
	}
	return NULL;
}

size_t http_request_field_count(const struct http_request *r, const char *name)
{
	size_t n = 0;

	REQUIRE(is_lower_case(name));
	for (size_t i = 0; i < r->field_count; i++)
		n += is_named(&r->fields[i], name);
	return n;
}

/* The next item of a comma-separated list, without blanks around it. */
static struct slice take_item(struct slice *list)
{
	const uint8_t *comma = list->len == 0 ? NULL : memchr(list->data, ',', list->len);
	size_t len = comma == NULL ? list->len : (size_t)(comma - list->data);
	struct slice item = slice_of(list->data, len);

	*list = slice_skip(*list, comma == NULL ? len : len + 1);
	while (item.len > 0 && (item.data[0] == ' ' || item.data[0] == '\t'))
		item = slice_skip(item, 1);
	while (item.len > 0 && (item.data[item.len - 1] == ' ' || item.data[item.len - 1] == '\t'))
		item.len--;
	return item;
}

bool http_request_has_token(const struct http_request *r, const char *name, const char *token)
{
	REQUIRE(is_lower_case(name));
	for (size_t i = 0; i < r->field_count; i++) {
		struct slice list = r->fields[i].value;

		while (is_named(&r->fields[i], name) && list.len > 0) {
			if (equal_without_case(take_item(&list), slice_of_str(token)))
				return true;
		}
	}
	return false;
}

bool http_request_query(const struct http_request *r, const char *name, struct slice *value)
{
	struct slice rest = r->query;
	size_t name_len = strlen(name);

	while (rest.len > 0) {
		const uint8_t *end = memchr(rest.data, '&', rest.len);
		size_t len = end == NULL ? rest.len : (size_t)(end - rest.data);

		if (len > name_len && rest.data[name_len] == '=' &&
		    memcmp(rest.data, name, name_len) == 0) {
			*value = slice_of(rest.data + name_len + 1, len - name_len - 1);
			return true;
		}
		rest = slice_skip(rest, end == NULL ? len : len + 1);
	}
	return false;
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool http_percent_decode(struct slice text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		int high, low;

		if (text.data[i] != '%') {
			buf_put_u8(out, text.data[i]);
			continue;
		}
		high = text.len - i > 2 ? hex_digit(text.data[i + 1]) : -1;
		low = text.len - i > 2 ? hex_digit(text.data[i + 2]) : -1;
		if (high < 0 || low < 0)
			return false;
		buf_put_u8(out, (uint8_t)(high << 4 | low));
		i += 2;
	}
	return true;
}
