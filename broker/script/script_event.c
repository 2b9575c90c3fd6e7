/* One object, and nothing in it that would end the line. */
#include "script/script_event.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/require.h"
#include "base/utf8.h"

void script_event_put(const struct publish *message, int64_t now_ms, struct buf *out)
{
	char time[CLOCK_TEXT_MAX];
	struct buf text = {0};

	REQUIRE(message->topic.len > 0 && message->qos <= 2);
	json_open(out);
	json_text(out, "topic", message->topic);
	json_number(out, "qos", message->qos);
	json_bool(out, "retain", message->retain);
	json_str(out, "time", clock_text(now_ms, time));
	/* mutant: payload_that_is_no_text */
	if (utf8_valid(message->payload)) {
		json_text(out, "payload", message->payload);
	} else {
		base64_encode(&text, message->payload);
		json_text(out, "payload_base64", buf_slice(&text));
	}
	json_close(out);
	buf_fini(&text);
}
