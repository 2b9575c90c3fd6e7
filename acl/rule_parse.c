/* Words first, then effect, action, filters and conditions.  Every mistake is reported with its
 * column and what to do about it. */
#include "acl/rule_parse.h"

#include <stdlib.h>

#include "acl/condition.h"
#include "acl/rule_error.h"
#include "acl/rule_habit.h"
#include "base/alloc.h"
#include "base/array.h"
#include "base/nearest.h"
#include "proto/topic.h"

/* The words of a line. A single quote begins a word that ends with the next one; two of them in it
 * are one. */
struct rule_words {
	struct rule_source *source;
	const char *line;
	size_t at;
	char *unquoted; /* space for all quoted words together */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool word_quoted(struct rule_words *w, struct word *word)
{
	char *out = w->unquoted;

	word->quoted = true;
	word->text.data = (const uint8_t *)out;
	for (w->at++; w->line[w->at] != '\0'; w->at++) {
		if (w->line[w->at] == '\'' && w->line[w->at + 1] != '\'')
			break;
		w->at += w->line[w->at] == '\'';
		*out++ = w->line[w->at];
	}
	word->text.len = (size_t)(out - w->unquoted);
	w->unquoted = out;
	if (w->line[w->at] == '\0') {
		rule_error(w->source, word->offset, "the closing single quote is missing");
		return false;
	}
	w->at++;
	if (w->line[w->at] != '\0' && !is_blank(w->line[w->at])) {
		rule_error(w->source, w->at, "a blank is missing after the closing quote");
		return false;
	}
	return true;
}

/* The next word, if there is one; false too when the quotes are wrong (then source->failed). */
static bool word_next(struct rule_words *w, struct word *word)
{
	size_t start;

	while (is_blank(w->line[w->at]))
		w->at++;
	start = w->at;
	if (w->line[start] == '\0')
		return false;
	*word = (struct word){.offset = start};
	if (w->line[start] == '\'')
		return word_quoted(w, word);
	while (w->line[w->at] != '\0' && !is_blank(w->line[w->at])) {
		if (w->line[w->at] == '\'') {
			rule_error(w->source, w->at,
			           "a quote inside a word: put the whole filter in single quotes, "
			           "and write a quote in it twice");
			return false;
		}
		w->at++;
	}
	word->text = slice_of(w->line + start, w->at - start);
	return true;
}

static const char *const effects[] = {"allow", "deny"};

static const char *const action_names[] = {"publish", "will", "subscribe", "receive", "all"};
static const uint8_t action_sets[] = {
    ACTIONS_WRITE,           ACTION_BIT(ACL_WILL),         ACTIONS_READ,
    ACTION_BIT(ACL_RECEIVE), ACTIONS_WRITE | ACTIONS_READ,
};
_Static_assert(sizeof(action_sets) == ARRAY_LEN(action_names), "a set for each name");

/* Which of `names` is the next word? -1: none, and an error with `wanted`. */
static int keyword(struct rule_words *w, const char *const *names, size_t count, const char *wanted)
{
	struct word word;
	const char *near, *remedy;
	char *asked;

	if (!word_next(w, &word)) {
		if (!w->source->failed)
			rule_error(w->source, w->at, "%s", wanted);
		return -1;
	}
	asked = slice_dup(word.text);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(asked, names[i]) != 0)
			continue;
		free(asked);
		return (int)i;
	}
	near = nearest_word(asked, names, count);
	remedy = rule_habit_word(asked);
	if (remedy != NULL)
		rule_error(w->source, word.offset, "unknown '%s': %s", asked, remedy);
	else if (near != NULL)
		rule_error(w->source, word.offset, "unknown '%s'; did you mean '%s'?", asked, near);
	else
		rule_error(w->source, word.offset, "unknown '%s': %s", asked, wanted);
	free(asked);
	return -1;
}

static const char *filter_mistake(struct slice filter)
{
	struct slice group, rest;

	if (!topic_filter_valid(filter))
		return "not a topic filter: + and # must be a whole level, and # the last one";
	if (topic_filter_share(filter, &group, &rest) != SHARE_NONE)
		return "a shared subscription is checked by its filter: leave $share/group/ out";
	if (topic_exceeds_levels(filter, RULE_LEVELS_MAX))
		return "a filter of more than 128 levels";
	return NULL;
}

static void filter_add(struct acl_rule *rule, struct rule_source *source, const struct word *word)
{
	const char *mistake = filter_mistake(word->text);
	struct rule_filter *filter;
	size_t bad;

	if (mistake != NULL) {
		rule_error(source, word->offset, "'%.*s': %s", (int)word->text.len,
		           (const char *)word->text.data, mistake);
		return;
	}
	array_extend(rule->filters, rule->filter_count);
	filter = &rule->filters[rule->filter_count++];
	*filter = (struct rule_filter){0};
	if (!rule_filter_parse(filter, word->text, &bad))
		rule_habit_percent(source, word->offset + word->quoted + bad, word->text, bad);
	filter->quoted = word->quoted;
}

static void parse_words(struct acl_rule *rule, struct rule_words *w)
{
	int effect = keyword(w, effects, 2, "a rule begins with allow or deny");
	int action = effect < 0 ? -1
	                        : keyword(w, action_names, sizeof(action_sets),
	                                  "publish, will, subscribe, receive or all must follow");
	bool filters = false;
	struct word word;

	if (action < 0)
		return;
	rule->deny = effect == 1;
	rule->actions = action_sets[action];
	while (word_next(w, &word)) {
		if (condition_looks_like(&word)) {
			if (word.offset < rule->conditions_at)
				rule->conditions_at = word.offset;
			condition_parse(rule, w->source, &word);
		} else if (word.offset > rule->conditions_at) {
			rule_error(w->source, word.offset,
			           "a filter must come before the conditions (and a condition has "
			           "no blank in it)");
		} else {
			filters = true;
			filter_add(rule, w->source, &word);
		}
	}
	if (!filters && !w->source->failed)
		rule_error(w->source, 0,
		           "a rule without a filter (in YAML ' #' starts a comment: put a rule "
		           "with # in quotes, \"%s %s #\")",
		           effects[effect], action_names[action]);
}

static void rule_init(struct acl_rule *rule, const struct yaml_node *node)
{
	*rule = (struct acl_rule){
	    .text = xstrdup(node->kind == YAML_SCALAR ? node->text : ""),
	    .conditions_at = SIZE_MAX,
	    .line = node->line,
	    .column = node->column,
	};
}

bool rule_parse(struct acl_rule *rule, const char *file, const struct yaml_node *node,
                struct errors *errors)
{
	struct rule_source source = {.file = file, .node = node, .errors = errors};
	struct rule_words words = {.source = &source, .line = node->text};
	char *space;

	rule_init(rule, node);
	if (node->kind != YAML_SCALAR) {
		errors_add(errors, file, node->line, node->column,
		           "a rule is one line of text; one with ': ' or ', ' in it must be "
		           "quoted");
		return false;
	}
	if (strchr(node->text, '\n') != NULL) {
		rule_error(&source, 0, "a rule is one line: begin each with '- '");
		return false;
	}
	space = words.unquoted = xcalloc(1, strlen(node->text) + 1);
	parse_words(rule, &words);
	free(space);
	if (!source.failed)
		rule_habit_warn(&source);
	return !source.failed;
}

bool rule_parse_guard(struct acl_rule *rule, const char *file, const struct yaml_node *node,
                      struct errors *errors)
{
	struct rule_source source = {.file = file, .node = node, .errors = errors};
	struct word word = {0};

	rule_init(rule, node);
	rule->deny = true;
	rule->actions = ACTIONS_WRITE;
	if (node->kind != YAML_SCALAR) {
		errors_add(errors, file, node->line, node->column, "expected a topic filter");
		return false;
	}
	word.text = slice_of_str(node->text);
	filter_add(rule, &source, &word);
	if (source.failed)
		return false;
	for (size_t i = 0; i < rule->filters[0].count; i++) {
		if (rule->filters[0].levels[i].kind == LEVEL_PATTERN)
			rule_error(
			    &source, 0,
			    "anonymous clients have no name: write + in place of %%u or %%c, "
			    "and a percent sign as %%%%");
	}
	return !source.failed;
}

void rule_fini(struct acl_rule *rule)
{
	for (size_t i = 0; i < rule->filter_count; i++)
		rule_filter_fini(&rule->filters[i]);
	condition_clear(rule);
	free(rule->filters);
	free(rule->text);
	*rule = (struct acl_rule){0};
}
