/* The one gate: guards, own rules, roles, deny.  Each list's tree is walked with the levels of the
 * topic, or of the filter that somebody subscribes to, found and hashed at most once; only filters
 * that need no more than overlap a rule go through the rules one by one.  No allocation, no lock;
 * any thread. */
#include "acl/acl_check.h"

#include <stdlib.h>

#include "acl/acl_policy.h"
#include "acl/condition.h"
#include "acl/rule_names.h"
#include "acl/rule_parse.h"
#include "base/alloc.h"
#include "base/require.h"
#include "base/scratch.h"

struct acl_subject {
	const struct acl *acl;
	bool anonymous;
	bool has_no_login;        /* anonymous, or assumed */
	bool reads_by_client;     /* %c in a rule for reading */
	enum acl_partial partial; /* the own word, or that of a role */
	struct rule_names names;  /* of bytes at the end of this object */
	const struct rule_list *own;
	size_t role_count;
	const struct rule_list *roles[];
};

static void subject_add_role(struct acl_subject *s, struct slice name)
{
	const struct rule_list *role = acl_find_role(s->acl, name);

	for (size_t i = 0; i < s->role_count; i++) {
		if (s->roles[i] == role)
			return;
	}
	if (role != NULL)
		s->roles[s->role_count++] = role;
}

static struct slice copy_text(char **space, struct slice s)
{
	struct slice copy = slice_of(*space, s.len);

	if (s.len > 0)
		memcpy(*space, s.data, s.len);
	*space += s.len;
	return copy;
}

struct acl_subject *acl_subject_new(const struct acl *acl, const struct acl_who *who)
{
	const struct principal *principal =
	    who->anonymous ? &acl->anonymous : acl_find_user(acl, who->user);
	size_t given = who->anonymous ? 0 : who->role_count;
	size_t added = principal == NULL ? 0 : principal->role_count;
	size_t head = sizeof(struct acl_subject) + (given + added) * sizeof(struct rule_list *);
	struct acl_subject *s = xcalloc(1, head + who->user.len + who->client_id.len + 1);
	struct acl_who own = {.anonymous = who->anonymous};
	char *space = (char *)s + head;

	s->acl = acl;
	s->anonymous = who->anonymous;
	s->has_no_login = who->anonymous || who->assumed;
	s->own = principal == NULL ? NULL : &principal->rules;
	own.client_id = copy_text(&space, who->client_id);
	if (!who->anonymous)
		own.user = copy_text(&space, who->user);
	REQUIRE(space <= (char *)s + head + who->user.len + who->client_id.len);
	s->names = rule_names_of(&own);
	for (size_t i = 0; i < given; i++)
		subject_add_role(s, slice_of_str(who->roles[i]));
	for (size_t i = 0; i < added; i++)
		subject_add_role(s, slice_of_str(principal->roles[i].name));
	REQUIRE(s->role_count <= given + added);
	s->reads_by_client = s->own != NULL && s->own->read.by_client;
	s->partial = s->own == NULL ? ACL_PARTIAL_UNSAID : s->own->partial;
	for (size_t i = 0; i < s->role_count; i++) {
		s->reads_by_client |= s->roles[i]->read.by_client;
		if (s->partial == ACL_PARTIAL_UNSAID)
			s->partial = s->roles[i]->partial;
	}
	return s;
}

bool acl_reads_alike(const struct acl_subject *a, const struct acl_subject *b)
{
	if (a == b)
		return true;
	return a->acl == b->acl && !a->reads_by_client && a->own == b->own &&
	       a->role_count == b->role_count &&
	       memcmp(a->roles, b->roles, a->role_count * sizeof(struct rule_list *)) == 0 &&
	       a->anonymous == b->anonymous &&
	       slice_equal(a->names.in_conditions.user, b->names.in_conditions.user);
}

void acl_subject_free(struct acl_subject *subject)
{
	free(subject);
}

/* Filled as far as a tree asks; each level found and looked up once for all trees. */
struct topic_level {
	struct slice text; /* data NULL: the topic has no more */
	uint32_t id;
};

struct acl_query {
	const struct acl_subject *subject;
	const struct acl_request *request;
	struct level_reader reader; /* at NULL: all levels are found */
	struct topic_level *levels;
	struct topic_level *unread; /* the next one */
	uint8_t action;             /* its bit */
	bool dollar;                /* the topic begins with '$' */
	enum system_place place;    /* only rules that name it allow */
	/* The walk through one tree. */
	uint32_t best; /* the first rule that fits so far */
	const struct trie *trie;
	const struct acl_rule *rules;
};

static void read_level(struct acl_query *q)
{
	struct topic_level *level = q->unread++;
	struct hashed_level found UNINITIALIZED;

	if (q->reader.at == NULL) {
		level->text.data = NULL;
		return;
	}
	level_read(&q->reader, &found);
	level->text = found.text;
	level->id = level_dictionary_find(&q->subject->acl->levels, &found);
	q->reader.at = q->reader.at == q->reader.end ? NULL : q->reader.at + 1; /* the '/' */
}

static void search_refs(struct acl_query *q, uint32_t ref)
{
	while (ref != 0) {
		const struct trie_ref *r = &q->trie->refs[ref - 1];

		if (r->rule >= q->best)
			return;
		if ((r->actions & q->action) != 0 &&
		    (q->place == PLACE_NONE || r->deny || r->place == q->place) &&
		    (!r->conditional || condition_hold(&q->rules[r->rule], q->request,
		                                       &q->subject->names.in_conditions))) {
			q->best = r->rule;
			return;
		}
		ref = r->next;
	}
}

static void search_node(struct acl_query *q, const struct trie_node *node,
                        struct topic_level *level, bool wild);

/* Below a `+` or `#` of the asked filter only what stands for every level covers it; and `+/#`
 * covers `#` where no topic ends: at the start, or after an empty first level. */
static void search_below_wildcard(struct acl_query *q, uint32_t child, struct topic_level *level)
{
	const struct trie_node *node = &q->trie->nodes[child];
	const uint8_t *start = q->request->topic.data;

	if (level->text.data[0] == '+')
		search_node(q, node, level + 1, true);
	else if (level->text.data == start || (level->text.data == start + 1 && start[0] == '/'))
		search_refs(q, node->hash);
}

static void search_wildcard(struct acl_query *q, const struct trie_node *node,
                            struct topic_level *level)
{
	for (uint32_t i = node->patterns; i != 0; i = q->trie->patterns[i - 1].next) {
		const struct trie_pattern *p = &q->trie->patterns[i - 1];

		if (p->deny && pattern_is_hole(&p->level->pattern, &q->subject->names.in_filters))
			search_below_wildcard(q, p->child, level);
	}
	if (node->plus != 0)
		search_below_wildcard(q, node->plus, level);
}

static bool is_wildcard(struct slice level)
{
	return level.len == 1 && (level.data[0] == '+' || level.data[0] == '#');
}

/* Of the nodes that a level leads to one is left to the caller: mostly it is the only one. */
static uint32_t search_also(struct acl_query *q, uint32_t child, uint32_t other,
                            struct topic_level *level)
{
	/* mutant: rule_of_another_branch */
	if (child != 0)
		search_node(q, &q->trie->nodes[child], level + 1, true);
	return other;
}

static uint32_t search_patterns(struct acl_query *q, uint32_t first, uint32_t child,
                                struct topic_level *level)
{
	bool is_first = level->text.data == q->request->topic.data;

	for (uint32_t i = first; i != 0; i = q->trie->patterns[i - 1].next) {
		const struct trie_pattern *p = &q->trie->patterns[i - 1];

		if (pattern_matches(&p->level->pattern, &q->subject->names.in_filters, level->text,
		                    (p->deny ? PATTERN_HOLES : 0) | (is_first ? PATTERN_FIRST : 0)))
			child = search_also(q, child, p->child, level);
	}
	return child;
}

/* From this node on, with the levels from this one. Not `wild`: a wildcard here does not match
 * [MQTT-4.7.2-1]. Recursion ends at RULE_LEVELS_MAX, and each node is seen at most once. */
static void search_node(struct acl_query *q, const struct trie_node *node,
                        struct topic_level *level, bool wild)
{
	const struct trie *trie = q->trie;

	for (;; level++, wild = true) {
		uint32_t child = 0;

		if (node->least >= q->best)
			return;
		if (node->hash != 0 && wild) {
			search_refs(q, node->hash);
			if (node->least >= q->best) /* nothing below comes before what fits */
				return;
		}
		if (level == q->unread)
			read_level(q);
		if (level->text.data == NULL) {
			search_refs(q, node->here);
			return;
		}
		if (is_wildcard(level->text)) { /* only of filters: topic names have none */
			search_wildcard(q, node, level);
			return;
		}
		if (level->id != 0)
			child = trie_child(trie, node, level->id);
		if (node->patterns != 0)
			child = search_patterns(q, node->patterns, child, level);
		if (node->plus != 0 && /* mutant: plus_covers_dollar */ wild)
			child = search_also(q, child, node->plus, level);
		if (child == 0)
			return;
		node = &trie->nodes[child];
	}
}

/* The first rule of the list that fits the topic or covers the filter, NULL where none does. */
static const struct acl_rule *decide(const struct rule_list *list, struct acl_query *q)
{
	if (list->count == 0)
		return NULL;
	q->trie = (q->action & ACTIONS_WRITE) != 0 ? &list->write : &list->read;
	q->rules = list->rules;
	q->best = UINT32_MAX;
	search_node(q, q->trie->nodes, q->levels, !q->dollar);
	return q->best == UINT32_MAX ? NULL : &list->rules[q->best];
}

static bool rule_overlaps(const struct acl_rule *rule, const struct acl_query *q)
{
	for (size_t f = 0; f < rule->filter_count; f++) {
		if (rule_filter_overlaps(&rule->filters[f], q->request->topic,
		                         &q->subject->names.in_filters))
			return true;
	}
	return false;
}

/* With partial subscriptions an allow that comes before and overlaps decides too. */
static const struct acl_rule *decide_partial(const struct rule_list *list, struct acl_query *q)
{
	const struct acl_rule *covering = decide(list, q);
	const struct acl_rule *end = covering == NULL ? list->rules + list->count : covering;

	for (const struct acl_rule *rule = list->rules; rule != end; rule++) {
		if (!rule->deny && (rule->actions & q->action) != 0 && rule_overlaps(rule, q))
			return rule;
	}
	return covering;
}

typedef const struct acl_rule *decide_fn(const struct rule_list *list, struct acl_query *q);

static struct acl_verdict verdict_of(const struct acl_rule *rule, enum acl_cause otherwise)
{
	if (rule == NULL)
		return (struct acl_verdict){.cause = otherwise};
	return (struct acl_verdict){
	    .allowed = !rule->deny,
	    .by_own = !rule->deny && rule->own,
	    .cause = ACL_CAUSE_RULE,
	    .rule = rule,
	};
}

/* Own rules: the first match. Then each role by itself: one that allows is enough. */
static struct acl_verdict in_order(struct acl_query *q, decide_fn *first)
{
	static const enum acl_cause otherwise[] = {[PLACE_NONE] = ACL_CAUSE_NO_RULE,
	                                           [PLACE_BRIDGE] = ACL_CAUSE_GUARD_BRIDGE,
	                                           [PLACE_CONTROL] = ACL_CAUSE_GUARD_CONTROL};
	const struct acl_subject *s = q->subject;
	const struct acl_rule *rule = s->own == NULL ? NULL : first(s->own, q);
	const struct acl_rule *denied = NULL;

	if (rule != NULL)
		return verdict_of(rule, ACL_CAUSE_RULE);
	for (size_t i = 0; i < s->role_count; i++) {
		rule = first(s->roles[i], q);
		if (rule != NULL && !rule->deny)
			return verdict_of(rule, ACL_CAUSE_RULE);
		if (denied == NULL)
			denied = rule;
	}
	return verdict_of(denied, otherwise[q->place]);
}

static bool is_dollar(struct slice topic)
{
	return topic.len > 0 && topic.data[0] == '$';
}

bool acl_grants_parts(const struct acl_subject *subject, const struct acl_request *request,
                      enum acl_partial_by *by)
{
	bool own = subject->own != NULL && subject->own->partial != ACL_PARTIAL_UNSAID;

	/* mutant: partial_user_before_listener */
	if (subject->partial != ACL_PARTIAL_UNSAID) {
		if (by != NULL)
			*by = own ? ACL_PARTIAL_BY_OWN : ACL_PARTIAL_BY_ROLE;
		return subject->partial == ACL_PARTIAL_FILTER;
	}
	if (request->partial != ACL_PARTIAL_UNSAID) {
		if (by != NULL)
			*by = ACL_PARTIAL_BY_LISTENER;
		return request->partial == ACL_PARTIAL_FILTER;
	}
	if (by != NULL)
		*by = ACL_PARTIAL_BY_CONF;
	return subject->acl->partial;
}

static struct acl_query query_of(const struct acl_subject *subject,
                                 const struct acl_request *request, struct topic_level *levels)
{
	return (struct acl_query){
	    .subject = subject,
	    .request = request,
	    .action = ACTION_BIT(request->action),
	    .dollar = is_dollar(request->topic),
	    .reader = level_reader_of(request->topic),
	    .levels = levels,
	    .unread = levels,
	};
}

struct acl_verdict acl_check_subscribe(const struct acl_subject *subject,
                                       const struct acl_request *request, bool parts)
{
	struct topic_level levels[RULE_LEVELS_MAX + 1] UNINITIALIZED;
	struct acl_query q = query_of(subject, request, levels);

	REQUIRE(request->action == ACL_SUBSCRIBE);
	return in_order(&q, parts ? decide_partial : decide);
}

struct acl_verdict acl_check(const struct acl_subject *subject, const struct acl_request *request)
{
	struct topic_level levels[RULE_LEVELS_MAX + 1] UNINITIALIZED;
	struct acl_query q = query_of(subject, request, levels);
	bool writes = (q.action & ACTIONS_WRITE) != 0;
	const struct acl_rule *guard;

	if (request->action == ACL_SUBSCRIBE)
		return in_order(&q,
		                acl_grants_parts(subject, request, NULL) ? decide_partial : decide);
	if (writes && q.dollar) {
		q.place = system_place_of(request->topic);
		/* mutant: will_to_a_control_topic */
		if (q.place == PLACE_NONE ||
		    (q.place == PLACE_CONTROL && request->action == ACL_WILL))
			return (struct acl_verdict){.cause = ACL_CAUSE_GUARD_SYSTEM};
		/* mutant: anonymous_controls */
		if (q.place == PLACE_CONTROL && subject->has_no_login)
			return (struct acl_verdict){.cause = ACL_CAUSE_GUARD_LOGIN};
	}
	/* mutant: assumed_users_are_guarded */
	if (writes && subject->has_no_login && (guard = decide(&subject->acl->guard, &q)) != NULL)
		return (struct acl_verdict){
		    .cause = ACL_CAUSE_GUARD_DESIRED,
		    .desired = (uint32_t)(guard - subject->acl->guard.rules),
		};
	return in_order(&q, decide);
}

void acl_ask_each(const struct acl_subject *subject, const struct acl_request *request,
                  acl_answer_fn *report, void *arg)
{
	struct topic_level levels[RULE_LEVELS_MAX + 1];
	struct acl_query q = query_of(subject, request, levels);
	bool partial = request->action == ACL_SUBSCRIBE && acl_grants_parts(subject, request, NULL);
	decide_fn *first = partial ? decide_partial : decide;

	if (q.dollar && (q.action & ACTIONS_READ) == 0)
		q.place =
		    system_place_of(request->topic) == PLACE_CONTROL ? PLACE_CONTROL : PLACE_BRIDGE;
	if (subject->own != NULL)
		report(arg, subject->own, first(subject->own, &q));
	for (size_t i = 0; i < subject->role_count; i++)
		report(arg, subject->roles[i], first(subject->roles[i], &q));
}
