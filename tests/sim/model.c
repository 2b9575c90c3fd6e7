/* See model.h: time, policy, filters, and the order of a quiet point. */
#include "model.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"

/* The exit status roughly distinguishes kinds of differences. */
static int exit_status_of(const char *kind)
{
	unsigned hash = 5381;

	for (; *kind != '\0'; kind++)
		hash = hash * 33 + (unsigned char)*kind;
	return (int)(16 + hash % 200);
}

void model_fail_as(const struct model *m, const char *kind, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "DIFFERENCE at %llu ms: ", (unsigned long long)model_now(m));
	va_start(args, format);
	/* It was, one line above. NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized) */
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	fflush(stderr);
	_Exit(exit_status_of(kind));
}

uint64_t model_now(const struct model *m)
{
	return m->world->now_ms;
}

void model_init(struct model *m, struct world *w, struct coverage *coverage)
{
	*m = (struct model){.world = w, .coverage = coverage, .tick = 1};
}

static void pub_free(struct pub *pub)
{
	struct copy *copy, *next;

	for (copy = pub->copies; copy != NULL; copy = next) {
		next = copy->next;
		free(copy);
	}
	free(pub->payload);
	free(pub->extras);
	free(pub);
}

static void actor_fini(struct actor *p)
{
	for (size_t i = 0; i < p->sub_count; i++)
		free(p->subs[i]);
	free(p->subs);
	free(p->owed);
	free(p->unsettled);
}

void model_fini(struct model *m)
{
	for (unsigned i = 0; i < m->actors_count; i++)
		actor_fini(&m->actors[i]);
	for (size_t i = 0; i < m->pub_count; i++)
		pub_free(m->pubs[i]);
	free(m->pubs);
	free(m->open);
	free(m->uncommitted);
	free(m->policies);
}

/* --- commits --- */

void model_commits(struct model *m, uint64_t asked, uint64_t asked_ms)
{
	if (asked <= m->committed)
		return;
	m->committed = asked;
	m->committed_ms = asked_ms;
}

bool model_is_written(const struct model *m, uint64_t at, uint64_t at_ms)
{
	return at_ms <= m->written_ms || at < m->committed;
}

/* --- policy --- */

void model_begin_policy(struct model *m, const struct rules *rules)
{
	m->policies = xrealloc_array(m->policies, m->policy_count + 1, sizeof(*m->policies));
	m->policies[m->policy_count++] = (struct policy_version){
	    .rules = *rules, .from = ++m->tick, .done = m->policy_count == 0 ? m->tick : NEVER};
}

void model_end_policy(struct model *m)
{
	m->policies[m->policy_count - 1].done = ++m->tick;
}

const struct rules *model_rules(const struct model *m)
{
	return &m->policies[m->policy_count - 1].rules;
}

/* The oldest rules that some worker may still have used at that tick. */
static unsigned oldest_since(const struct model *m, uint64_t since)
{
	unsigned i = m->policy_count - 1;

	while (i > 0 && m->policies[i].done > since)
		i--;
	return i;
}

static enum certainty both(bool any, bool all)
{
	return all ? YES : any ? UNKNOWN : NO;
}

enum certainty model_may(const struct model *m, uint64_t since, unsigned user, unsigned may,
                         const char *topic)
{
	bool any = false, all = true;

	for (unsigned i = oldest_since(m, since); i < m->policy_count; i++) {
		bool allowed = rules_allow(&m->policies[i].rules, user, may, topic);

		any |= allowed;
		all &= allowed;
	}
	return both(any, all);
}

enum certainty model_may_filter(const struct model *m, uint64_t since, unsigned user,
                                const char *filter)
{
	bool any = false, all = true;

	for (unsigned i = oldest_since(m, since); i < m->policy_count; i++) {
		bool allowed = rules_allow_filter(&m->policies[i].rules, user, filter);

		any |= allowed;
		all &= allowed;
	}
	return both(any, all);
}

static bool rules_allow_writer(const struct rules *rules, const struct pub *pub)
{
	unsigned user = pub->actor->user;

	if (user != USER_ANONYMOUS &&
	    (!rules_let_in(rules, user) || rules->entry[user] != rules->merged[user][pub->entry]))
		return false;
	return rules_allow(rules, user, MAY_PUBLISH, pub->topic) ||
	       rules_allow(rules, user, MAY_WILL, pub->topic);
}

/* What came after an entry that came back belongs to that one, unless that one had nothing any
 * more: then it was forgotten, and is a new one. */
static bool may_be_set_aside(const struct rules *rules, const struct pub *pub)
{
	return pub->actor->user != USER_ANONYMOUS &&
	       rules->merged[pub->actor->user][pub->entry] != pub->entry;
}

enum certainty model_writer_may(const struct model *m, uint64_t since, const struct pub *pub)
{
	bool any = false, all = true;

	for (unsigned i = oldest_since(m, since); i < m->policy_count; i++) {
		const struct rules *rules = &m->policies[i].rules;
		bool allowed = rules_allow_writer(rules, pub);

		any |= allowed;
		all &= allowed && !may_be_set_aside(rules, pub);
	}
	return both(any, all);
}

/* Section 4.7, level by level. */
bool filter_takes(const char *filter, const char *topic)
{
	size_t filter_len = strcspn(filter, "/"), topic_len = strcspn(topic, "/");

	if (strcmp(filter, "#") == 0)
		return true;
	if (strncmp(filter, "+", filter_len) != 0 &&
	    (filter_len != topic_len || strncmp(filter, topic, topic_len) != 0))
		return false;
	if (topic[topic_len] == '\0')
		return filter[filter_len] == '\0' || strcmp(filter + filter_len, "/#") == 0;
	return filter[filter_len] == '/' &&
	       filter_takes(filter + filter_len + 1, topic + topic_len + 1);
}

void model_quiet(struct model *m)
{
	m->tick++;
	m->coverage->quiets++;
	model_quiet_actors(m);
	model_quiet_publications(m);
	model_quiet_deliveries(m);
	m->last_quiet = m->tick++;
	m->last_quiet_ms = model_now(m);
}

void model_crash(struct model *m, uint64_t crashed_ms, bool in_order)
{
	m->tick++;
	m->crashed = m->tick;
	m->written_ms = in_order ? crashed_ms : crashed_ms - JOURNAL_INTERVAL_MS;
	if (in_order)
		COVER(m, STOPS);
	else
		COVER(m, CRASHES);
	model_crash_actors(m, crashed_ms);
	model_crash_publications(m);
	model_crash_deliveries(m, in_order);
	m->tick++;
	model_time(m);
}
