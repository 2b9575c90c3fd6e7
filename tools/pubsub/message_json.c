/* The members in a fixed order; properties that a message does not have are left out. */
#include "pubsub/message_json.h"

#include "base/base64.h"
#include "base/utf8.h"
#include "pubsub/message_text.h"

static void put_quoted(struct buf *out, struct slice s)
{
	buf_put_u8(out, '"');
	while (s.len > 0) {
		uint32_t cp = 0;
		size_t len = s.data[0] == 0 ? 1 : utf8_decode(s, &cp);

		if (s.data[0] == '"' || s.data[0] == '\\')
			buf_printf(out, "\\%c", s.data[0]);
		else if (s.data[0] == '\n')
			buf_printf(out, "\\n");
		else if (len == 1 && (s.data[0] < 0x20 || s.data[0] == 0x7f))
			buf_printf(out, "\\u%04x", s.data[0]);
		else if (cp < 0x10000 && cp > 0x7f && utf8_is_unsafe(cp))
			buf_printf(out, "\\u%04x", (unsigned)cp);
		else
			buf_put(out, s.data, len == 0 ? 1 : len);
		s = slice_skip(s, len == 0 ? 1 : len);
	}
	buf_put_u8(out, '"');
}

struct json {
	struct buf *out;
	bool pretty, has_member;
};

static void put_name(struct json *j, const char *name)
{
	buf_printf(j->out, "%s%s\"%s\":%s", j->has_member ? "," : "", j->pretty ? "\n  " : "", name,
	           j->pretty ? " " : "");
	j->has_member = true;
}

static void put_member(struct json *j, const char *name, struct slice value)
{
	put_name(j, name);
	put_quoted(j->out, value);
}

static void put_number(struct json *j, const char *name, uint64_t value)
{
	put_name(j, name);
	buf_printf(j->out, "%llu", (unsigned long long)value);
}

/* What is no text in Base64, under another name. */
static void put_bytes(struct json *j, const char *name, const char *name_of_bytes,
                      struct slice value)
{
	struct buf text = {0};

	if (message_text_is_valid(value)) {
		put_member(j, name, value);
		return;
	}
	base64_encode(&text, value);
	put_member(j, name_of_bytes, buf_slice(&text));
	buf_fini(&text);
}

static void put_users(struct json *j, struct slice raw)
{
	struct slice name, value;
	const char *comma = "";

	put_name(j, "user_properties");
	buf_put_u8(j->out, '[');
	while (properties_next_user(&raw, &name, &value)) {
		buf_printf(j->out, "%s[", comma);
		put_quoted(j->out, name);
		buf_put_u8(j->out, ',');
		put_quoted(j->out, value);
		buf_put_u8(j->out, ']');
		comma = ",";
	}
	buf_put_u8(j->out, ']');
}

static void put_properties(struct json *j, const struct properties *p)
{
	if (properties_have(p, PROPERTY_PAYLOAD_FORMAT))
		put_number(j, "payload_format", p->payload_format);
	if (properties_have(p, PROPERTY_MESSAGE_EXPIRY))
		put_number(j, "message_expiry", p->message_expiry_s);
	if (properties_have(p, PROPERTY_CONTENT_TYPE))
		put_member(j, "content_type", p->content_type);
	if (properties_have(p, PROPERTY_RESPONSE_TOPIC))
		put_member(j, "response_topic", p->response_topic);
	if (properties_have(p, PROPERTY_CORRELATION_DATA))
		put_bytes(j, "correlation_data", "correlation_data_base64", p->correlation_data);
	if (p->user_count > 0)
		put_users(j, p->raw);
}

void message_json_put(struct buf *out, const struct message_json *o, const struct publish *m,
                      int64_t now_ms)
{
	struct json j = {.out = out, .pretty = o->pretty};
	struct buf time = {0};

	buf_put_u8(out, '{');
	message_text_put_time(&time, now_ms);
	put_member(&j, "time", buf_slice(&time));
	buf_fini(&time);
	put_member(&j, "topic", m->topic);
	put_number(&j, "qos", m->qos);
	put_name(&j, "retain");
	buf_printf(out, m->retain ? "true" : "false");
	if (m->packet_id != 0)
		put_number(&j, "packet_id", m->packet_id);
	put_properties(&j, &m->properties);
	if (o->bare_payload) {
		put_name(&j, "payload");
		message_text_put_payload(out, m->payload, o->escapes);
	} else {
		put_bytes(&j, "payload", "payload_base64", m->payload);
	}
	buf_printf(out, o->pretty ? "\n}" : "}");
}
