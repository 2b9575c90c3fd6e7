/* Covers and overlaps: two filters, plain or of a rule, are walked level by level in step.  Three
 * facts make it less simple than it looks: a leading wildcard is not for `$`; `+/#` is the same as
 * `#`, but only where no empty topic stands before it; and `/#` has no parent, because no topic is
 * empty.  Any thread. */
#include "acl/rule_filter.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "proto/topic.h"

enum system_place system_place_of(struct slice text)
{
	if (slice_starts_with(text, SLICE(BRIDGE_PREFIX)))
		return PLACE_BRIDGE;
	return slice_starts_with(text, SLICE(CONTROL_PREFIX)) ? PLACE_CONTROL : PLACE_NONE;
}

bool rule_filter_parse(struct rule_filter *f, struct slice source, size_t *bad)
{
	struct topic_walk walk;
	struct slice raw;

	f->source = slice_dup(source);
	source = slice_of(f->source, source.len);
	f->levels = xcalloc(topic_levels(source), sizeof(*f->levels));
	f->place = system_place_of(source);
	walk = topic_walk_of(source);
	while (topic_walk_next(&walk, &raw)) {
		struct filter_level *level = &f->levels[f->count++];
		size_t parsed = pattern_parse(&level->pattern, raw);

		level->raw = raw;
		if (parsed < raw.len) {
			*bad = (size_t)(raw.data - source.data) + parsed;
			return false;
		}
		level->kind = slice_equal(raw, SLICE("+"))                     ? LEVEL_PLUS
		              : slice_equal(raw, SLICE("#"))                   ? LEVEL_HASH
		              : pattern_is_text(&level->pattern, &level->text) ? LEVEL_TEXT
		                                                               : LEVEL_PATTERN;
	}
	return true;
}

void rule_filter_fini(struct rule_filter *f)
{
	for (size_t i = 0; i < f->count; i++)
		pattern_fini(&f->levels[i].pattern);
	free(f->levels);
	free(f->source);
	*f = (struct rule_filter){0};
}

/* A walk over either kind of filter. */
struct levels {
	struct topic_walk plain;
	const struct rule_filter *rule; /* NULL: plain */
	size_t at;
	const struct pattern_names *names;
};

struct filter_step {
	enum level_kind kind;
	struct slice text;
	const struct pattern *pattern;
};

static struct filter_step step_next(struct levels *l)
{
	struct filter_step s = {.kind = LEVEL_END};
	const struct filter_level *level;

	if (l->rule == NULL) {
		if (topic_walk_next(&l->plain, &s.text))
			s.kind = slice_equal(s.text, SLICE("+"))   ? LEVEL_PLUS
			         : slice_equal(s.text, SLICE("#")) ? LEVEL_HASH
			                                           : LEVEL_TEXT;
		return s;
	}
	if (l->at == l->rule->count)
		return s;
	level = &l->rule->levels[l->at++];
	return (struct filter_step){level->kind, level->text, &level->pattern};
}

static bool step_starts_dollar(const struct filter_step *s)
{
	struct slice text = s->text;

	if (s->kind == LEVEL_PATTERN)
		text = s->pattern->parts[0].text;
	return (s->kind == LEVEL_TEXT || s->kind == LEVEL_PATTERN) && text.len > 0 &&
	       text.data[0] == '$';
}

static bool step_is_empty(const struct filter_step *s)
{
	return s->kind == LEVEL_TEXT && s->text.len == 0;
}

static bool step_takes_text(const struct levels *l, const struct filter_step *s, struct slice text)
{
	if (s->kind == LEVEL_TEXT)
		return slice_equal(s->text, text);
	return pattern_matches(s->pattern, l->names, text, 0);
}

/* One level both can have? Neither is `#` or the end; only `a` can be a pattern. */
static bool steps_meet(const struct levels *walk, const struct filter_step *a,
                       const struct filter_step *b, bool first)
{
	if (a->kind == LEVEL_PLUS || b->kind == LEVEL_PLUS)
		return !(first && (step_starts_dollar(a) || step_starts_dollar(b)));
	return step_takes_text(walk, a, b->text);
}

bool rule_filter_covers(struct slice outer, struct slice inner)
{
	struct levels wide = {.plain = topic_walk_of(outer)};
	struct levels narrow = {.plain = topic_walk_of(inner)};
	bool parentless = true; /* the levels so far are no topic: none, or one that is empty */

	for (bool first = true;; first = false) {
		struct filter_step out = step_next(&wide);
		struct filter_step in = step_next(&narrow);

		if (out.kind == LEVEL_HASH)
			return !(first && step_starts_dollar(&in));
		if (in.kind == LEVEL_HASH)
			return parentless && out.kind == LEVEL_PLUS &&
			       step_next(&wide).kind == LEVEL_HASH;
		if (in.kind == LEVEL_END || out.kind == LEVEL_END)
			return in.kind == out.kind;
		if (out.kind == LEVEL_PLUS) {
			if (first && step_starts_dollar(&in))
				return false;
		} else if (in.kind == LEVEL_PLUS || !step_takes_text(&wide, &out, in.text)) {
			return false;
		}
		parentless = first && step_is_empty(&in);
	}
}

bool rule_filter_overlaps(const struct rule_filter *a, struct slice b,
                          const struct pattern_names *names)
{
	struct levels of_rule = {.rule = a, .names = names};
	struct levels plain = {.plain = topic_walk_of(b)};
	bool parentless = true;

	for (size_t i = 0; i < a->count; i++) {
		if (!pattern_is_known(&a->levels[i].pattern, names))
			return false;
	}
	for (bool first = true;; first = false) {
		struct filter_step x = step_next(&of_rule);
		struct filter_step y = step_next(&plain);

		if (x.kind == LEVEL_HASH || y.kind == LEVEL_HASH) {
			if (first)
				return !step_starts_dollar(&x) && !step_starts_dollar(&y);
			return !parentless || (x.kind != LEVEL_END && y.kind != LEVEL_END);
		}
		if (x.kind == LEVEL_END || y.kind == LEVEL_END)
			return x.kind == y.kind;
		if (!steps_meet(&of_rule, &x, &y, first))
			return false;
		parentless = first && (step_is_empty(&x) || step_is_empty(&y));
	}
}
