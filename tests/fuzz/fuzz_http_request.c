/* A request must not depend on how its bytes arrive, and what is taken is what the standard allows.
 * Input: a byte, the place of the split; then the bytes of a connection. */
#include <stdint.h>
#include <stdlib.h>

#include "base/require.h"
#include "http/http_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_inside(struct slice part, struct slice head)
{
	return part.len == 0 ||
	       (part.data >= head.data && part.data + part.len <= head.data + head.len);
}

/* What was taken. */
static void check_request(const struct http_request *r, struct slice head)
{
	struct slice value;
	struct buf decoded = {0};

	REQUIRE(r->path.len > 0 && r->path.data[0] == '/' && is_inside(r->path, head));
	REQUIRE(is_inside(r->query, head) && r->host.len > 0 && is_inside(r->host, head));
	REQUIRE(http_request_field_count(r, "host") == 1);
	REQUIRE(r->field_count <= HTTP_HEADERS_MAX && head.len <= HTTP_HEAD_BYTES_MAX);
	REQUIRE(memchr(r->path.data, '#', r->path.len) == NULL);
	REQUIRE(r->method == HTTP_METHOD_POST || r->method == HTTP_METHOD_OTHER ||
	        r->content_length == 0);
	for (size_t i = 0; i < r->field_count; i++) {
		REQUIRE(is_inside(r->fields[i].name, head) && r->fields[i].name.len > 0);
		REQUIRE(is_inside(r->fields[i].value, head));
	}
	(void)http_request_query(r, "qos", &value);
	(void)http_percent_decode(r->path, &decoded);
	REQUIRE(decoded.len <= r->path.len);
	buf_fini(&decoded);
}

/* The status, 0 where more has to come, 1 where a request is whole and right. */
static unsigned run(const uint8_t *data, size_t size, size_t split)
{
	struct http_scan scan = {0};
	struct http_request r;
	struct buf in = {0};
	struct http_fault fault;
	unsigned status = 0;

	buf_put(&in, data, split);
	fault = http_scan(&scan, buf_slice(&in));
	if (fault.status == 0 && scan.head_len == 0) {
		buf_put(&in, data + split, size - split);
		fault = http_scan(&scan, buf_slice(&in));
	}
	status = fault.status;
	if (status == 0 && scan.head_len > 0) {
		struct slice head = slice_of(in.data, scan.head_len);

		fault = http_request_parse(head, &r);
		status = fault.status == 0 ? 1 : fault.status;
		if (status == 1)
			check_request(&r, head);
	}
	REQUIRE(fault.status == 0 || fault.cause != NULL);
	buf_fini(&in);
	return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t split;

	if (size < 2)
		return 0;
	split = (size_t)data[0] * (size - 1) / 255;
	REQUIRE(run(data + 1, size - 1, split) == run(data + 1, size - 1, size - 1));
	return 0;
}
