/* See reference.h.  Nothing of acl/ is used but the interface: the rules are structs from which the
 * text is printed, filters are expanded to strings, and "covers" is "every topic made of the words
 * at hand that the one matches, the other matches too". */
#include "reference.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acl/acl.h"
#include "base/alloc.h"
#include "base/require.h"

#define HOLE        '\1' /* any text within a level */
#define RULES_MAX   8
#define FILTERS_MAX 3
#define TEXT_MAX    200
#define ROLES       3
#define REQUESTS    24

struct source {
	const uint8_t *at, *end;
};

static unsigned draw(struct source *s, unsigned below)
{
	return s->at == s->end ? 0 : *s->at++ % below;
}

struct rule {
	bool deny;
	unsigned action; /* of action_words */
	char filters[FILTERS_MAX][TEXT_MAX];
	unsigned filter_count;
	unsigned retain; /* of retain_words; 0: any */
	unsigned qos;    /* 3: any */
	bool own;
	unsigned max; /* 0: any */
	const char *payload;
	unsigned line;
};

struct list {
	struct rule rules[RULES_MAX];
	unsigned count;
	enum acl_partial partial;
};

struct policy {
	struct list users[2]; /* anna, anonymous */
	struct list roles[ROLES];
	unsigned roles_of[2]; /* a bit per role */
	bool custom_guard;
	bool partial;
};

static const char *const action_words[] = {"publish", "will", "subscribe", "receive", "all"};
static const char *const partial_words[] = {
    [ACL_PARTIAL_UNSAID] = "",
    [ACL_PARTIAL_REFUSE] = "partial_subscriptions: refuse, ",
    [ACL_PARTIAL_FILTER] = "partial_subscriptions: filter, ",
};
static const char *const retain_words[] = {"", " retain=no", " retain=only", " retain=delete"};
static const char *const payload_words[] = {"on", "o*", "%u", "%c*", "%u/%c", "%%*", "*", "on,off"};
/* Levels are compared eight bytes at a time. */
#define LONG_LEVELS                                                                                \
	"sensors", "sensors1", "sensors2", "sensors-on", "sensors-of-floor-1", "sensors-of-floor-2"
static const char *const rule_levels[] = {"a",      "b",   "%u", "%c", "x%u", "%cy",      "%u%c",
                                          "x%c-%u", "+",   "+",  "",   "$s",  "%%",       "x=y",
                                          "b b",    "own", "+",  "a",  "%c",  LONG_LEVELS};
static const char *const topic_levels_[] = {"a",   "b",      "anna", "c1",      "xanna",
                                            "c1y", "annac1", "",     "$s",      "%",
                                            "x=y", "b b",    "own",  "xq-anna", LONG_LEVELS};
static const char *const whole_filters[] = {"#",
                                            "$SYS/broker/connection/%u/state",
                                            "$SYS/#",
                                            "$SYS/broker/connection/#",
                                            "$CONTROL/#",
                                            "$CONTROL/vakt/#",
                                            "$CONTROL/vakt/v1/%u"};

#define PICK(source, array) ((array)[draw((source), sizeof(array) / sizeof((array)[0]))])

static void draw_levels(struct source *s, char *out, const char *const *words, unsigned count,
                        bool wildcards)
{
	unsigned levels = 1 + draw(s, 3);

	out[0] = '\0';
	for (unsigned i = 0; i < levels; i++)
		snprintf(out + strlen(out), TEXT_MAX - strlen(out), "%s%s", i > 0 ? "/" : "",
		         words[draw(s, count)]);
	if (wildcards && draw(s, 4) == 0)
		snprintf(out + strlen(out), TEXT_MAX - strlen(out), "/#");
	if (out[0] == '\0')
		snprintf(out, TEXT_MAX, "a");
}

static void draw_rule(struct source *s, struct rule *r)
{
	r->deny = draw(s, 3) == 0;
	r->action = draw(s, 5);
	r->filter_count = 1 + draw(s, FILTERS_MAX);
	for (unsigned i = 0; i < r->filter_count; i++) {
		if (draw(s, 8) == 0)
			snprintf(r->filters[i], TEXT_MAX, "%s", PICK(s, whole_filters));
		else
			draw_levels(s, r->filters[i], rule_levels,
			            sizeof(rule_levels) / sizeof(rule_levels[0]), true);
	}
	r->retain = 0;
	r->qos = 3;
	r->own = false;
	r->max = 0;
	r->payload = NULL;
	if (r->action > 1)
		return;
	r->retain = draw(s, 2) == 0 ? 0 : draw(s, 4);
	if (draw(s, 4) == 0)
		r->payload = PICK(s, payload_words);
	if (r->deny)
		return;
	r->qos = draw(s, 3) == 0 ? draw(s, 3) : 3;
	r->own = draw(s, 4) == 0;
	r->max = draw(s, 4) == 0 ? 1 + draw(s, 5) : 0;
}

static void draw_list(struct source *s, struct list *l)
{
	l->count = draw(s, RULES_MAX - 1); /* room for one more */
	for (unsigned i = 0; i < l->count; i++)
		draw_rule(s, &l->rules[i]);
}

static void draw_policy(struct source *s, struct policy *p)
{
	p->partial = draw(s, 2) == 0;
	p->custom_guard = draw(s, 4) == 0;
	for (unsigned i = 0; i < ROLES; i++) {
		draw_list(s, &p->roles[i]);
		p->roles[i].partial = draw(s, 5) == 0 ? ACL_PARTIAL_FILTER : ACL_PARTIAL_UNSAID;
	}
	for (unsigned i = 0; i < 2; i++) {
		draw_list(s, &p->users[i]);
		p->users[i].partial = (enum acl_partial)(draw(s, 2) * draw(s, 3));
		p->roles_of[i] = draw(s, 1 << ROLES);
	}
}

static void print_filter(struct buf *out, const char *filter)
{
	bool quoted = strpbrk(filter, "= ") != NULL || strcmp(filter, "own") == 0;

	buf_printf(out, quoted ? " '%s'" : " %s", filter);
}

/* The rules as a flow list, one a line; they learn their lines. */
static void print_list(struct buf *out, struct list *l, unsigned *line)
{
	buf_printf(out, "[");
	for (unsigned i = 0; i < l->count; i++) {
		struct rule *r = &l->rules[i];

		r->line = ++*line;
		buf_printf(out, "\n\"%s %s", r->deny ? "deny" : "allow", action_words[r->action]);
		for (unsigned f = 0; f < r->filter_count; f++)
			print_filter(out, r->filters[f]);
		buf_printf(out, "%s", retain_words[r->retain]);
		if (r->qos < 3)
			buf_printf(out, " qos<=%u", r->qos);
		if (r->max > 0)
			buf_printf(out, " max=%u", r->max);
		if (r->payload != NULL)
			buf_printf(out, " payload=%s", r->payload);
		buf_printf(out, "%s\",", r->own ? " own" : "");
	}
	buf_printf(out, "]");
}

static char *print_policy(struct policy *p)
{
	struct buf out = {0};
	unsigned line = 1;

	buf_printf(&out, "{%s roles: {", p->custom_guard ? "desired_topics: [a/+/#, '%%'], " : "");
	for (unsigned i = 0; i < ROLES; i++) {
		bool word = p->roles[i].partial != ACL_PARTIAL_UNSAID;

		buf_printf(&out, "r%u: %s", i,
		           word ? "{partial_subscriptions: filter, rules: " : "");
		print_list(&out, &p->roles[i], &line);
		buf_printf(&out, "%s, ", word ? "}" : "");
	}
	for (unsigned i = 0; i < 2; i++) {
		buf_printf(&out,
		           i == 0 ? "}, users: {anna: {%srules: " : "}}, anonymous: {%srules: ",
		           partial_words[p->users[i].partial]);
		print_list(&out, &p->users[i], &line);
		buf_printf(&out, ", roles: [");
		for (unsigned r = 0; r < ROLES; r++) {
			if ((p->roles_of[i] >> r & 1) != 0)
				buf_printf(&out, "r%u,", r);
		}
		buf_printf(&out, "]");
	}
	buf_printf(&out, "}}");
	buf_put_u8(&out, '\0');
	return (char *)out.data;
}

/* The one who asks, and what. */
struct asker {
	const char *user; /* NULL: anonymous */
	const char *client;
	const char *user_in_filter, *client_in_filter; /* NULL: no value */
	unsigned given;                                /* roles of the password file */
	bool anonymous;
};

static const struct asker askers[] = {
    {"anna", "c1", "anna", "c1", 0, false},
    {"anna", "a/b", "anna", NULL, 1, false},
    {"anna", "$s", "anna", NULL, 4, false},
    {"anna", "+", "anna", NULL, 6, false},
    {"b", "a", "b", "a", 7, false},
    {"b", "", "b", NULL, 3, false},
    {"anna", "c\x7f", "anna", NULL, 2, false},
    {NULL, "c1", NULL, "c1", 0, true},
    {NULL, "#", NULL, NULL, 0, true},
    {"$s", "c1", NULL, "c1", 7, false},
};

struct question {
	const struct asker *asker;
	enum acl_action action;
	char topic[TEXT_MAX];
	bool retain, owned;
	unsigned qos;
	const char *payload;
	enum acl_partial listener;
};

static void draw_question(struct source *s, struct question *q)
{
	static const char *const payloads[] = {"",   "on",      "off",      "anna",
	                                       "c1", "anna/c1", "anna/a/b", "%x"};
	static const char *const places[] = {"$SYS/broker/connection/anna/state",
	                                     "$SYS/x",
	                                     "$CONTROL/vakt/v1/anna",
	                                     "$CONTROL/x",
	                                     "desired/a",
	                                     "a/desired"};
	static const char *const asked_levels[] = {"a",  "b", "+",     "+",  "anna",
	                                           "c1", "",  "xanna", "$s", LONG_LEVELS};

	q->asker = &PICK(s, askers);
	q->action = (enum acl_action)draw(s, 4);
	if (draw(s, 6) == 0)
		snprintf(q->topic, TEXT_MAX, "%s", PICK(s, places));
	else if (q->action == ACL_SUBSCRIBE)
		draw_levels(s, q->topic, asked_levels,
		            sizeof(asked_levels) / sizeof(asked_levels[0]), true);
	else
		draw_levels(s, q->topic, topic_levels_,
		            sizeof(topic_levels_) / sizeof(topic_levels_[0]), false);
	if (q->action == ACL_SUBSCRIBE && draw(s, 10) == 0)
		snprintf(q->topic, TEXT_MAX, "#");
	q->retain = draw(s, 2) == 0;
	q->owned = draw(s, 3) == 0;
	q->qos = draw(s, 3);
	q->payload = PICK(s, payloads);
	q->listener = (enum acl_partial)draw(s, 3);
}

/* Put names in. A name without a value: false for allow rules, a hole for deny rules. */
static bool expand(const char *text, const char *user, const char *client, bool deny, char *out)
{
	size_t n = 0;

	for (; *text != '\0'; text++) {
		const char *value = text[0] != '%'   ? NULL
		                    : text[1] == 'u' ? user
		                    : text[1] == 'c' ? client
		                                     : "%";

		if (text[0] != '%') {
			out[n++] = text[0];
			continue;
		}
		text++;
		if (value == NULL && !deny)
			return false;
		n += (size_t)snprintf(out + n, TEXT_MAX - n, "%s", value == NULL ? "\1" : value);
	}
	out[n] = '\0';
	return true;
}

/* In a rule's filter `+` stands only alone: it is a hole. */
static bool expand_filter(const char *filter, const struct asker *asker, bool deny, char *out)
{
	char holed[TEXT_MAX] = "";

	snprintf(holed, sizeof(holed), "%s", filter);
	for (char *p = holed; *p != '\0'; p++)
		*p = (char)(*p == '+' ? HOLE : *p);
	return expand(holed, asker->user_in_filter, asker->client_in_filter, deny, out);
}

/* Any text within a level where a HOLE stands; `end` ends a level. */
static bool level_matches(const char *p, const char *p_end, const char *s, const char *s_end)
{
	if (p == p_end)
		return s == s_end;
	if (*p == HOLE)
		return level_matches(p + 1, p_end, s, s_end) ||
		       (s < s_end && level_matches(p, p_end, s + 1, s_end));
	return s < s_end && *p == *s && level_matches(p + 1, p_end, s + 1, s_end);
}

static bool matches_from(const char *f, const char *t)
{
	const char *f_end = f + strcspn(f, "/");
	const char *t_end = t + strcspn(t, "/");

	if (strcmp(f, "#") == 0)
		return true;
	if (!level_matches(f, f_end, t, t_end))
		return false;
	if (*f_end == '/' && *t_end == '/')
		return matches_from(f_end + 1, t_end + 1);
	return *t_end == '\0' && (*f_end == '\0' || strcmp(f_end, "/#") == 0);
}

static bool matches(const char *filter, const char *topic)
{
	if (topic[0] == '$' && (filter[0] == '#' || filter[0] == HOLE))
		return false;
	return matches_from(filter, topic);
}

/* Topics that a filter matches, made of the levels of another filter and a stranger. */
struct topics {
	const char *outer;
	char words[20][TEXT_MAX];
	unsigned word_count;
	bool first;     /* no level stands yet */
	bool overlap;   /* asked for `some` too */
	bool all, some; /* does outer match all, some? */
};

static bool is_decided(const struct topics *t)
{
	return !t->all && (t->some || !t->overlap);
}

static void add_word(struct topics *t, const char *from, size_t len, const char *hole)
{
	char *out = t->words[t->word_count];
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (from[i] == HOLE)
			n += (size_t)snprintf(out + n, TEXT_MAX - n, "%s", hole);
		else
			out[n++] = from[i];
	}
	out[n] = '\0';
	for (unsigned i = 0; i < t->word_count; i++) {
		if (strcmp(t->words[i], out) == 0)
			return;
	}
	t->word_count++;
}

static void collect_words(struct topics *t, const char *filter)
{
	add_word(t, "zz", 2, "");
	for (;;) {
		size_t len = strcspn(filter, "/");

		if (memchr(filter, '#', len) == NULL) {
			add_word(t, filter, len, "q");
			add_word(t, filter, len, "");
		}
		if (filter[len] == '\0')
			return;
		filter += len + 1;
	}
}

static void on_topic(struct topics *t, const char *topic)
{
	bool match;

	if (topic[0] == '\0')
		return;
	match = matches(t->outer, topic);
	t->all = t->all && match;
	t->some = t->some || match;
}

static void each_topic(struct topics *t, const char *inner, char *topic, unsigned more);

/* One level more on `topic`, then what follows in `inner`, then the level is gone again. */
static void with_level(struct topics *t, const char *inner, char *topic, unsigned more,
                       const char *word, size_t word_len)
{
	size_t at = strlen(topic);
	size_t len = strcspn(inner, "/");

	snprintf(topic + at, TEXT_MAX - at, "%s%.*s", t->first ? "" : "/", (int)word_len, word);
	t->first = false;
	if (strcmp(inner, "#") == 0)
		each_topic(t, inner, topic, more - 1);
	else if (inner[len] == '/')
		each_topic(t, inner + len + 1, topic, more > 0 ? more - 1 : 0);
	else
		on_topic(t, topic);
	topic[at] = '\0';
}

/* `topic` so far, `inner` still to come; `more` levels for a '#'. */
static void each_topic(struct topics *t, const char *inner, char *topic, unsigned more)
{
	size_t len = strcspn(inner, "/");
	bool hash = strcmp(inner, "#") == 0;
	bool first = t->first;

	if (!hash && !(len == 1 && *inner == '+')) {
		with_level(t, inner, topic, more, inner, len);
		t->first = first;
		return;
	}
	if (hash && !first)
		on_topic(t, topic);
	if (hash && more == 0)
		return;
	for (unsigned i = 0; i < t->word_count && !is_decided(t); i++) {
		if (!first || t->words[i][0] != '$')
			with_level(t, inner, topic, more, t->words[i], strlen(t->words[i]));
		t->first = first;
	}
}

static struct topics try_topics(const char *outer, const char *inner, bool overlap)
{
	struct topics t = {.outer = outer, .first = true, .overlap = overlap, .all = true};
	char topic[TEXT_MAX] = "";
	unsigned levels = 2;

	for (const char *p = outer; *p != '\0'; p++)
		levels += *p == '/';
	collect_words(&t, outer);
	each_topic(&t, inner, topic, levels);
	return t;
}

static bool action_counts(const struct rule *r, enum acl_action action)
{
	static const char *const sets[] = {"PW", "W", "SR", "R", "PWSR"};

	return strchr(sets[r->action], "PWSR"[action]) != NULL;
}

/* A user's word first, then any of the roles that says filter, then the listener, then the file. */
static bool grants_parts(const struct policy *p, const struct question *q)
{
	int own = q->asker->anonymous ? 1 : strcmp(q->asker->user, "anna") == 0 ? 0 : -1;
	unsigned roles = q->asker->given | (own < 0 ? 0 : p->roles_of[own]);

	if (own >= 0 && p->users[own].partial != ACL_PARTIAL_UNSAID)
		return p->users[own].partial == ACL_PARTIAL_FILTER;
	for (unsigned i = 0; i < ROLES; i++) {
		if ((roles >> i & 1) != 0 && p->roles[i].partial == ACL_PARTIAL_FILTER)
			return true;
	}
	return q->listener == ACL_PARTIAL_UNSAID ? p->partial : q->listener == ACL_PARTIAL_FILTER;
}

static bool filter_counts(const struct policy *p, const struct rule *r, const char *filter,
                          const struct question *q)
{
	bool parts = !r->deny && grants_parts(p, q);
	char expanded[TEXT_MAX];
	struct topics t;

	if (!expand_filter(filter, q->asker, r->deny, expanded))
		return false;
	if (q->action != ACL_SUBSCRIBE) {
		if (q->action != ACL_RECEIVE && q->topic[0] == '$' && !r->deny &&
		    !(strncmp(q->topic, "$SYS", 4) == 0 &&
		      strncmp(filter, "$SYS/broker/connection/", 23) == 0) &&
		    !(strncmp(q->topic, "$CONTROL", 8) == 0 &&
		      strncmp(filter, "$CONTROL/vakt/", 14) == 0))
			return false;
		return matches(expanded, q->topic);
	}
	t = try_topics(expanded, q->topic, parts);
	return t.all || (parts && t.some);
}

static bool payload_counts(const struct rule *r, const struct question *q)
{
	char list[TEXT_MAX];
	char *rest = list;
	char *one;

	snprintf(list, sizeof(list), "%s", r->payload);
	while ((one = strsep(&rest, ",")) != NULL) {
		char want[TEXT_MAX] = "";
		size_t len = strlen(one);
		bool open = one[len - 1] == '*';

		one[open ? len - 1 : len] = '\0';
		if (!expand(one, q->asker->user, q->asker->client, r->deny, want))
			continue;
		if (open)
			snprintf(want + strlen(want), sizeof(want) - strlen(want), "\1");
		if (level_matches(want, want + strlen(want), q->payload,
		                  q->payload + strlen(q->payload)))
			return true;
	}
	return false;
}

static bool conditions_hold(const struct rule *r, const struct question *q)
{
	bool empty = q->payload[0] == '\0';

	return (r->retain != 1 || !q->retain) && (r->retain != 2 || q->retain) &&
	       (r->retain != 3 || (q->retain && empty)) && (r->qos == 3 || q->qos <= r->qos) &&
	       (!r->own || !q->owned) && (r->max == 0 || strlen(q->payload) <= r->max) &&
	       (r->payload == NULL || payload_counts(r, q));
}

static const struct rule *first_match(const struct policy *p, const struct list *l,
                                      const struct question *q)
{
	for (unsigned i = 0; i < l->count; i++) {
		const struct rule *r = &l->rules[i];

		if (!action_counts(r, q->action) || !conditions_hold(r, q))
			continue;
		for (unsigned f = 0; f < r->filter_count; f++) {
			if (filter_counts(p, r, r->filters[f], q))
				return r;
		}
	}
	return NULL;
}

struct answer {
	bool allowed, by_own;
	enum acl_cause cause;
	unsigned line;
};

static struct answer answer_of(const struct rule *r)
{
	return (struct answer){!r->deny, !r->deny && r->own, ACL_CAUSE_RULE, r->line};
}

static bool guarded(const struct policy *p, const char *topic)
{
	return p->custom_guard ? matches("a/\1/#", topic) || matches("%", topic)
	                       : matches("desired/#", topic) || matches("\1/desired/#", topic);
}

static struct answer check(const struct policy *p, const struct question *q)
{
	bool writes = q->action == ACL_PUBLISH || q->action == ACL_WILL;
	bool dollar = writes && q->topic[0] == '$';
	int own = q->asker->anonymous ? 1 : strcmp(q->asker->user, "anna") == 0 ? 0 : -1;
	const struct rule *denied = NULL;
	const struct rule *r;
	unsigned order[2] = {q->asker->given, own < 0 ? 0 : p->roles_of[own]};

	bool control = strncmp(q->topic, "$CONTROL/vakt/", 14) == 0;

	if (dollar && strncmp(q->topic, "$SYS/broker/connection/", 23) != 0 &&
	    !(control && q->action == ACL_PUBLISH))
		return (struct answer){.cause = ACL_CAUSE_GUARD_SYSTEM};
	if (dollar && control && q->asker->anonymous)
		return (struct answer){.cause = ACL_CAUSE_GUARD_LOGIN};
	if (writes && q->asker->anonymous && guarded(p, q->topic))
		return (struct answer){.cause = ACL_CAUSE_GUARD_DESIRED};
	if (own >= 0 && (r = first_match(p, &p->users[own], q)) != NULL)
		return answer_of(r);
	for (unsigned i = 0; i < 2 * ROLES; i++) { /* those of the password file first */
		if ((order[i / ROLES] >> (i % ROLES) & 1) == 0)
			continue;
		r = first_match(p, &p->roles[i % ROLES], q);
		if (r != NULL && !r->deny)
			return answer_of(r);
		if (denied == NULL)
			denied = r;
	}
	if (denied != NULL)
		return answer_of(denied);
	return (struct answer){.cause = !dollar   ? ACL_CAUSE_NO_RULE
	                                : control ? ACL_CAUSE_GUARD_CONTROL
	                                          : ACL_CAUSE_GUARD_BRIDGE};
}

static struct answer ask(const struct acl *acl, const struct question *q)
{
	static char names[ROLES][4] = {"r0", "r1", "r2"};
	char *roles[ROLES];
	struct acl_who who = {
	    .anonymous = q->asker->anonymous,
	    .user = slice_of_str(q->asker->user),
	    .client_id = slice_of_str(q->asker->client),
	    .roles = roles,
	};
	struct acl_request request = {
	    .action = q->action,
	    .topic = slice_of_str(q->topic),
	    .retain = q->retain,
	    .qos = (uint8_t)q->qos,
	    .payload = slice_of_str(q->payload),
	    .owner = q->owned ? ACL_OWNER_OTHER : ACL_OWNER_NOBODY_ELSE,
	    .partial = q->listener,
	};
	struct acl_subject *subject;
	struct acl_verdict verdict;
	struct answer answer;
	char text[TEXT_MAX];

	for (unsigned i = 0; i < ROLES; i++) {
		if ((q->asker->given >> i & 1) != 0)
			roles[who.role_count++] = names[i];
	}
	subject = acl_subject_new(acl, &who);
	verdict = acl_check(subject, &request);
	acl_subject_free(subject);
	answer = (struct answer){verdict.allowed, verdict.by_own, verdict.cause, 0};
	acl_verdict_text(acl, &verdict, text, sizeof(text));
	if (verdict.cause == ACL_CAUSE_RULE)
		answer.line = (unsigned)strtoul(text + strlen("p:"), NULL, 10);
	return answer;
}

static struct acl *parse(const char *text, bool partial)
{
	struct errors errors = {0};
	struct acl *acl = acl_parse(
	    "p", slice_of_str(text),
	    partial ? PARTIAL_SUBSCRIPTIONS_FILTER : PARTIAL_SUBSCRIPTIONS_REFUSE, &errors);

	if (acl == NULL) {
		char *said = errors_text(&errors);

		fprintf(stderr, "%s\n%s", text, said);
		free(said);
	}
	errors_fini(&errors);
	REQUIRE(acl != NULL);
	return acl;
}

static char *describe(const char *what, const char *text, const struct question *q,
                      struct answer want, struct answer got)
{
	return xasprintf("%s: user %s client '%s' action %d topic '%s' retain %d owned %d qos %u "
	                 "payload '%s': want %d/%d/%d line %u, got %d/%d/%d line %u in\n%s",
	                 what, q->asker->user == NULL ? "-" : q->asker->user, q->asker->client,
	                 (int)q->action, q->topic, q->retain, q->owned, q->qos, q->payload,
	                 want.allowed, want.by_own, (int)want.cause, want.line, got.allowed,
	                 got.by_own, (int)got.cause, got.line, text);
}

static bool same(struct answer a, struct answer b)
{
	return a.allowed == b.allowed && a.by_own == b.by_own && a.cause == b.cause &&
	       a.line == b.line;
}

/* A deny rule at some place of some list. */
static void add_deny(struct source *s, struct policy *p)
{
	unsigned which = draw(s, ROLES + 2);
	struct list *l = which < ROLES ? &p->roles[which] : &p->users[which - ROLES];
	unsigned at = draw(s, l->count + 1);

	memmove(&l->rules[at + 1], &l->rules[at], (l->count - at) * sizeof(l->rules[0]));
	l->count++;
	do {
		draw_rule(s, &l->rules[at]);
	} while (!l->rules[at].deny && s->at != s->end);
	if (!l->rules[at].deny) { /* the bytes are used up */
		l->rules[at] =
		    (struct rule){.deny = true, .action = 4, .qos = 3, .filter_count = 1};
		snprintf(l->rules[at].filters[0], TEXT_MAX, "a/#");
	}
}

static char *compare_one(const struct policy *p, const struct acl *acl, const struct acl *denier,
                         const char *text, const char *denier_text, const struct question *q)
{
	struct answer want = check(p, q);
	struct answer got = ask(acl, q);
	struct answer denied = ask(denier, q);

	if (!same(want, got))
		return describe("they differ", text, q, want, got);
	if (denied.allowed && !got.allowed)
		return describe("a deny more, and it is granted", denier_text, q, got, denied);
	return NULL;
}

char *reference_compare(const uint8_t *data, size_t size)
{
	struct source s = {data, data == NULL ? NULL : data + size};
	struct policy *p = xnew(p);
	struct policy *stricter = xnew(stricter);
	char *difference = NULL;
	struct acl *acl, *denier;
	char *text, *denier_text;

	draw_policy(&s, p);
	*stricter = *p;
	add_deny(&s, stricter);
	text = print_policy(p);
	denier_text = print_policy(stricter);
	acl = parse(text, p->partial);
	denier = parse(denier_text, p->partial);
	for (unsigned i = 0; i < REQUESTS && difference == NULL && s.at != s.end; i++) {
		struct question q = {0};

		draw_question(&s, &q);
		difference = compare_one(p, acl, denier, text, denier_text, &q);
	}
	acl_free(acl);
	acl_free(denier);
	free(text);
	free(denier_text);
	free(stricter);
	free(p);
	return difference;
}
