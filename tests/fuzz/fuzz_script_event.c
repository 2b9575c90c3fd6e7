/* A message as an event for a script: one line whatever is in it, and who reads it gets the payload
 * back, byte for byte.  Input: the payload. */
#include <stdint.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/require.h"
#include "script/script_event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(struct slice line)
{
	REQUIRE(line.len > 0 && line.data[line.len - 1] == '\n');
	REQUIRE(memchr(line.data, '\n', line.len - 1) == NULL);
	REQUIRE(memchr(line.data, '\r', line.len) == NULL);
	REQUIRE(memchr(line.data, '\0', line.len) == NULL);
}

/* It is there once: as text, or in base64. */
static void check_payload(const struct json_object *o, struct slice payload)
{
	const struct json_member *text = json_find(o, "payload");
	struct buf bytes = {0};

	REQUIRE((text == NULL) != (json_find(o, "payload_base64") == NULL));
	if (text != NULL)
		buf_put_slice(&bytes, text->text);
	else
		REQUIRE(base64_decode(&bytes, json_text_of(o, "payload_base64")));
	REQUIRE(slice_equal(buf_slice(&bytes), payload));
	buf_fini(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct publish message = {.topic = SLICE("home/lamp"), .payload = slice_of(data, size)};
	struct json_object o;
	struct buf line = {0};

	script_event_put(&message, 0, &line);
	check_line(buf_slice(&line));
	REQUIRE(json_parse(slice_of(line.data, line.len - 1), &o));
	REQUIRE(slice_equal(json_text_of(&o, "topic"), message.topic));
	check_payload(&o, message.payload);
	json_fini(&o);
	buf_fini(&line);
	return 0;
}
