/* A format of -F, a newline, and a payload: a format that is refused is refused again, one that is
 * taken writes the message, and %J writes a payload only if it is JSON. */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/require.h"
#include "program/command_line.h"
#include "pubsub/json_text.h"
#include "pubsub/message_format.h"

#define NOW_MS INT64_C(1796083141250)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is wrong with a format is said on standard error, with the name of the program. */
static void start_once(void)
{
	static const struct command_line line = {.program = "fuzz"};
	static bool is_started;

	if (!is_started)
		command_line_start(&line);
	is_started = true;
}

static void check_json(struct slice payload)
{
	struct buf out = {0};
	const struct publish m = {.topic = SLICE("t"), .payload = payload};

	message_format_put(&out, "%J", &(struct message_format){.escapes = false}, &m, NOW_MS);
	REQUIRE(json_text_valid(payload) ? out.len > payload.len : out.len == 0);
	/* What is around it is JSON and one level more. */
	REQUIRE(out.len == 0 || payload.len >= JSON_TEXT_DEPTH_MAX ||
	        json_text_valid(buf_slice(&out)));
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size == 0 ? NULL : memchr(data, '\n', size);
	size_t length = end == NULL ? size : (size_t)(end - data);
	struct slice payload = slice_skip(slice_of(data, size), length + (end != NULL));
	char *format = xstrndup((const char *)data, length);
	struct publish m = {.topic = SLICE("a/b"), .payload = payload, .qos = 1, .packet_id = 7};
	struct buf out = {0};

	start_once();
	if (strlen(format) < 1000 && message_format_check(format)) {
		for (unsigned i = 0; i < 4; i++)
			message_format_put(&out, format,
			                   &(struct message_format){(i & 1) != 0, (i & 2) != 0}, &m,
			                   NOW_MS);
		/* A conversion writes at most its width, or the message some times. */
		REQUIRE(out.len <=
		        4 * (strlen(format) + 1) *
		            ((size_t)MESSAGE_FORMAT_WIDTH_MAX * 4 + payload.len * 12 + 400));
	}
	check_json(payload);
	buf_fini(&out);
	free(format);
	return 0;
}
