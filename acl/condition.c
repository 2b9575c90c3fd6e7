/* What stands behind the filters of a rule: retain=, qos<=, own, payload=, max=.  A condition is a
 * row of the table.  Any thread. */
#include <stdlib.h>

#include "acl/rule.h"
#include "base/alloc.h"

static void parse_retain(struct acl_rule *rule, struct rule_source *source, const struct word *word,
                         struct slice value)
{
	if (slice_equal(value, SLICE("no")))
		rule->retain = RETAIN_NO;
	else if (slice_equal(value, SLICE("only")))
		rule->retain = RETAIN_ONLY;
	else if (slice_equal(value, SLICE("delete")))
		rule->retain = RETAIN_DELETE;
	else
		rule_error(source, word->offset, "retain= takes no, only or delete, not '%.*s'",
		           (int)value.len, (const char *)value.data);
}

static void parse_qos(struct acl_rule *rule, struct rule_source *source, const struct word *word,
                      struct slice value)
{
	if (value.len == 1 && value.data[0] >= '0' && value.data[0] <= '2')
		rule->max_qos = (uint8_t)(value.data[0] - '0');
	else
		rule_error(source, word->offset, "qos<= takes 0, 1 or 2, not '%.*s'",
		           (int)value.len, (const char *)value.data);
}

static void parse_own(struct acl_rule *rule, struct rule_source *source, const struct word *word,
                      struct slice value)
{
	(void)source;
	(void)word;
	(void)value;
	rule->own = true;
}

static void parse_payload_text(struct acl_rule *rule, struct rule_source *source, size_t offset,
                               struct slice text)
{
	struct rule_payload *payload;
	size_t parsed;

	if (text.len == 0) {
		rule_error(source, offset,
		           "payload= with an empty text; retain=delete is the "
		           "condition for an empty retained payload");
		return;
	}
	rule->payloads =
	    xrealloc_array(rule->payloads, rule->payload_count + 1, sizeof(*rule->payloads));
	payload = &rule->payloads[rule->payload_count++];
	*payload = (struct rule_payload){.open = text.data[text.len - 1] == '*'};
	text.len -= payload->open;
	parsed = pattern_parse(&payload->text, text);
	if (parsed < text.len)
		rule_error_percent(source, offset + parsed, text, parsed);
}

static void parse_payload(struct acl_rule *rule, struct rule_source *source,
                          const struct word *word, struct slice value)
{
	for (;;) {
		size_t offset = word->offset + (size_t)(value.data - word->text.data);
		const uint8_t *comma = memchr(value.data, ',', value.len);
		size_t len = comma == NULL ? value.len : (size_t)(comma - value.data);

		parse_payload_text(rule, source, offset, slice_of(value.data, len));
		if (comma == NULL)
			return;
		value = slice_skip(value, len + 1);
	}
}

/* Digits and at most one of k, M, G. */
static bool size_parse(struct slice value, uint64_t *out)
{
	static const struct {
		uint8_t unit;
		unsigned shift;
	} units[] = {{'k', 10}, {'M', 20}, {'G', 30}};
	unsigned shift = 0;
	uint64_t n = 0;

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]) && value.len > 1; i++) {
		if (value.data[value.len - 1] != units[i].unit)
			continue;
		shift = units[i].shift;
		value.len--;
		break;
	}
	if (value.len == 0 || value.len > 9)
		return false;
	for (size_t i = 0; i < value.len; i++) {
		if (value.data[i] < '0' || value.data[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(value.data[i] - '0');
	}
	*out = n << shift;
	return true;
}

static void parse_max(struct acl_rule *rule, struct rule_source *source, const struct word *word,
                      struct slice value)
{
	if (!size_parse(value, &rule->max_payload))
		rule_error(source, word->offset,
		           "max= takes a size like 256, 64k or 2M, not '%.*s'", (int)value.len,
		           (const char *)value.data);
}

typedef void condition_fn(struct acl_rule *rule, struct rule_source *source,
                          const struct word *word, struct slice value);

static const struct condition {
	const char *name; /* with its sign */
	bool on_deny;
	condition_fn *parse;
} conditions[] = {
    {"retain=", true, parse_retain},   {"qos<=", false, parse_qos}, {"own", false, parse_own},
    {"payload=", true, parse_payload}, {"max=", false, parse_max},
};

#define CONDITION_COUNT (sizeof(conditions) / sizeof(conditions[0]))

bool condition_is(const struct word *word)
{
	return !word->quoted && (slice_equal(word->text, SLICE("own")) ||
	                         memchr(word->text.data, '=', word->text.len) != NULL);
}

static struct slice condition_name(const struct word *word)
{
	const uint8_t *sign = memchr(word->text.data, '=', word->text.len);

	return sign == NULL ? word->text
	                    : slice_of(word->text.data, (size_t)(sign - word->text.data) + 1);
}

static void condition_unknown(struct rule_source *source, const struct word *word,
                              struct slice name)
{
	const char *names[CONDITION_COUNT];
	char *asked = slice_dup(name);
	const char *near;

	for (size_t i = 0; i < CONDITION_COUNT; i++)
		names[i] = conditions[i].name;
	near = errors_nearest(asked, names, CONDITION_COUNT);
	if (near != NULL)
		rule_error(source, word->offset, "unknown condition '%s'; did you mean '%s'?",
		           asked, near);
	else
		rule_error(source, word->offset,
		           "unknown condition '%s'; there are retain=, qos<=, own, payload= and "
		           "max= (a filter with '=' stands in single quotes)",
		           asked);
	free(asked);
}

static bool condition_has_place(const struct acl_rule *rule, struct rule_source *source,
                                const struct word *word, const struct condition *c)
{
	if ((rule->actions & ACTIONS_READ) != 0) {
		rule_error(source, word->offset,
		           "'%s' belongs to publish and will rules only; take it out or split the "
		           "rule",
		           c->name);
		return false;
	}
	if (rule->deny && !c->on_deny) {
		rule_error(source, word->offset, "'%s' belongs to allow rules only; take it out",
		           c->name);
		return false;
	}
	return true;
}

static const struct condition *condition_find(struct slice name)
{
	for (size_t i = 0; i < CONDITION_COUNT; i++) {
		if (slice_equal(name, slice_of_str(conditions[i].name)))
			return &conditions[i];
	}
	return NULL;
}

/* Was it said before?  What parsing leaves behind tells. */
static bool condition_is_set(const struct acl_rule *rule, const struct condition *c)
{
	return (c->parse == parse_retain && rule->retain != RETAIN_ANY) ||
	       (c->parse == parse_qos && rule->max_qos != UINT8_MAX) ||
	       (c->parse == parse_own && rule->own) ||
	       (c->parse == parse_payload && rule->payload_count > 0) ||
	       (c->parse == parse_max && rule->max_payload != UINT64_MAX);
}

void condition_parse(struct acl_rule *rule, struct rule_source *source, const struct word *word)
{
	struct slice name = condition_name(word);
	const struct condition *c = condition_find(name);

	if (c == NULL) {
		condition_unknown(source, word, name);
		return;
	}
	if (condition_is_set(rule, c)) {
		rule_error(source, word->offset, "'%s' stands here twice; keep one", c->name);
		return;
	}
	if (!condition_has_place(rule, source, word, c))
		return;
	rule->conditional = true;
	c->parse(rule, source, word, slice_skip(word->text, name.len));
}

static bool retain_holds(enum rule_retain retain, const struct acl_request *request)
{
	switch (retain) {
	case RETAIN_ANY:
		return true;
	case RETAIN_NO:
		return !request->retain;
	case RETAIN_ONLY:
		return request->retain;
	case RETAIN_DELETE:
		return request->retain && request->payload.len == 0;
	}
	return false;
}

static bool payload_holds(const struct acl_rule *rule, struct slice payload,
                          const struct names *names)
{
	for (size_t i = 0; i < rule->payload_count; i++) {
		unsigned flags =
		    (rule->payloads[i].open ? PATTERN_OPEN : 0) | (rule->deny ? PATTERN_HOLES : 0);

		if (pattern_matches(&rule->payloads[i].text, names, payload, flags))
			return true;
	}
	return rule->payload_count == 0;
}

bool rule_holds(const struct acl_rule *rule, const struct acl_request *request,
                const struct names *in_payloads)
{
	return retain_holds(rule->retain, request) && request->qos <= rule->max_qos &&
	       request->payload.len <= rule->max_payload &&
	       !(rule->own && request->owner == ACL_OWNER_OTHER) &&
	       payload_holds(rule, request->payload, in_payloads);
}
