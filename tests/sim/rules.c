/* See rules.h. */
#include "rules.h"

#include <stdio.h>
#include <string.h>

#include "chance.h"
#include "scram_peer.h"

const char *const user_names[USERS] = {"anna", "bert", "carl", "dora", "anonymous"};
const char *const root_names[ROOTS] = {"a", "b", "r", "s", "desired"};

static void make_entry(struct rules *rules, unsigned user)
{
	if (rules->newest[user] + 1 == ENTRIES_MAX)
		return;
	rules->entry[user] = ++rules->newest[user];
	rules->merged[user][rules->entry[user]] = rules->entry[user];
}

/* One of those that may: what came after it is merged into it. */
static void bring_back(struct rules *rules, uint64_t *chance, unsigned user)
{
	unsigned oldest = rules->oldest[user];
	uint8_t back =
	    rules->merged[user][oldest + chance_below(chance, rules->entry[user] - oldest)];

	rules->entry[user] = back;
	for (unsigned i = back; i <= rules->newest[user]; i++)
		rules->merged[user][i] = back;
}

/* Removed; created again; or in between another user was given the name. */
static void draw_entry(struct rules *rules, uint64_t *chance, unsigned user)
{
	bool was_removed = rules->removed[user];

	rules->removed[user] = chance_below(chance, was_removed ? 2 : 8) == 0;
	if (chance_below(chance, was_removed ? 3 : 24) == 0)
		make_entry(rules, user);
	else if (rules->entry[user] > rules->oldest[user] && chance_below(chance, 4) == 0)
		bring_back(rules, chance, user);
	if (rules->removed[user])
		rules->oldest[user] = (uint8_t)(rules->newest[user] + 1);
}

void rules_draw(struct rules *rules, uint64_t seed, bool actors)
{
	uint64_t chance = seed;

	memset(rules->may, 1, sizeof(rules->may));
	memset(rules->wide, 1, sizeof(rules->wide));
	if (seed == 0)
		return;
	for (unsigned n = (unsigned)chance_below(&chance, 12); n > 0; n--) {
		unsigned user = (unsigned)chance_below(&chance, USERS);
		unsigned root = (unsigned)chance_below(&chance, ROOTS);

		rules->may[user][root][chance_below(&chance, MAYS)] = false;
	}
	if (chance_below(&chance, 4) == 0)
		rules->wide[chance_below(&chance, USERS)] = false;
	if (!actors)
		return;
	for (unsigned user = 0; user < USER_ANONYMOUS; user++) {
		rules->locked[user] = chance_below(&chance, 8) == 0;
		if (chance_below(&chance, 6) == 0)
			rules->password[user]++;
		draw_entry(rules, &chance, user);
	}
	rules->no_anonymous = chance_below(&chance, 8) == 0;
}

unsigned rules_root(const char *topic)
{
	size_t len = strcspn(topic, "/");
	unsigned root = 0;

	while (root < ROOTS &&
	       (strlen(root_names[root]) != len || strncmp(root_names[root], topic, len) != 0))
		root++;
	return root;
}

bool rules_allow(const struct rules *rules, unsigned user, unsigned may, const char *topic)
{
	unsigned root = rules_root(topic);

	if (root == ROOTS)
		return false;
	if (user == USER_ANONYMOUS && root == ROOT_DESIRED &&
	    (may == MAY_PUBLISH || may == MAY_WILL))
		return false; /* S4 */
	return rules->may[user][root][may];
}

bool rules_allow_filter(const struct rules *rules, unsigned user, const char *filter)
{
	if (filter[0] == '+' || filter[0] == '#')
		return rules->wide[user];
	return rules_allow(rules, user, MAY_SUBSCRIBE, filter);
}

bool rules_let_in(const struct rules *rules, unsigned user)
{
	if (user == USER_ANONYMOUS)
		return !rules->no_anonymous;
	return !rules->locked[user] && !rules->removed[user];
}

bool rules_is_back(const struct rules *before, const struct rules *after, unsigned user)
{
	return user != USER_ANONYMOUS && after->entry[user] < before->entry[user];
}

bool rules_is_namesake(const struct rules *before, const struct rules *after, unsigned user)
{
	return user != USER_ANONYMOUS && before->entry[user] != after->entry[user];
}

bool rules_keep_user(const struct rules *before, const struct rules *after, unsigned user)
{
	return rules_let_in(after, user) && !rules_is_namesake(before, after, user) &&
	       (user == USER_ANONYMOUS || before->password[user] == after->password[user]);
}

void rules_password(unsigned user, unsigned which, char out[16])
{
	snprintf(out, 16, "%s%u", user_names[user], which);
}

/* The narrow verb before the wide one: `publish` includes wills, `subscribe` includes receiving. */
static void put_rules(struct buf *out, const struct rules *rules, unsigned user)
{
	static const struct {
		unsigned may;
		const char *word;
	} order[] = {{MAY_WILL, "will"},
	             {MAY_PUBLISH, "publish"},
	             {MAY_RECEIVE, "receive"},
	             {MAY_SUBSCRIBE, "subscribe"}};

	for (unsigned root = 0; root < ROOTS; root++) {
		for (unsigned i = 0; i < MAYS; i++)
			buf_printf(out, "'%s %s %s/#', ",
			           rules->may[user][root][order[i].may] ? "allow" : "deny",
			           order[i].word, root_names[root]);
	}
	buf_printf(out, "'%s subscribe #'", rules->wide[user] ? "allow" : "deny");
}

char *rules_acl(const struct rules *rules)
{
	struct buf out = {0};

	buf_printf(&out, "users:\n  probe: { rules: ['allow all #'] }\n");
	for (unsigned user = 0; user < USERS; user++) {
		buf_printf(&out, user == USER_ANONYMOUS ? "%s: { rules: [" : "  %s: { rules: [",
		           user_names[user]);
		put_rules(&out, rules, user);
		buf_printf(&out, "] }\n");
	}
	buf_put_u8(&out, 0);
	return (char *)out.data;
}

bool rules_has_verifier(unsigned user)
{
	return user != USER_CARL;
}

static void put_user(struct buf *out, const char *name, unsigned id, const char *password,
                     bool verifier)
{
	static const char digest[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
				     "aaaaaaaaaaaaaaaaaaaaaaaaa";

	buf_printf(out, "%s:id=%016x:hash=$6$%s$%s", name, id, password, digest);
	if (!verifier)
		return;
	buf_printf(out, ":scram=");
	scram_peer_verifier(name, password, out);
}

char *rules_users(const struct rules *rules)
{
	struct buf out = {0};
	char password[16];

	put_user(&out, "probe", 1, "probe", true);
	buf_put_u8(&out, '\n');
	for (unsigned user = 0; user < USER_ANONYMOUS; user++) {
		unsigned id = user + 2 + rules->entry[user] * 16u;

		if (rules->removed[user])
			continue;
		rules_password(user, rules->password[user], password);
		put_user(&out, user_names[user], id, password, rules_has_verifier(user));
		if (rules->locked[user])
			buf_printf(&out, ":locked");
		buf_put_u8(&out, '\n');
	}
	buf_put_u8(&out, 0);
	return (char *)out.data;
}
