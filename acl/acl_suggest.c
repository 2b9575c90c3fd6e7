/* Writing rules: three kinds of quoting, one inside the other. A percent sign is doubled; a filter
 * that would be read as something else is in single quotes; a line that YAML would misread is in
 * double quotes. */
#include "acl/acl_suggest.h"

#include <stdlib.h>

#include "acl/acl_verdict.h"
#include "base/alloc.h"
#include "proto/topic.h"

static void put_level(struct buf *out, struct slice level, const struct acl_who *who)
{
	if (!who->anonymous && level.len > 0 && slice_equal(level, who->user)) {
		buf_put_slice(out, SLICE("%u"));
		return;
	}
	for (size_t i = 0; i < level.len; i++) {
		buf_put_u8(out, level.data[i]);
		if (level.data[i] == '%' || level.data[i] == '\'')
			buf_put_u8(out, level.data[i]);
	}
}

/* As acl/rule_parse.c splits a rule into words. */
static bool needs_quotes(struct slice filter)
{
	static const char signs[] = " \t='";

	for (size_t i = 0; i < filter.len; i++) {
		if (memchr(signs, filter.data[i], sizeof(signs) - 1) != NULL)
			return true;
	}
	return slice_equal(filter, SLICE("own"));
}

char *acl_suggest_rule(const struct acl_request *request, const struct acl_who *who)
{
	struct topic_walk walk = topic_walk_of(request->topic);
	const char *quote = needs_quotes(request->topic) ? "'" : "";
	struct buf out = {0};
	struct slice level;
	bool first = true;

	if (memchr(request->topic.data, '\n', request->topic.len) != NULL)
		return NULL;
	buf_printf(&out, "allow %s %s", acl_action_name(request->action), quote);
	while (topic_walk_next(&walk, &level)) {
		if (!first)
			buf_put_u8(&out, '/');
		first = false;
		put_level(&out, level, who);
	}
	buf_printf(&out, "%s", quote);
	buf_put_u8(&out, '\0');
	return (char *)out.data;
}

static bool is_plain(const char *text)
{
	for (const char *p = text; *p != '\0'; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f || (*p == ' ' && p[1] == '#') ||
		    (*p == ':' && (p[1] == ' ' || p[1] == '\0')))
			return false;
	}
	return true;
}

char *acl_suggest_yaml(const char *text, bool always)
{
	struct buf out = {0};

	if (!always && is_plain(text))
		return xstrdup(text);
	buf_put_u8(&out, '"');
	for (const char *p = text; *p != '\0'; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f) {
			buf_printf(&out, "\\x%02x", (unsigned)*p);
			continue;
		}
		if (*p == '"' || *p == '\\')
			buf_put_u8(&out, '\\');
		buf_put(&out, p, 1);
	}
	buf_put(&out, "\"", 2);
	return (char *)out.data;
}
