/* The sequences, and the fields that some of them can have. */
#include "pubsub/message_format.h"

#include <string.h>
#include <time.h>

#include "base/require.h"
#include "base/utf8.h"
#include "program/command_line.h"
#include "pubsub/json_text.h"
#include "pubsub/message_json.h"
#include "pubsub/message_text.h"

#define TIME_TEXT 128

struct conversion {
	struct buf *out;
	const struct message_format *o;
	const struct publish *m;
	int64_t now_ms;
	bool only_checks;
};

static void put_user_properties(const struct conversion *c)
{
	struct slice at = c->m->properties.raw, name, value;
	const char *blank = "";

	while (properties_next_user(&at, &name, &value)) {
		buf_printf(c->out, "%s", blank);
		message_text_put(c->out, name, c->o->escapes);
		buf_put_u8(c->out, ':');
		message_text_put(c->out, value, c->o->escapes);
		blank = " ";
	}
}

static void put_json(const struct conversion *c, bool bare)
{
	struct message_json o = {
	    .pretty = c->o->pretty, .bare_payload = bare, .escapes = c->o->escapes};

	if (!bare || json_text_valid(c->m->payload)) {
		message_json_put(c->out, &o, c->m, c->now_ms);
		return;
	}
	if (!c->only_checks) {
		struct buf topic = {0};

		utf8_put_printable(&topic, c->m->topic);
		(void)report_error(0, "-F: %%J: the payload on the topic %.*s is not valid JSON",
		                   (int)topic.len, (const char *)topic.data);
		buf_fini(&topic);
	}
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
		message_text_put(c->out, p->content_type, escapes);
		return true;
	case 'D':
		message_text_put_payload(c->out, p->correlation_data, escapes);
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
		message_text_put(c->out, p->response_topic, escapes);
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
		message_text_put(c->out, m->topic, c->o->escapes);
		return true;
	case 'p':
		message_text_put_payload(c->out, m->payload, c->o->escapes);
		return true;
	case 'x':
	case 'X':
		message_text_put_hex(c->out, m->payload, letter == 'X');
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
		message_text_put_time(c->out, c->now_ms);
		return true;
	case 'U':
		buf_printf(c->out, "%lld.%09d", (long long)(c->now_ms / 1000),
		           (int)(c->now_ms % 1000) * 1000000);
		return true;
	case 'j':
	case 'J':
		put_json(c, letter == 'J');
		return true;
	default:
		return put_property(c, letter);
	}
}

/* ---- fields ---- */

struct format_field {
	unsigned width, max_width; /* characters; max_width 0: any */
	bool left, zeros, has_max;
};

/* Digits; false: more than MESSAGE_FORMAT_WIDTH_MAX. */
static bool take_width(const char **at, unsigned *width)
{
	REQUIRE(*at != NULL);
	for (*width = 0; **at >= '0' && **at <= '9'; ++*at) {
		*width = *width * 10 + (unsigned)(**at - '0');
		if (*width > MESSAGE_FORMAT_WIDTH_MAX)
			return false;
	}
	return true;
}

/* What stands between % and the letter. */
static bool take_field(const char **at, struct format_field *f)
{
	*f = (struct format_field){.width = 0};
	for (; **at == '-' || **at == '0'; ++*at) {
		f->left = f->left || **at == '-';
		f->zeros = f->zeros || **at == '0';
	}
	if (!take_width(at, &f->width))
		return false;
	f->has_max = **at == '.';
	if (f->has_max)
		++*at;
	return !f->has_max || take_width(at, &f->max_width);
}

/* The bytes of its first characters, `max` at most, and how many these are. */
static size_t measure(struct slice s, size_t max, size_t *characters)
{
	struct slice rest = s;
	uint32_t cp;

	for (*characters = 0; rest.len > 0 && *characters < max; ++*characters) {
		size_t len = utf8_decode(rest, &cp);

		rest = slice_skip(rest, len == 0 ? 1 : len);
	}
	return s.len - rest.len;
}

/* Make a field of what was appended since `start`. */
static void shape_field(struct buf *out, size_t start, const struct format_field *f, char letter)
{
	bool zeros = f->zeros && !f->left && strchr("AEFlmSXx", letter) != NULL;
	size_t max = f->has_max && strchr("CIRt", letter) != NULL ? f->max_width : SIZE_MAX;
	size_t have, len, missing;

	REQUIRE(out->len >= start && f->width <= MESSAGE_FORMAT_WIDTH_MAX);
	if (strchr("ACEFIlmpRStxX", letter) == NULL)
		return;
	len = measure(slice_skip(buf_slice(out), start), max, &have);
	out->len = start + len;
	missing = have < f->width ? f->width - have : 0;
	for (size_t i = 0; i < missing; i++)
		buf_put_u8(out, zeros ? '0' : ' ');
	if (missing > 0 && !f->left) {
		memmove(out->data + start + missing, out->data + start, len);
		memset(out->data + start, zeros ? '0' : ' ', missing);
	}
}

/* ---- the sequences; *at stands on the character after the first ---- */

/* One conversion of strftime, whose letter comes from the command line. */
static void put_time_letter(const struct conversion *c, char letter)
{
	const char format[] = {'%', letter, '\0'};
	time_t seconds = (time_t)(c->now_ms / 1000);
	char text[TIME_TEXT];
	struct tm tm;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	if (localtime_r(&seconds, &tm) != NULL && strftime(text, sizeof(text), format, &tm) > 0)
		buf_printf(c->out, "%s", text);
#pragma GCC diagnostic pop
}

static const char *put_time(const struct conversion *c, const char **at)
{
	if (**at == '\0')
		return "there is an @ at the end; an at sign is @@";
	/* mutant: format_at_sign */
	if (**at == '@')
		buf_put_u8(c->out, '@');
	else if (**at == 'N')
		buf_printf(c->out, "%09d", (int)(c->now_ms % 1000) * 1000000);
	else
		put_time_letter(c, **at);
	return NULL;
}

static const char *put_field(const struct conversion *c, const char **at)
{
	size_t start = c->out->len;
	struct format_field f;

	if (!take_field(at, &f))
		return "the width of a field is 9999 at most";
	if (**at == '\0')
		return "there is a % at the end; a percent sign is %%";
	if (!put_conversion(c, **at))
		return "there is no such conversion; a percent sign is %%";
	shape_field(c->out, start, &f, **at);
	return NULL;
}

static const char *put_escape(const struct conversion *c, const char **at)
{
	static const char letters[] = "ntrv0ae\\", bytes[] = "\n\t\r\v\0\a\033\\";
	const char *found = **at == '\0' ? NULL : strchr(letters, **at);

	if (**at == '\0')
		return "there is a \\ at the end; a backslash is \\\\";
	if (found != NULL)
		buf_put_u8(c->out, (uint8_t)bytes[found - letters]);
	else
		buf_printf(c->out, "\\%c", **at);
	return NULL;
}

/* What is wrong, *bad is where; NULL: nothing. */
static const char *put_format(const struct conversion *c, const char *format, const char **bad)
{
	const char *at = format, *why = NULL;

	for (; why == NULL && *at != '\0'; at++) {
		*bad = at;
		switch (*at) {
		case '%':
			at++;
			why = put_field(c, &at);
			break;
		case '@':
			at++;
			why = put_time(c, &at);
			break;
		case '\\':
			at++;
			why = put_escape(c, &at);
			break;
		default:
			buf_put_u8(c->out, (uint8_t)*at);
		}
	}
	return why;
}

bool message_format_check(const char *format)
{
	static const struct publish none;
	static const struct message_format o;
	struct buf out = {0};
	const char *bad = NULL;
	const char *why = put_format(&(struct conversion){&out, &o, &none, 0, true}, format, &bad);

	buf_fini(&out);
	if (why != NULL)
		(void)report_error(0, "-F: %s, at '%.12s'", why, bad);
	return why == NULL;
}

void message_format_put(struct buf *out, const char *format, const struct message_format *o,
                        const struct publish *message, int64_t now_ms)
{
	const struct conversion c = {out, o, message, now_ms, false};
	const char *bad, *why = put_format(&c, format, &bad);

	REQUIRE(why == NULL);
}
