/* A script's request, head and body, as far as the message: what is taken for a topic or filter is
 * one, and what a reader of events gets says the same again, in one line.  Input: the bytes of a
 * connection. */
#include <stdint.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/require.h"
#include "base/utf8.h"
#include "proto/topic.h"
#include "script/script_event.h"
#include "script/script_target.h"

#define PATH "/publish"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_event(const struct publish *message)
{
	struct buf line = {0}, payload = {0};
	struct json_object read;
	struct slice base64;

	script_event_put(message, 0, &line);
	REQUIRE(line.len > 0 && memchr(line.data, '\n', line.len) == line.data + line.len - 1);
	REQUIRE(memchr(line.data, '\r', line.len) == NULL);
	REQUIRE(json_parse(slice_of(line.data, line.len - 1), &read));
	REQUIRE(slice_equal(json_text_of(&read, "topic"), message->topic));
	base64 = json_text_of(&read, "payload_base64");
	REQUIRE((base64.len > 0) == !utf8_valid(message->payload));
	if (base64.len > 0)
		REQUIRE(base64_decode(&payload, base64));
	else
		buf_put_slice(&payload, json_text_of(&read, "payload"));
	REQUIRE(slice_equal(buf_slice(&payload), message->payload));
	json_fini(&read);
	buf_fini(&line);
	buf_fini(&payload);
}

static void check_topic(const struct http_request *r, struct slice body)
{
	struct publish message = {.payload = body};
	struct buf topic = {0};
	struct http_fault fault = script_target_topic(r, PATH, &topic);
	struct http_fault options = script_target_options(r, &message.qos, &message.retain);

	REQUIRE((fault.status == 0) == (fault.cause == NULL));
	REQUIRE(options.status != 0 || message.qos <= 2);
	if (fault.status == 0) {
		REQUIRE(topic_name_valid(buf_slice(&topic)) && topic.len <= r->path.len);
		message.topic = buf_slice(&topic);
		check_event(&message);
	}
	buf_fini(&topic);
}

static void check_filter(const struct http_request *r)
{
	struct buf filter = {0};

	if (script_target_filter(r, &filter).status == 0)
		REQUIRE(topic_filter_valid(buf_slice(&filter)) && filter.len <= r->query.len);
	buf_fini(&filter);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of(data, size);
	struct http_scan scan = {0};
	struct http_request r;

	if (http_scan(&scan, in).status != 0 || scan.head_len == 0 ||
	    http_request_parse(slice_of(data, scan.head_len), &r).status != 0)
		return 0;
	check_filter(&r);
	if (slice_starts_with(r.path, SLICE(PATH)))
		check_topic(&r, slice_skip(in, scan.head_len));
	return 0;
}
