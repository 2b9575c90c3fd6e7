/* Lines are read as the broker wrote them; whoever doubts that verifies first. */
#include "audit_tool/audit_select.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/array.h"
#include "base/json.h"
#include "base/log.h"
#include "proto/topic.h"

static bool put_time(struct audit_select *s, int64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;

	return gmtime_r(&seconds, &tm) != NULL &&
	       strftime(s->since, sizeof(s->since), "%Y-%m-%dT%H:%M:%S", &tm) > 0;
}

static int64_t unit_s(char letter)
{
	static const struct {
		char letter;
		int64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (units[i].letter == letter)
			return units[i].seconds;
	return 0;
}

/* "2026", "2026-12-01", "2026-12-01T10:00": digits where a time has them. */
static bool is_time(const char *text)
{
	static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddZ";
	size_t len = strlen(text);

	if (len < 4 || len >= sizeof(shape))
		return false;
	for (size_t i = 0; i < len; i++)
		if (shape[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != shape[i])
			return false;
	return true;
}

bool audit_select_since(struct audit_select *s, const char *text, int64_t now_ms)
{
	size_t digits = strspn(text, "0123456789"), len = strlen(text);
	int64_t unit = digits > 0 && len == digits + 1 ? unit_s(text[digits]) : 0;

	if (unit > 0 && digits <= 7)
		return put_time(s, now_ms - (int64_t)strtol(text, NULL, 10) * unit * 1000);
	if (!is_time(text))
		return false;
	memcpy(s->since, text, len + 1);
	return true;
}

static bool is_text(const struct json_object *o, const char *name, const char *wanted)
{
	return wanted == NULL || slice_equal(json_text_of(o, name), slice_of_str(wanted));
}

static bool has_topic(const struct json_object *o, const char *filter)
{
	struct slice topic = json_text_of(o, "topic");

	if (filter == NULL)
		return true;
	if (topic.len > 0)
		return topic_matches(slice_of_str(filter), topic);
	return is_text(o, "filter", filter);
}

/* Times of one shape have the order of their text. */
static bool is_recent(const struct audit_select *s, const struct json_object *o)
{
	return s->since[0] == '\0' ||
	       slice_compare(json_text_of(o, "time"), slice_of_str(s->since)) >= 0;
}

bool audit_select_has(const struct audit_select *s, struct slice line)
{
	struct json_object object;
	bool has;

	if (!json_parse(line, &object))
		return false;
	has = is_recent(s, &object) && is_text(&object, "event", s->event) &&
	      is_text(&object, "user", s->user) && is_text(&object, "client_id", s->client_id) &&
	      has_topic(&object, s->topic);
	json_fini(&object);
	return has;
}

static void put_member(struct buf *out, const struct json_member *m)
{
	static const char *const hidden[] = {"time", "level",        "event",
	                                     "msg",  "audit_number", "audit_mac"};

	for (size_t i = 0; i < ARRAY_LEN(hidden); i++)
		if (slice_equal(m->name, slice_of_str(hidden[i])))
			return;
	buf_put_u8(out, ' ');
	log_encode(out, m->name, false);
	buf_put_u8(out, '=');
	if (m->kind == JSON_TEXT)
		log_encode(out, m->text, false);
	else
		buf_printf(out, "%" PRIu64, m->number);
}

/* Of what others have sent nothing reaches the terminal unescaped. */
static void put_text(struct buf *out, struct slice line)
{
	struct json_object object;

	if (!json_parse(line, &object)) {
		log_encode(out, line, false);
		return;
	}
	log_encode(out, json_text_of(&object, "time"), false);
	buf_put_u8(out, ' ');
	log_encode(out, json_text_of(&object, "event"), false);
	for (size_t i = 0; i < object.count; i++)
		put_member(out, &object.members[i]);
	json_fini(&object);
}

void audit_select_print(const struct audit_select *s, struct slice line, FILE *to)
{
	struct buf out = {0};

	if (s->json)
		buf_put_slice(&out, line);
	else
		put_text(&out, line);
	buf_put_u8(&out, '\n');
	(void)fwrite(out.data, 1, out.len, to);
	buf_fini(&out);
}
