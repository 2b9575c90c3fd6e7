/* Prints what was decided and by which rule, which lists of rules were asked, what nearly matched,
 * and what to write to allow it. */
#include "acl_explain.h"

#include <stdio.h>
#include <stdlib.h>

#include "acl/acl_explanation.h"
#include "acl/acl_rule.h"
#include "acl/acl_suggest.h"
#include "acl/acl_verdict.h"
#include "acl/rule_filter.h"
#include "base/alloc.h"

struct talk {
	const struct context *context;
	const struct question *q;
	const struct acl_explanation *explanation;
	struct acl_who who;
	const char *name; /* of who asks */
	char *no_login;   /* why nobody gets as far as the rules, or NULL */
	char *directory;  /* of the ACL file, before the names of rules */
};

static bool allowed(const struct talk *t)
{
	return t->explanation->verdict.allowed && t->no_login == NULL;
}

static void print_in_part(const struct talk *t)
{
	static const char *const words[] = {
	    [ACL_PARTIAL_BY_OWN] = "of its own",
	    [ACL_PARTIAL_BY_ROLE] = "of a role",
	    [ACL_PARTIAL_BY_LISTENER] = "of the listener",
	    [ACL_PARTIAL_BY_CONF] = "in broker.yaml",
	};

	printf("      in part: messages that %s may not receive are left out "
	       "(partial_subscriptions: filter, %s)\n",
	       t->name, words[t->explanation->partial_by]);
}

static void print_verdict(const struct talk *t)
{
	const struct acl_verdict *v = &t->explanation->verdict;
	char why[1024];

	printf("%s: %s %s %s %s\n", allowed(t) ? "allow" : "deny", t->name,
	       allowed(t) ? "may" : "may not", acl_action_name(t->q->request.action), t->q->topic);
	acl_verdict_text(t->context->acl, v, why, sizeof(why));
	if (t->no_login != NULL)
		printf("login: %s\n       the rules alone would say: %s\n", t->no_login,
		       v->allowed ? "allow" : "deny");
	printf("rule: %s%s\n", v->cause == ACL_CAUSE_RULE ? t->directory : "", why);
	if (v->cause == ACL_CAUSE_RULE) {
		char *filled = acl_rule_filled(v->rule, &t->who);

		if (filled != NULL)
			printf("      that is: %s\n", filled);
		free(filled);
	}
	if (t->explanation->in_part)
		print_in_part(t);
}

/* ---- who was asked ---- */

static void print_guards(const struct talk *t)
{
	switch (t->explanation->verdict.cause) {
	case ACL_CAUSE_GUARD_DESIRED:
	case ACL_CAUSE_GUARD_BRIDGE:
		puts("  the guards: only rules that name " BRIDGE_PREFIX " count");
		return;
	case ACL_CAUSE_GUARD_CONTROL:
		puts("  the guards: only rules whose filter begins with " CONTROL_PREFIX " count");
		return;
	case ACL_CAUSE_GUARD_LOGIN:
	case ACL_CAUSE_GUARD_SYSTEM:
		puts("  the guards: deny; they come before all rules");
		return;
	case ACL_CAUSE_RULE:
	case ACL_CAUSE_NO_RULE:
		break;
	}
	puts("  the guards: none applies");
}

/* "role actor (users.passwd:3, acl.yaml:14)" */
static void print_whose(const struct talk *t, const struct acl_answer *a)
{
	const struct identity_source *identities = t->context->identities;
	struct identity_entry user;

	if (a->role == NULL) {
		printf("  the own rules of %s", t->name);
		return;
	}
	printf("  role %s (", a->role);
	if (a->from_source && identity_source_find(identities, t->who.user, &user))
		printf("%s:%u%s", identity_source_path(identities), user.line,
		       a->line != 0 ? ", " : "");
	if (a->line != 0)
		printf("%s:%u", context_acl_name(t->context), a->line);
	putchar(')');
}

static void print_answer(const struct talk *t, const struct acl_answer *a)
{
	print_whose(t, a);
	if (!a->defined) {
		printf(": gives nothing, %s does not define it\n", context_acl_name(t->context));
	} else if (a->rule != NULL) {
		char *text = acl_rule_text(t->context->acl, a->rule);

		printf(": %s, %s%s\n", acl_rule_denies(a->rule) ? "deny" : "allow", t->directory,
		       text);
		free(text);
	} else {
		puts(a->rule_count == 0 ? ": there are none" : ": none matches");
	}
}

static void print_asked(const struct talk *t)
{
	puts("asked, in this order:");
	print_guards(t);
	for (size_t i = 0; i < t->explanation->count; i++)
		print_answer(t, &t->explanation->answers[i]);
	if (t->explanation->count == 1)
		printf("  %s has no roles\n", t->name);
}

/* Whoever wrote a deny into a role may think that it holds. */
static void print_void_denies(const struct talk *t)
{
	bool by_role = t->explanation->answers[0].rule == NULL;

	for (size_t i = 1; by_role && i < t->explanation->count; i++) {
		const struct acl_answer *a = &t->explanation->answers[i];

		/* mutant: explain_void_deny */
		if (a->rule == NULL || !acl_rule_denies(a->rule))
			continue;
		printf("note: role %s denies it, and one role that allows is enough: a deny that "
		       "must hold\n      belongs into %s rules, which come first\n",
		       a->role, t->q->anonymous ? "the" : "the user's own");
	}
}

static void print_near_misses(const struct talk *t, const struct acl_answer *a)
{
	for (size_t i = 0; i < a->near_miss_count; i++) {
		char *text = acl_rule_text(t->context->acl, a->near_misses[i].rule);

		printf("nearly: %s%s\n        would allow it, but %s\n", t->directory, text,
		       a->near_misses[i].why);
		free(text);
	}
}

/* ---- what would have to change ---- */

static void print_own_rule(const struct talk *t, const char *rule, const struct acl_answer *own)
{
	char *quoted = acl_suggest_yaml(rule, own->rule_count == 0);
	char *name = acl_suggest_yaml(t->name, true);

	if (own->rule != NULL)
		printf("to allow it, add to the rules of %s, above line %u of %s:\n    - %s\n",
		       t->name, acl_rule_line(own->rule), context_acl_name(t->context), quoted);
	else if (own->rule_count > 0)
		printf("to allow it, add to the rules of %s in %s:\n    - %s\n", t->name,
		       context_acl_name(t->context), quoted);
	else if (t->q->anonymous)
		printf("to allow it, write into %s:\n    anonymous:\n      rules: [%s]\n",
		       context_acl_name(t->context), quoted);
	else
		printf("to allow it, write into %s:\n    users:\n      %s:\n        rules: [%s]\n",
		       context_acl_name(t->context), name, quoted);
	free(name);
	free(quoted);
}

/* The role to be changed: one that is silent rather than one that denies. */
static const struct acl_answer *role_to_change(const struct acl_explanation *explanation)
{
	const struct acl_answer *found = NULL;

	for (size_t i = 1; i < explanation->count; i++) {
		const struct acl_answer *a = &explanation->answers[i];

		if (a->defined && (found == NULL || (found->rule != NULL && a->rule == NULL)))
			found = a;
	}
	return found;
}

static void print_role_rule(const struct talk *t, const char *rule, const struct acl_answer *role)
{
	char *quoted = acl_suggest_yaml(rule, false);

	printf("to allow it, add to role '%s'", role->role);
	if (role->rule != NULL)
		printf(", above line %u", acl_rule_line(role->rule));
	printf(" of %s:\n    - %s\n", context_acl_name(t->context), quoted);
	printf("  (all who have the role may do it then; for %s alone, put it into %s rules)\n",
	       t->name, t->q->anonymous ? "the" : "the user's own");
	free(quoted);
}

/* What the client sees of `#`, if it is not to see everything. */
static void print_partial(const struct talk *t)
{
	char *name = acl_suggest_yaml(t->name, true);

	if (t->q->anonymous)
		printf("to grant it, and deliver only what may be received, write into %s:\n"
		       "    anonymous:\n      partial_subscriptions: filter\n",
		       context_acl_name(t->context));
	else
		printf("to grant it, and deliver only what may be received, write into %s:\n"
		       "    users:\n      %s:\n        partial_subscriptions: filter\n",
		       context_acl_name(t->context), name);
	if (t->explanation->partial_by == ACL_PARTIAL_BY_OWN)
		puts("  (in place of refuse)");
	else
		puts("  (the same can be said in a role, in a listener or for all, under "
		     "authorization:)");
	free(name);
}

static void print_change(const struct talk *t)
{
	const struct acl_answer *own = &t->explanation->answers[0];
	const struct acl_answer *role = own->rule == NULL ? role_to_change(t->explanation) : NULL;
	char *rule = acl_suggest_rule(&t->q->request, &t->who);

	if (t->explanation->would_be_in_part)
		print_partial(t);
	if (rule == NULL)
		puts("no rule can allow it: the topic has a line break in it");
	else if (role != NULL)
		print_role_rule(t, rule, role);
	else
		print_own_rule(t, rule, own);
	free(rule);
}

/* By which listeners the answer is another one. */
static void print_listeners(const struct talk *t)
{
	const struct conf *conf = t->context->conf;
	enum acl_partial_by by = t->explanation->partial_by;

	if (!t->explanation->in_part && !t->explanation->would_be_in_part)
		return;
	for (size_t i = 0; by == ACL_PARTIAL_BY_CONF && i < conf->listener_count; i++) {
		const struct conf_listener *l = &conf->listeners[i];

		if (l->authorization.partial_subscriptions !=
		    conf->authorization.partial_subscriptions)
			printf("note: at the listener %s it is %s, by its partial_subscriptions\n",
			       l->bind, t->explanation->in_part ? "denied" : "granted in part");
	}
}

static void print_remedy(const struct talk *t)
{
	switch (t->explanation->verdict.cause) {
	case ACL_CAUSE_GUARD_DESIRED:
		printf("no rule can allow it: give the client a user name; or, if this topic is no "
		       "command, take it out of desired_topics in %s\n",
		       context_acl_name(t->context));
		return;
	case ACL_CAUSE_GUARD_SYSTEM:
		puts("no rule can allow it: topics that begin with $ are the broker's own (a "
		     "bridge announces itself below " BRIDGE_PREFIX ", where a rule must name "
		     "that)");
		return;
	case ACL_CAUSE_GUARD_LOGIN:
		puts("no rule can allow it: whoever controls the broker logs in as a user");
		return;
	case ACL_CAUSE_GUARD_BRIDGE:
	case ACL_CAUSE_GUARD_CONTROL:
	case ACL_CAUSE_RULE:
	case ACL_CAUSE_NO_RULE:
		break;
	}
	for (size_t i = 0; i < t->explanation->count; i++)
		print_near_misses(t, &t->explanation->answers[i]);
	print_change(t);
}

/* Where this user comes in without a password. */
static void print_entrances(const struct talk *t)
{
	const struct conf *conf = t->context->conf;

	for (size_t i = 0; i < conf->listener_count; i++) {
		const struct conf_listener *l = &conf->listeners[i];

		if (l->assume_user != NULL && strcmp(l->assume_user, t->q->user) == 0)
			printf("note: clients of %s without login are '%s' (assume_user)\n",
			       l->bind, t->q->user);
		for (size_t k = 0; k < l->peer_users.count; k++) {
			const struct conf_peer_user *peer = &l->peer_users.items[k];

			if (strcmp(peer->user, t->q->user) == 0)
				printf("note: %s %u is '%s' at %s (peer_users)\n",
				       peer->peer.kind == CONF_PEER_UID ? "user id" : "group id",
				       peer->peer.id, t->q->user, l->bind);
		}
	}
}

int explain(const struct context *h, const struct question *q)
{
	struct talk t = {
	    .context = h,
	    .q = q,
	    .who = {.anonymous = q->anonymous,
	            .user = slice_of_str(q->user),
	            .client_id = slice_of_str(q->client_id)},
	    .name = q->anonymous ? "anonymous" : q->user,
	    .no_login = context_why_no_login(h, q->anonymous, q->user),
	    .directory = context_acl_directory(h),
	};
	struct acl_explanation *explanation;
	struct identity_entry user;
	int status;

	/* Of a locked user too: what the rules would say is shown beside the refused login. */
	if (!q->anonymous && identity_source_find(h->identities, t.who.user, &user)) {
		t.who.roles = user.roles;
		t.who.role_count = user.role_count;
		t.who.assumed = user.assumed;
	}
	explanation = acl_explanation_new(h->acl, &t.who, &q->request);
	t.explanation = explanation;
	print_verdict(&t);
	print_asked(&t);
	if (explanation->verdict.allowed)
		print_void_denies(&t);
	else
		print_remedy(&t);
	print_listeners(&t);
	if (explanation->lacks_client_id)
		puts("note: there are rules with %c, and no client id was given (--client-id)");
	if (!identity_source_exists(h->identities) && !q->anonymous)
		printf("note: there is no %s; the roles are those of %s alone\n",
		       identity_source_keys(), context_acl_name(h));
	if (!q->anonymous)
		print_entrances(&t);
	status = allowed(&t) ? 0 : EXIT_DENIED;
	acl_explanation_free(explanation);
	free(t.no_login);
	free(t.directory);
	return status;
}
