/* The kinds of output. */
#include "pubsub/message_output.h"

#include <string.h>

#include "base/array.h"
#include "program/command_line.h"
#include "pubsub/message_format.h"
#include "pubsub/message_json.h"
#include "pubsub/message_text.h"

bool message_output_parse(const char *name, enum output_kind *kind)
{
	static const char *const names[] = {"text", "json", "csv", "raw"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(names[i], name) == 0) {
			*kind = (enum output_kind)i;
			return true;
		}
	}
	(void)report_unknown("output", name, names, ARRAY_LEN(names));
	return false;
}

/* Quoted always; what is no text in hexadecimal digits after 0x. */
static void put_field(struct buf *out, struct slice s)
{
	buf_put_u8(out, '"');
	if (!message_text_is_valid(s)) {
		buf_printf(out, "0x");
		message_text_put_hex(out, s, false);
		s = SLICE_EMPTY;
	}
	for (size_t i = 0; i < s.len; i++) {
		if (s.data[i] == '"')
			buf_put_u8(out, '"');
		buf_put_u8(out, s.data[i]);
	}
	buf_put_u8(out, '"');
}

static void put_csv(struct buf *out, const struct message_output *o, const struct publish *m,
                    int64_t now_ms)
{
	struct buf shown = {0};

	message_text_put_time(out, now_ms);
	buf_put_u8(out, ',');
	put_field(out, m->topic);
	buf_printf(out, ",%u,%u,", m->qos, m->retain);
	message_text_put_payload(&shown, m->payload, o->escapes);
	put_field(out, buf_slice(&shown));
	buf_printf(out, "\r\n");
	buf_fini(&shown);
}

static void put_plain(struct buf *out, const struct message_output *o, const struct publish *m)
{
	if (o->topics) {
		message_text_put(out, m->topic, o->escapes);
		buf_put_u8(out, ' ');
	}
	message_text_put_payload(out, m->payload, o->escapes);
	if (!o->no_newline)
		buf_put_u8(out, '\n');
}

void message_output_put(struct buf *out, const struct message_output *o,
                        const struct publish *message, int64_t now_ms)
{
	if (o->format != NULL) {
		message_format_put(out, o->format, &(struct message_format){o->escapes, o->pretty},
		                   message, now_ms);
		if (!o->no_newline)
			buf_put_u8(out, '\n');
	} else if (o->kind == OUTPUT_JSON) {
		message_json_put(out, &(struct message_json){.pretty = o->pretty}, message, now_ms);
		buf_put_u8(out, '\n');
	} else if (o->kind == OUTPUT_CSV) {
		put_csv(out, o, message, now_ms);
	} else if (o->kind == OUTPUT_RAW) {
		message_text_put_payload(out, message->payload, o->escapes);
	} else {
		put_plain(out, o, message);
	}
}
