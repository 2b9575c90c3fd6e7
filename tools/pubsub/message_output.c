/* Formats: the conversions that people know from mosquitto_sub -F, where they mean the same. */
#include "pubsub/message_output.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/array.h"
#include "base/base64.h"
#include "base/require.h"
#include "base/utf8.h"
#include "program/command_line.h"

#define TIME_TEXT 128

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

/* Line breaks and tabs stay: payloads have lines. */
static void put_payload(struct buf *out, struct slice payload, bool escapes)
{
	size_t start = 0;

	for (size_t i = 0; escapes && i <= payload.len; i++) {
		if (i < payload.len && payload.data[i] != '\n' && payload.data[i] != '\t')
			continue;
		if (i > start)
			utf8_put_printable(out, slice_of(payload.data + start, i - start));
		if (i < payload.len)
			buf_put_u8(out, payload.data[i]);
		start = i + 1;
	}
	if (!escapes)
		buf_put_slice(out, payload);
}

static void put_text(struct buf *out, struct slice text, bool escapes)
{
	if (escapes)
		utf8_put_printable(out, text);
	else
		buf_put_slice(out, text);
}

static void put_hex(struct buf *out, struct slice bytes, bool upper)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";

	for (size_t i = 0; i < bytes.len; i++)
		buf_printf(out, "%c%c", digits[bytes.data[i] >> 4], digits[bytes.data[i] & 15]);
}

/* "2026-11-30T23:59:00+0100" */
static void put_time(struct buf *out, int64_t now_ms)
{
	time_t seconds = (time_t)(now_ms / 1000);
	char text[TIME_TEXT];
	struct tm tm;

	if (localtime_r(&seconds, &tm) != NULL &&
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S%z", &tm) > 0)
		buf_printf(out, "%s", text);
}

/* %@Y and so on: one conversion of strftime, whose letter comes from the command line. */
static void put_time_letter(struct buf *out, char letter, int64_t now_ms)
{
	const char format[] = {'%', letter, '\0'};
	time_t seconds = (time_t)(now_ms / 1000);
	char text[TIME_TEXT];
	struct tm tm;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	if (localtime_r(&seconds, &tm) != NULL && strftime(text, sizeof(text), format, &tm) > 0)
		buf_printf(out, "%s", text);
#pragma GCC diagnostic pop
}

/* ---- JSON ---- */

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

/* UTF-8, also with U+0000: JSON has it as text. */
static bool is_text(struct slice s)
{
	uint32_t cp;

	while (s.len > 0) {
		size_t len = s.data[0] == 0 ? 1 : utf8_decode(s, &cp);

		if (len == 0)
			return false;
		s = slice_skip(s, len);
	}
	return true;
}

/* What is no text in Base64, under another name. */
static void put_bytes(struct json *j, const char *name, const char *name_of_bytes,
                      struct slice value)
{
	struct buf text = {0};

	if (is_text(value)) {
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

static void put_json(struct buf *out, const struct message_output *o, const struct publish *m,
                     int64_t now_ms)
{
	struct json j = {.out = out, .pretty = o->pretty};
	struct buf time = {0};

	buf_put_u8(out, '{');
	put_time(&time, now_ms);
	put_member(&j, "time", buf_slice(&time));
	buf_fini(&time);
	put_member(&j, "topic", m->topic);
	put_number(&j, "qos", m->qos);
	put_name(&j, "retain");
	buf_printf(out, m->retain ? "true" : "false");
	if (m->packet_id != 0)
		put_number(&j, "packet_id", m->packet_id);
	put_properties(&j, &m->properties);
	put_bytes(&j, "payload", "payload_base64", m->payload);
	buf_printf(out, o->pretty ? "\n}\n" : "}\n");
}

/* ---- CSV ---- */

/* Quoted always; what is no text in hexadecimal digits after 0x. */
static void put_field(struct buf *out, struct slice s)
{
	buf_put_u8(out, '"');
	if (!is_text(s)) {
		buf_printf(out, "0x");
		put_hex(out, s, false);
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

	put_time(out, now_ms);
	buf_put_u8(out, ',');
	put_field(out, m->topic);
	buf_printf(out, ",%u,%u,", m->qos, m->retain);
	put_payload(&shown, m->payload, o->escapes);
	put_field(out, buf_slice(&shown));
	buf_printf(out, "\r\n");
	buf_fini(&shown);
}

/* ---- formats ---- */

struct conversion {
	struct buf *out;
	const struct message_output *o;
	const struct publish *m;
	int64_t now_ms;
};

static void put_user_properties(const struct conversion *c)
{
	struct slice at = c->m->properties.raw, name, value;
	const char *blank = "";

	while (properties_next_user(&at, &name, &value)) {
		buf_printf(c->out, "%s", blank);
		put_text(c->out, name, c->o->escapes);
		buf_put_u8(c->out, ':');
		put_text(c->out, value, c->o->escapes);
		blank = " ";
	}
}

static void put_json_again(const struct conversion *c)
{
	struct message_output o = *c->o;
	size_t before = c->out->len;

	put_json(c->out, &o, c->m, c->now_ms);
	REQUIRE(c->out->len > before);
	c->out->len--; /* its newline */
}

static bool put_property(const struct conversion *c, char letter)
{
	const struct properties *p = &c->m->properties;
	bool escapes = c->o->escapes;

	switch (letter) {
	case 'A':
		if (properties_have(p, PROPERTY_TOPIC_ALIAS))
			buf_printf(c->out, "%u", p->topic_alias);
		return true;
	case 'C':
		put_text(c->out, p->content_type, escapes);
		return true;
	case 'D':
		put_payload(c->out, p->correlation_data, escapes);
		return true;
	case 'E':
		if (properties_have(p, PROPERTY_MESSAGE_EXPIRY))
			buf_printf(c->out, "%u", p->message_expiry_s);
		return true;
	case 'F':
		if (properties_have(p, PROPERTY_PAYLOAD_FORMAT))
			buf_printf(c->out, "%u", p->payload_format);
		return true;
	case 'P':
		put_user_properties(c);
		return true;
	case 'R':
		put_text(c->out, p->response_topic, escapes);
		return true;
	case 'S':
		if (properties_have(p, PROPERTY_SUBSCRIPTION_ID))
			buf_printf(c->out, "%u", p->subscription_id);
		return true;
	default:
		return false;
	}
}

static bool put_conversion(const struct conversion *c, char letter)
{
	const struct publish *m = c->m;

	switch (letter) {
	case '%':
		buf_put_u8(c->out, '%');
		return true;
	case 't':
		put_text(c->out, m->topic, c->o->escapes);
		return true;
	case 'p':
		put_payload(c->out, m->payload, c->o->escapes);
		return true;
	case 'x':
	case 'X':
		put_hex(c->out, m->payload, letter == 'X');
		return true;
	case 'l':
		buf_printf(c->out, "%zu", m->payload.len);
		return true;
	case 'm':
		buf_printf(c->out, "%u", m->packet_id);
		return true;
	case 'q':
		buf_printf(c->out, "%u", m->qos);
		return true;
	case 'r':
		buf_printf(c->out, "%u", m->retain);
		return true;
	case 'I':
		put_time(c->out, c->now_ms);
		return true;
	case 'U':
		buf_printf(c->out, "%lld.%03d", (long long)(c->now_ms / 1000),
		           (int)(c->now_ms % 1000));
		return true;
	case 'j':
		put_json_again(c);
		return true;
	default:
		return put_property(c, letter);
	}
}

/* What follows a backslash. */
static void put_escape(struct buf *out, char letter)
{
	static const char letters[] = "ntr0ae\\", bytes[] = "\n\t\r\0\a\033\\";
	const char *at = letter == '\0' ? NULL : strchr(letters, letter);

	if (at != NULL)
		buf_put_u8(out, (uint8_t)bytes[at - letters]);
	else
		buf_printf(out, "\\%c", letter);
}

/* False: there is a conversion that nobody knows, *bad. */
static bool put_format(const struct conversion *c, char *bad)
{
	for (const char *at = c->o->format; *at != '\0'; at++) {
		if (*at == '\\' && at[1] != '\0') {
			put_escape(c->out, *++at);
		} else if (*at == '%' && at[1] == '@' && at[2] != '\0') {
			put_time_letter(c->out, at[2], c->now_ms);
			at += 2;
		} else if (*at != '%') {
			buf_put_u8(c->out, (uint8_t)*at);
		} else if (!put_conversion(c, *++at)) {
			*bad = *at;
			return false;
		}
	}
	return true;
}

bool message_output_check(const char *format)
{
	static const struct publish none;
	const struct message_output o = {.format = format};
	struct buf out = {0};
	char bad = '\0';
	bool ok = put_format(&(struct conversion){&out, &o, &none, 0}, &bad);

	buf_fini(&out);
	if (!ok && bad == '\0')
		(void)report_error(0, "-F: there is a %% at the end; a percent sign is %%%%");
	else if (!ok)
		(void)report_error(0, "-F: there is no conversion %%%c; a percent sign is %%%%",
		                   bad);
	return ok;
}

static void put_plain(struct buf *out, const struct message_output *o, const struct publish *m)
{
	if (o->topics) {
		put_text(out, m->topic, o->escapes);
		buf_put_u8(out, ' ');
	}
	put_payload(out, m->payload, o->escapes);
	if (!o->no_newline)
		buf_put_u8(out, '\n');
}

void message_output_put(struct buf *out, const struct message_output *o,
                        const struct publish *message, int64_t now_ms)
{
	char bad;

	if (o->format != NULL) {
		(void)put_format(&(struct conversion){out, o, message, now_ms}, &bad);
		if (!o->no_newline)
			buf_put_u8(out, '\n');
	} else if (o->kind == OUTPUT_JSON) {
		put_json(out, o, message, now_ms);
	} else if (o->kind == OUTPUT_CSV) {
		put_csv(out, o, message, now_ms);
	} else if (o->kind == OUTPUT_RAW) {
		put_payload(out, message->payload, o->escapes);
	} else {
		put_plain(out, o, message);
	}
}
