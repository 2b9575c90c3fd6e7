/* A condition is a row of the table: how it is written, when it holds, and why it does not. */
#include "acl/condition.h"

#include <stdlib.h>

#include "acl/rule_habit.h"
#include "base/alloc.h"
#include "base/array.h"
#include "base/nearest.h"

/* --- retain=no, only, delete --- */

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

static bool retain_holds(const struct acl_rule *rule, const struct acl_request *request,
                         const struct pattern_names *names)
{
	(void)names;
	switch (rule->retain) {
	case RETAIN_NO:
		return !request->retain;
	case RETAIN_ONLY:
		return request->retain;
	case RETAIN_DELETE:
		return request->retain && request->payload.len == 0;
	}
	return false;
}

static char *why_not_retain(const struct acl_rule *rule, const struct acl_request *request)
{
	if (rule->retain == RETAIN_NO)
		return xstrdup("the message is retained");
	return xstrdup(request->retain ? "the payload is not empty"
	                               : "the message is not retained");
}

/* --- qos<=1 --- */

static void parse_qos(struct acl_rule *rule, struct rule_source *source, const struct word *word,
                      struct slice value)
{
	if (value.len == 1 && value.data[0] >= '0' && value.data[0] <= '2')
		rule->max_qos = (uint8_t)(value.data[0] - '0');
	else
		rule_error(source, word->offset, "qos<= takes 0, 1 or 2, not '%.*s'",
		           (int)value.len, (const char *)value.data);
}

static bool qos_holds(const struct acl_rule *rule, const struct acl_request *request,
                      const struct pattern_names *names)
{
	(void)names;
	return request->qos <= rule->max_qos;
}

static char *why_not_qos(const struct acl_rule *rule, const struct acl_request *request)
{
	(void)rule;
	return xasprintf("the QoS is %u", request->qos);
}

/* --- max=64k --- */

/* Digits and at most one of k, M, G. */
static bool size_parse(struct slice value, uint64_t *out)
{
	static const struct {
		uint8_t unit;
		unsigned shift;
	} units[] = {{'k', 10}, {'M', 20}, {'G', 30}};
	unsigned shift = 0;
	uint64_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(units) && value.len > 1; i++) {
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

static bool max_holds(const struct acl_rule *rule, const struct acl_request *request,
                      const struct pattern_names *names)
{
	(void)names;
	return request->payload.len <= rule->max_payload;
}

static char *why_not_max(const struct acl_rule *rule, const struct acl_request *request)
{
	(void)rule;
	return xasprintf("the payload has %zu bytes", request->payload.len);
}

/* --- own --- */

static void parse_own(struct acl_rule *rule, struct rule_source *source, const struct word *word,
                      struct slice value)
{
	(void)source;
	(void)word;
	(void)value;
	rule->own = true;
}

static bool own_holds(const struct acl_rule *rule, const struct acl_request *request,
                      const struct pattern_names *names)
{
	(void)rule;
	(void)names;
	return request->owner != ACL_OWNER_OTHER;
}

static char *why_not_own(const struct acl_rule *rule, const struct acl_request *request)
{
	(void)rule;
	(void)request;
	return xstrdup("another user owns the topic");
}

/* --- payload=on,off,%u-* --- */

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
	array_extend(rule->payloads, rule->payload_count);
	payload = &rule->payloads[rule->payload_count++];
	*payload = (struct rule_payload){.open = text.data[text.len - 1] == '*'};
	text.len -= payload->open;
	parsed = pattern_parse(&payload->text, text);
	if (parsed < text.len)
		rule_habit_percent(source, offset + parsed, text, parsed);
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

static bool payload_holds(const struct acl_rule *rule, const struct acl_request *request,
                          const struct pattern_names *names)
{
	for (size_t i = 0; i < rule->payload_count; i++) {
		unsigned flags =
		    (rule->payloads[i].open ? PATTERN_OPEN : 0) | (rule->deny ? PATTERN_HOLES : 0);

		if (pattern_matches(&rule->payloads[i].text, names, request->payload, flags))
			return true;
	}
	return false;
}

static char *why_not_payload(const struct acl_rule *rule, const struct acl_request *request)
{
	(void)rule;
	(void)request;
	return xstrdup("the payload does not match");
}

static void payload_fini(struct acl_rule *rule)
{
	for (size_t i = 0; i < rule->payload_count; i++)
		pattern_fini(&rule->payloads[i].text);
	free(rule->payloads);
}

/* --- the table --- */

static const struct condition_kind {
	/* With its sign; one without '=' has no value. */
	const char *name;
	bool on_deny;
	void (*parse)(struct acl_rule *rule, struct rule_source *source, const struct word *word,
	              struct slice value);
	bool (*holds)(const struct acl_rule *rule, const struct acl_request *request,
	              const struct pattern_names *names);
	/* Where it does not hold. The caller frees. */
	char *(*why_not)(const struct acl_rule *rule, const struct acl_request *request);
	/* NULL: its values own nothing. */
	void (*fini)(struct acl_rule *rule);
} conditions[] = {
    {"retain=", true, parse_retain, retain_holds, why_not_retain, NULL},
    {"qos<=", false, parse_qos, qos_holds, why_not_qos, NULL},
    {"max=", false, parse_max, max_holds, why_not_max, NULL},
    {"own", false, parse_own, own_holds, why_not_own, NULL},
    {"payload=", true, parse_payload, payload_holds, why_not_payload, payload_fini},
};

#define CONDITION_COUNT ARRAY_LEN(conditions)
_Static_assert(CONDITION_COUNT <= 8 * sizeof(((struct acl_rule *)NULL)->conditions),
               "a bit for each condition");

static const struct condition_kind *find(struct slice name)
{
	for (size_t i = 0; i < CONDITION_COUNT; i++) {
		if (slice_equal(name, slice_of_str(conditions[i].name)))
			return &conditions[i];
	}
	return NULL;
}

bool condition_looks_like(const struct word *word)
{
	return !word->quoted &&
	       (memchr(word->text.data, '=', word->text.len) != NULL || find(word->text) != NULL);
}

static void report_unknown(struct rule_source *source, const struct word *word, struct slice name)
{
	const char *names[CONDITION_COUNT];
	char *asked = slice_dup(name);
	struct buf known = {0};
	const char *near;

	for (size_t i = 0; i < CONDITION_COUNT; i++) {
		names[i] = conditions[i].name;
		buf_printf(&known, "%s%s",
		           i == 0                     ? ""
		           : i + 1 == CONDITION_COUNT ? " and "
		                                      : ", ",
		           names[i]);
	}
	near = nearest_word(asked, names, CONDITION_COUNT);
	if (near != NULL)
		rule_error(source, word->offset, "unknown condition '%s'; did you mean '%s'?",
		           asked, near);
	else
		rule_error(source, word->offset,
		           "unknown condition '%s'; known are %.*s (put a filter with '=' in "
		           "single quotes)",
		           asked, (int)known.len, (const char *)known.data);
	buf_fini(&known);
	free(asked);
}

void condition_parse(struct acl_rule *rule, struct rule_source *source, const struct word *word)
{
	const uint8_t *sign = memchr(word->text.data, '=', word->text.len);
	size_t name_len = sign == NULL ? word->text.len : (size_t)(sign - word->text.data) + 1;
	struct slice name = slice_of(word->text.data, name_len);
	const struct condition_kind *c = find(name);
	uint8_t bit;

	if (c == NULL) {
		report_unknown(source, word, name);
		return;
	}
	bit = (uint8_t)(1U << (c - conditions));
	if ((rule->conditions & bit) != 0) {
		rule_error(source, word->offset, "'%s' is given twice; keep one", c->name);
		return;
	}
	if ((rule->actions & ACTIONS_READ) != 0) {
		rule_error(source, word->offset,
		           "'%s' belongs to publish and will rules only; remove it or split the "
		           "rule",
		           c->name);
		return;
	}
	if (rule->deny && !c->on_deny) {
		rule_error(source, word->offset, "'%s' belongs to allow rules only; remove it",
		           c->name);
		return;
	}
	rule->conditions |= bit;
	c->parse(rule, source, word, slice_skip(word->text, name_len));
}

void condition_clear(struct acl_rule *rule)
{
	for (size_t i = 0; i < CONDITION_COUNT; i++) {
		if (conditions[i].fini != NULL)
			conditions[i].fini(rule);
	}
}

/* The first that does not hold; NULL: all do. */
static const struct condition_kind *find_obstacle(const struct acl_rule *rule,
                                                  const struct acl_request *request,
                                                  const struct pattern_names *names)
{
	for (unsigned left = rule->conditions; left != 0; left &= left - 1) {
		const struct condition_kind *c = &conditions[__builtin_ctz(left)];

		if (!c->holds(rule, request, names))
			return c;
	}
	return NULL;
}

bool condition_hold(const struct acl_rule *rule, const struct acl_request *request,
                    const struct pattern_names *names)
{
	return find_obstacle(rule, request, names) == NULL;
}

char *condition_why_not(const struct acl_rule *rule, const struct acl_request *request,
                        const struct pattern_names *names)
{
	const struct condition_kind *c = find_obstacle(rule, request, names);

	return c == NULL ? NULL : c->why_not(rule, request);
}
