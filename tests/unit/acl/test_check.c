/* What rules mean and the order in which they decide: every sentence of the manual is a row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ask.h"
#include "base/hash.h"

struct row {
	const char *name;
	const char *policy;
	const char *who;
	const char *what;
	const char *want;
};

static void run(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct acl *acl = policy_of(rows[i].policy, rows[i].who[0] == '-');
		const char *got = policy_ask(acl, rows[i].who, rows[i].what);

		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: %s, not %s", rows[i].name, got, rows[i].want);
		acl_free(acl);
	}
}

#define RUN(rows) run(rows, sizeof(rows) / sizeof((rows)[0]))

static void rule_covers_its_actions_only(void **state)
{
	static const struct row rows[] = {
	    {"nothing is allowed by itself", "{}", "anna", "publish a", "deny none"},
	    {"publish", "allow publish a", "anna", "publish a", "allow 1"},
	    {"publish covers the will", "allow publish a", "anna", "will a", "allow 1"},
	    {"publish is not subscribe", "allow publish a", "anna", "subscribe a", "deny none"},
	    {"publish is not receive", "allow publish a", "anna", "receive a", "deny none"},
	    {"will", "allow will a", "anna", "will a", "allow 1"},
	    {"will is not publish", "allow will a", "anna", "publish a", "deny none"},
	    {"subscribe", "allow subscribe a", "anna", "subscribe a", "allow 1"},
	    {"subscribe covers receive", "allow subscribe a", "anna", "receive a", "allow 1"},
	    {"subscribe is not publish", "allow subscribe a", "anna", "publish a", "deny none"},
	    {"receive", "allow receive a", "anna", "receive a", "allow 1"},
	    {"receive is not subscribe", "allow receive a", "anna", "subscribe a", "deny none"},
	    {"all: publish", "allow all a", "anna", "publish a", "allow 1"},
	    {"all: will", "allow all a", "anna", "will a", "allow 1"},
	    {"all: subscribe", "allow all a", "anna", "subscribe a", "allow 1"},
	    {"all: receive", "allow all a", "anna", "receive a", "allow 1"},
	    {"deny publish denies the will", "deny publish a\nallow all #", "anna", "will a",
	     "deny 1"},
	    {"deny subscribe denies delivery", "deny subscribe a\nallow all #", "anna", "receive a",
	     "deny 1"},
	    {"deny will leaves publish", "deny will a\nallow all #", "anna", "publish a",
	     "allow 2"},
	    {"deny receive leaves subscribe", "deny receive a\nallow all #", "anna", "subscribe a",
	     "allow 2"},
	};

	(void)state;
	RUN(rows);
}

static void rule_covers_topics_of_its_filter(void **state)
{
	static const struct row rows[] = {
	    {"exact", "allow publish a/b", "anna", "publish a/b", "allow 1"},
	    {"longer topic", "allow publish a/b", "anna", "publish a/b/c", "deny none"},
	    {"shorter topic", "allow publish a/b", "anna", "publish a", "deny none"},
	    {"plus is one level", "allow publish a/+", "anna", "publish a/b", "allow 1"},
	    {"plus is an empty level too", "allow publish a/+", "anna", "publish a/", "allow 1"},
	    {"plus is not two", "allow publish a/+", "anna", "publish a/b/c", "deny none"},
	    {"plus is not none", "allow publish a/+", "anna", "publish a", "deny none"},
	    {"hash is the rest", "allow publish a/#", "anna", "publish a/b/c/d", "allow 1"},
	    {"hash is the parent too", "allow publish a/#", "anna", "publish a", "allow 1"},
	    {"hash is not the neighbour", "allow publish a/#", "anna", "publish ab", "deny none"},
	    {"several filters, the first", "allow publish a b/+ c", "anna", "publish a", "allow 1"},
	    {"several filters, the last", "allow publish a b/+ c", "anna", "publish c", "allow 1"},
	    {"several filters, none", "allow publish a b/+ c", "anna", "publish d", "deny none"},
	    {"a filter with a blank", "allow publish 'a b/c'", "anna", "publish a", "deny none"},
	    {"a filter with =", "allow publish 'a=b'", "anna", "publish a=b", "allow 1"},
	    {"a filter named own", "allow publish 'own'", "anna", "publish own", "allow 1"},
	    {"a quote in a filter", "allow publish 'it''s'", "anna", "publish it's", "allow 1"},
	    {"a percent sign", "allow publish 100%%/x", "anna", "publish 100%/x", "allow 1"},
	    {"%% is not a name", "allow publish %%u", "anna", "publish %u", "allow 1"},
	    {"hash does not cover $", "allow all #", "anna", "receive $SYS/x", "deny none"},
	    {"plus does not cover $", "allow all +/x", "anna", "receive $SYS/x", "deny none"},
	    {"a rule that names it does", "allow subscribe $SYS/#", "anna", "receive $SYS/x/y",
	     "allow 1"},
	    {"$ further down is a letter", "allow publish +/+", "anna", "publish a/$b", "allow 1"},
	    {"more levels than any rule", "allow publish a/#", "anna",
	     "publish a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z", "allow 1"},
	    {"a level longer than any in the rules", "allow publish a/+", "anna",
	     "publish a/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "allow 1"},
	    {"the first of many that match", "allow publish a/b\ndeny publish a/+\ndeny publish #",
	     "anna", "publish a/b", "allow 1"},
	    {"order, not precision", "deny publish #\nallow publish a/b", "anna", "publish a/b",
	     "deny 1"},
	    {"the one in the middle", "allow publish x\ndeny publish +/b\nallow publish a/b",
	     "anna", "publish a/b", "deny 2"},
	};

	(void)state;
	RUN(rows);
}

static void names_in_filters_stand_for_the_client(void **state)
{
	static const struct row rows[] = {
	    {"%u is the user name", "allow publish a/%u/#", "anna", "publish a/anna/b", "allow 1"},
	    {"%u is nobody else", "allow publish a/%u/#", "anna", "publish a/bob/b", "deny none"},
	    {"%u is no prefix", "allow publish a/%u", "anna", "publish a/annabel", "deny none"},
	    {"%u in a level", "allow publish a/dev-%u", "anna", "publish a/dev-anna", "allow 1"},
	    {"%u in a level, other", "allow publish a/dev-%u", "anna", "publish a/dev-bob",
	     "deny none"},
	    {"%u before text", "allow publish %u-x/y", "anna", "publish anna-x/y", "allow 1"},
	    {"%c is the client id", "allow publish a/%c", "anna as lamp", "publish a/lamp",
	     "allow 1"},
	    {"%c is not the user", "allow publish a/%c", "anna as lamp", "publish a/anna",
	     "deny none"},
	    {"both", "allow publish %u:%c/x", "anna as lamp", "publish anna:lamp/x", "allow 1"},
	    {"case matters", "allow publish a/%u", "anna", "publish a/Anna", "deny none"},

	    {"anonymous has no %u: allow", "allow publish a/%u", "-", "publish a/x", "deny none"},
	    {"anonymous has no %u: deny", "deny publish a/%u\nallow publish #", "-", "publish a/x",
	     "deny 1"},
	    {"the deny is a plus, no hash", "deny publish a/%u\nallow publish #", "-",
	     "publish a/x/y", "allow 2"},
	    {"a deny in a level", "deny publish a/dev-%u\nallow publish #", "-", "publish a/dev-x",
	     "deny 1"},
	    {"a deny in a level, other text", "deny publish a/dev-%u\nallow publish #", "-",
	     "publish a/x", "allow 2"},
	    {"a leading hole is no $", "deny receive %u/#\nallow receive $SYS/#", "-",
	     "receive $SYS/x", "allow 2"},
	    {"anonymous has a client id", "allow publish a/%c", "- as lamp", "publish a/lamp",
	     "allow 1"},

	    {"client id with /", "allow publish a/%c/#", "anna as b/c", "publish a/b/c/d",
	     "deny none"},
	    {"client id with +", "allow publish a/%c", "anna as +", "publish a/+x", "deny none"},
	    {"client id +, subscribe", "allow subscribe a/%c", "anna as +", "subscribe a/+",
	     "deny none"},
	    {"client id #, subscribe", "allow subscribe a/%c", "anna as #", "subscribe a/#",
	     "deny none"},
	    {"client id with leading $", "allow publish a/%c", "anna as $x", "publish a/$x",
	     "deny none"},
	    {"client id with a control character", "allow publish a/%c", "anna as x\x01",
	     "publish a/x\x01", "deny none"},
	    {"client id with a C1 control", "allow publish a/%c", "anna as x\xc2\x85",
	     "publish a/x\xc2\x85", "deny none"},
	    {"client id with /, deny", "deny publish a/%c\nallow publish #", "anna as b/c",
	     "publish a/zz", "deny 1"},
	    {"client id with +, deny", "deny publish a/x-%c-y\nallow publish #", "anna as +",
	     "publish a/x-zz-y", "deny 1"},
	    {"no client id", "allow publish a/%c", "anna", "publish a/", "deny none"},
	    {"user with leading $, should one ever get in", "roles: {r: [allow publish a/%u]}",
	     "$x with r", "publish a/$x", "deny none"},
	};

	(void)state;
	RUN(rows);
}

static void retain_is_compared(void **state)
{
	static const struct row rows[] = {
	    {"no retain=: any", "allow publish a", "anna", "publish a retain payload=x", "allow 1"},
	    {"retain=no", "allow publish a retain=no", "anna", "publish a", "allow 1"},
	    {"retain=no, retained", "allow publish a retain=no", "anna",
	     "publish a retain payload=x", "deny none"},
	    {"retain=no, delete", "allow publish a retain=no", "anna", "publish a retain",
	     "deny none"},
	    {"retain=only", "allow publish a retain=only", "anna", "publish a retain payload=x",
	     "allow 1"},
	    {"retain=only includes delete", "allow publish a retain=only", "anna",
	     "publish a retain", "allow 1"},
	    {"retain=only, not retained", "allow publish a retain=only", "anna",
	     "publish a payload=x", "deny none"},
	    {"retain=delete", "allow publish a retain=delete", "anna", "publish a retain",
	     "allow 1"},
	    {"retain=delete, with a value", "allow publish a retain=delete", "anna",
	     "publish a retain payload=x", "deny none"},
	    {"retain=delete, not retained", "allow publish a retain=delete", "anna", "publish a",
	     "deny none"},
	    {"retain= on a deny", "deny publish a retain=only\nallow publish a", "anna",
	     "publish a retain", "deny 1"},
	    {"retain= on a deny, passed over", "deny publish a retain=only\nallow publish a",
	     "anna", "publish a", "allow 2"},
	    {"retain= of a will", "allow will a retain=no", "anna", "will a retain payload=x",
	     "deny none"},
	};

	(void)state;
	RUN(rows);
}

static void qos_is_bounded(void **state)
{
	static const struct row rows[] = {
	    {"qos<=1 at 0", "allow publish a qos<=1", "anna", "publish a qos=0", "allow 1"},
	    {"qos<=1 at 1", "allow publish a qos<=1", "anna", "publish a qos=1", "allow 1"},
	    {"qos<=1 at 2: no downgrade", "allow publish a qos<=1", "anna", "publish a qos=2",
	     "deny none"},
	    {"qos<=0 at 1", "allow publish a qos<=0", "anna", "publish a qos=1", "deny none"},
	};

	(void)state;
	RUN(rows);
}

static void own_topics_are_those_of_the_retained_value(void **state)
{
	static const struct row rows[] = {
	    {"own, free", "allow publish a own", "anna", "publish a retain payload=x",
	     "allow 1 own"},
	    {"own, not retained", "allow publish a own", "anna", "publish a", "allow 1 own"},
	    {"own, somebody else's", "allow publish a own", "anna",
	     "publish a retain payload=x owned", "deny none"},
	    {"own, somebody else's, not retained", "allow publish a own", "anna", "publish a owned",
	     "deny none"},
	    {"own, the next rule", "allow publish a own\nallow publish a retain=delete", "anna",
	     "publish a retain owned", "allow 2"},
	    {"a rule without own makes no owner", "allow publish a\nallow publish a own", "anna",
	     "publish a retain payload=x", "allow 1"},
	};

	(void)state;
	RUN(rows);
}

static void payload_size_is_bounded(void **state)
{
	static const struct row rows[] = {
	    {"max=2 with two", "allow publish a max=2", "anna", "publish a payload=xx", "allow 1"},
	    {"max=2 with three", "allow publish a max=2", "anna", "publish a payload=xxx",
	     "deny none"},
	    {"max=0 with none", "allow publish a max=0", "anna", "publish a", "allow 1"},
	    {"max=1k", "allow publish a max=1k", "anna", "publish a payload=xxx", "allow 1"},
	};

	(void)state;
	RUN(rows);
}

static void payload_is_compared(void **state)
{
	static const struct row rows[] = {
	    {"payload, whole", "allow publish a payload=on", "anna", "publish a payload=on",
	     "allow 1"},
	    {"payload, longer", "allow publish a payload=on", "anna", "publish a payload=one",
	     "deny none"},
	    {"payload, shorter", "allow publish a payload=on", "anna", "publish a payload=o",
	     "deny none"},
	    {"payload, one of several", "allow publish a payload=on,off", "anna",
	     "publish a payload=off", "allow 1"},
	    {"payload, any rest", "allow publish a payload=on*", "anna", "publish a payload=one",
	     "allow 1"},
	    {"payload, empty rest", "allow publish a payload=on*", "anna", "publish a payload=on",
	     "allow 1"},
	    {"payload, a star inside is a star", "allow publish a payload=o*n", "anna",
	     "publish a payload=oxn", "deny none"},
	    {"payload, a star inside", "allow publish a payload=o*n", "anna",
	     "publish a payload=o*n", "allow 1"},
	    {"payload with %u", "allow publish a payload=%u/*", "anna", "publish a payload=anna/x",
	     "allow 1"},
	    {"payload with %c", "allow publish a payload=%c", "anna as b/c",
	     "publish a payload=b/c", "allow 1"},
	    {"payload: a star in the client id is no wildcard", "allow publish a payload=%c",
	     "anna as x*", "publish a payload=xyz", "deny none"},
	    {"payload: only the rule's star", "allow publish a payload=%c", "anna as x*",
	     "publish a payload=x*", "allow 1"},
	    {"payload with %%", "allow publish a payload=50%%", "anna", "publish a payload=50%",
	     "allow 1"},
	    {"payload with =", "allow publish a payload=a=b", "anna", "publish a payload=a=b",
	     "allow 1"},
	    {"payload on a deny", "deny publish a payload=off\nallow publish a", "anna",
	     "publish a payload=off", "deny 1"},
	    {"payload with %u, anonymous: allow", "allow publish a payload=%u*", "-",
	     "publish a payload=x", "deny none"},
	    {"payload with %u, anonymous: deny", "deny publish a payload=%u/x\nallow publish a",
	     "-", "publish a payload=q/x", "deny 1"},
	    {"payload with %u, anonymous: deny, other",
	     "deny publish a payload=%u/x\nallow publish a", "-", "publish a payload=q/y",
	     "allow 2"},
	};

	(void)state;
	RUN(rows);
}

static void rule_with_conditions_needs_all_of_them(void **state)
{
	static const struct row rows[] = {
	    {"several conditions, all hold", "allow publish a retain=no qos<=1 payload=x max=1",
	     "anna", "publish a qos=1 payload=x", "allow 1"},
	    {"several conditions, one fails", "allow publish a retain=no qos<=1 payload=x max=1",
	     "anna", "publish a qos=2 payload=x", "deny none"},
	};

	(void)state;
	RUN(rows);
}

#define ROLES                                                                                      \
	"roles:\n"                                                                                 \
	"  provider:\n"                                                                            \
	"    - allow publish current/%u/#\n"                                                       \
	"    - deny publish desired/#\n"                                                           \
	"    - deny subscribe current/#\n"                                                         \
	"  actor:\n"                                                                               \
	"    - allow subscribe current/#\n"                                                        \
	"    - allow publish desired/+/#\n"                                                        \
	"    - deny publish current/anna/locked\n"                                                 \
	"users:\n"                                                                                 \
	"  anna:\n"                                                                                \
	"    roles: [actor]\n"                                                                     \
	"    rules:\n"                                                                             \
	"      - deny publish desired/door/#\n"                                                    \
	"      - allow publish weather\n"                                                          \
	"  porch: { roles: [provider, missing] }\n"                                                \
	"anonymous:\n"                                                                             \
	"  roles: [actor]\n"                                                                       \
	"  rules:\n"                                                                               \
	"    - deny receive current/secret\n"

static void own_rules_come_first_then_any_role(void **state)
{
	static const struct row rows[] = {
	    {"own rule", ROLES, "anna", "publish weather", "allow 15"},
	    {"own rules come before roles", ROLES, "anna", "publish desired/door/x", "deny 14"},
	    {"then roles", ROLES, "anna", "publish desired/lamp/x", "allow 8"},
	    {"no role has an answer", ROLES, "anna", "publish other", "deny none"},
	    {"roles of the password file", ROLES, "bob with provider", "publish current/bob/x",
	     "allow 3"},
	    {"without them nothing", ROLES, "bob", "publish current/bob/x", "deny none"},
	    {"users: adds to them", ROLES, "anna with provider", "publish current/anna/x",
	     "allow 3"},
	    {"a role's first match is its answer", ROLES, "bob with provider",
	     "publish desired/x/y", "deny 4"},
	    {"one role that allows is enough", ROLES, "bob with provider,actor",
	     "publish desired/x/y", "allow 8"},
	    {"in the other order too", ROLES, "bob with actor,provider", "publish desired/x/y",
	     "allow 8"},
	    {"a deny of one role against another", ROLES, "bob with provider,actor",
	     "subscribe current/#", "allow 7"},
	    {"all deny: the first role's rule", ROLES, "anna with provider", "publish desired",
	     "deny 4"},
	    {"one denies, the others have nothing", ROLES, "bob with actor,provider",
	     "publish desired", "deny 4"},
	    {"the same role twice", ROLES, "anna with actor", "receive current/x", "allow 7"},
	    {"a role that is not defined gives nothing", ROLES, "porch with nobody",
	     "receive current/x", "deny 5"},
	    {"no role name is special", "roles: {admin: [], root: []}", "bob with admin,root",
	     "publish a", "deny none"},
	    {"anonymous has roles", ROLES, "-", "receive current/x", "allow 7"},
	    {"anonymous has rules", ROLES, "-", "receive current/secret", "deny 20"},
	    {"a user is not anonymous", ROLES, "bob", "receive current/x", "deny none"},
	    {"anonymous is not a user's name", ROLES, "anonymous", "receive current/x",
	     "deny none"},
	    {"anonymous takes no roles of others", ROLES, "- with provider", "publish current//x",
	     "deny none"},
	};

	(void)state;
	RUN(rows);
}

#define WRITER "anonymous: {rules: [\"allow all #\"]}\n"

static void guards_deny_before_all_rules(void **state)
{
	static const struct row rows[] = {
	    {"anonymous, desired", "allow all #", "-", "publish desired/a/b", "deny desired"},
	    {"anonymous, desired itself", "allow all #", "-", "publish desired", "deny desired"},
	    {"anonymous, a tenant's desired", "allow all #", "-", "publish x/desired/a",
	     "deny desired"},
	    {"anonymous, desired deeper", "allow all #", "-", "publish x/y/desired", "allow 1"},
	    {"anonymous, will", "allow all #", "-", "will desired/a", "deny desired"},
	    {"anonymous, retained", "allow all #", "-", "publish desired/a retain payload=x",
	     "deny desired"},
	    {"anonymous, delete", "allow all #", "-", "publish desired/a retain", "deny desired"},
	    {"a rule that names it is no help", "allow publish desired/lamp", "-",
	     "publish desired/lamp", "deny desired"},
	    {"anonymous may read it", "allow all #", "-", "receive desired/a", "allow 1"},
	    {"anonymous may subscribe it", "allow all #", "-", "subscribe desired/#", "allow 1"},
	    {"assumed, desired", "allow all #", "~anna", "publish desired/a", "deny desired"},
	    {"assumed, will", "allow all #", "~anna", "will desired/a", "deny desired"},
	    {"assumed, its own rules", "allow all #", "~anna", "publish a", "allow 1"},
	    {"assumed may read it", "allow all #", "~anna", "receive desired/a", "allow 1"},
	    {"users are not guarded", "allow all #", "anna", "publish desired/a", "allow 1"},
	    {"desired_topics changed", "desired_topics: [set/#]\n" WRITER, "-", "publish set/a",
	     "deny desired"},
	    {"desired_topics changed: the old ones", "desired_topics: [set/#]\n" WRITER, "-",
	     "publish desired/a", "allow 2"},

	    {"nobody publishes to $", "allow all $SYS/#", "anna", "publish $SYS/x", "deny system"},
	    {"nobody wills to $", "allow all $SYS/#", "anna", "will $SYS/x", "deny system"},
	    {"any $", "allow all $x/#", "anna", "publish $x", "deny system"},
	    {"anonymous neither", "allow all $x/#", "-", "publish $x", "deny system"},
	    {"$SYS is read where a rule names it", "allow all $SYS/#", "anna", "receive $SYS/x",
	     "allow 1"},
	    {"$SYS is subscribed where a rule names it", "allow all $SYS/#", "anna",
	     "subscribe $SYS/broker/#", "allow 1"},
	    {"bridge", "allow publish $SYS/broker/connection/%u/state", "anna",
	     "publish $SYS/broker/connection/anna/state", "allow 1"},
	    {"bridge, will", "allow publish $SYS/broker/connection/#", "anna",
	     "will $SYS/broker/connection/anna/state", "allow 1"},
	    {"bridge, another's", "allow publish $SYS/broker/connection/%u/state", "anna",
	     "publish $SYS/broker/connection/bob/state", "deny bridge"},
	    {"bridge, not named", "allow publish $SYS/#", "anna",
	     "publish $SYS/broker/connection/anna/state", "deny bridge"},
	    {"bridge, not quite named", "allow publish $SYS/broker/+/#", "anna",
	     "publish $SYS/broker/connection/anna/state", "deny bridge"},
	    {"bridge, the place itself", "allow publish $SYS/broker/connection/#", "anna",
	     "publish $SYS/broker/connection", "deny system"},
	    {"bridge, a rule not named does not hide the next",
	     "allow publish $SYS/#\ndeny publish $SYS/broker/connection/#", "anna",
	     "publish $SYS/broker/connection/anna/state", "deny 2"},
	    {"control", "allow publish $CONTROL/vakt/v1/status", "anna",
	     "publish $CONTROL/vakt/v1/status", "allow 1"},
	    {"control, all of it", "allow all $CONTROL/vakt/#", "anna",
	     "publish $CONTROL/vakt/v1/kick", "allow 1"},
	    {"control, another command", "allow publish $CONTROL/vakt/v1/status", "anna",
	     "publish $CONTROL/vakt/v1/kick", "deny control"},
	    {"control, not named", "allow all $CONTROL/#", "anna",
	     "publish $CONTROL/vakt/v1/status", "deny control"},
	    {"control, not quite named", "allow all $CONTROL/+/v1/status", "anna",
	     "publish $CONTROL/vakt/v1/status", "deny control"},
	    {"control, a rule not named does not hide the next",
	     "allow all # $CONTROL/#\nallow all $CONTROL/vakt/v1/status", "anna",
	     "publish $CONTROL/vakt/v1/status", "allow 2"},
	    {"control, a deny need not name it",
	     "deny publish $CONTROL/#\nallow all $CONTROL/vakt/#", "anna",
	     "publish $CONTROL/vakt/v1/status", "deny 1"},
	    {"control, never without a login", "allow all $CONTROL/vakt/#", "-",
	     "publish $CONTROL/vakt/v1/status", "deny login"},
	    {"control, no will", "allow all $CONTROL/vakt/#", "anna",
	     "will $CONTROL/vakt/v1/status", "deny system"},
	    {"control of another broker", "allow all $CONTROL/#", "anna",
	     "publish $CONTROL/dynamic-security/v1", "deny system"},
	    {"control, a bridge's rule", "allow all $SYS/broker/connection/#", "anna",
	     "publish $CONTROL/vakt/v1/status", "deny control"},
	    {"bridge, a deny need not name it",
	     "deny publish $SYS/#\nallow publish $SYS/broker/connection/#", "anna",
	     "publish $SYS/broker/connection/anna/state", "deny 1"},
	};

	(void)state;
	RUN(rows);
}

static const struct row subscribe_rows[] = {
    {"the same filter", "allow subscribe a/+", "anna", "subscribe a/+", "allow 1"},
    {"a narrower one", "allow subscribe a/#", "anna", "subscribe a/+/b", "allow 1"},
    {"a topic", "allow subscribe a/#", "anna", "subscribe a/b", "allow 1"},
    {"a wider one", "allow subscribe a/b", "anna", "subscribe a/+", "deny none"},
    {"everything", "allow subscribe a/#", "anna", "subscribe #", "deny none"},
    {"covered by no single filter", "allow subscribe a/+ a/+/#", "anna", "subscribe a/#",
     "deny none"},
    {"deny covers", "deny subscribe a/#\nallow subscribe #", "anna", "subscribe a/b", "deny 1"},
    {"deny that only overlaps is passed over", "deny subscribe a/b\nallow subscribe a/#", "anna",
     "subscribe a/+", "allow 2"},
    {"the first that covers decides", "allow subscribe a/b\ndeny subscribe a/#", "anna",
     "subscribe a/b", "allow 1"},
    {"%u", "allow subscribe a/%u/#", "anna", "subscribe a/anna/+", "allow 1"},
    {"%u, wider", "allow subscribe a/%u/#", "anna", "subscribe a/+/x", "deny none"},
    {"# is not $", "allow subscribe #", "anna", "subscribe $SYS/#", "deny none"},
    {"# covers #", "allow subscribe #", "anna", "subscribe #", "allow 1"},
    {"no %u: deny is a plus", "deny subscribe a/%u\nallow subscribe #", "-", "subscribe a/+",
     "deny 1"},
    {"no %u: allow is nothing", "allow subscribe a/%u", "-", "subscribe a/x", "deny none"},
    {"no %c inside a level: deny", "deny subscribe a/x%c\nallow subscribe #", "anna as +",
     "subscribe a/xy", "deny 1"},
    {"no %c inside a level: deny, wider", "deny subscribe a/x%c\nallow subscribe #", "anna as +",
     "subscribe a/+", "allow 2"},
};

static void subscription_needs_a_rule_that_covers_it(void **state)
{
	(void)state;
	RUN(subscribe_rows);
}

static void partial_subscription_needs_a_rule_that_overlaps(void **state)
{
	static const struct row rows[] = {
	    {"an allow that overlaps decides", "allow subscribe a/b\ndeny subscribe #", "anna",
	     "subscribe #", "allow 1"},
	    {"a deny that overlaps does not", "deny subscribe a/b\nallow subscribe a/c", "anna",
	     "subscribe a/+", "allow 2"},
	    {"a deny that covers does", "deny subscribe #\nallow subscribe a", "anna",
	     "subscribe a", "deny 1"},
	    {"nothing in common", "allow subscribe a/b", "anna", "subscribe b/#", "deny none"},
	    {"$ and wildcards have nothing in common", "allow subscribe $SYS/#", "anna",
	     "subscribe #", "deny none"},
	    {"%u overlaps", "allow subscribe a/%u", "anna", "subscribe a/+", "allow 1"},
	    {"no %u, no overlap", "allow subscribe a/%u", "-", "subscribe a/+", "deny none"},
	    {"receive is not subscribe", "allow receive a", "anna", "subscribe #", "deny none"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct acl *acl = policy_of_partial(rows[i].policy, rows[i].who[0] == '-');
		const char *got = policy_ask(acl, rows[i].who, rows[i].what);

		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: %s, not %s", rows[i].name, got, rows[i].want);
		acl_free(acl);
	}
}

/* A user's word first, then any role that says filter, then the listener, then broker.yaml. */
static void nearest_word_on_partial_subscriptions_decides(void **state)
{
#define POLICY(own, one, two)                                                                      \
	"roles:\n"                                                                                 \
	"  one: {" one "rules: [allow subscribe a/b]}\n"                                           \
	"  two: {" two "rules: []}\n"                                                              \
	"users:\n"                                                                                 \
	"  anna: {" own "roles: [one, two]}\n"                                                     \
	"anonymous: {" own "roles: [one]}\n"
#define FILTER "partial_subscriptions: filter, "
#define REFUSE "partial_subscriptions: refuse, "
	static const struct {
		const char *name, *policy, *who, *what;
		bool global, want;
	} rows[] = {
	    {"nobody says anything", POLICY("", "", ""), "anna", "subscribe #", false, false},
	    {"broker.yaml", POLICY("", "", ""), "anna", "subscribe #", true, true},
	    {"listener", POLICY("", "", ""), "anna", "subscribe # filter", false, true},
	    {"listener before broker.yaml", POLICY("", "", ""), "anna", "subscribe # refuse", true,
	     false},
	    {"first role", POLICY("", FILTER, ""), "anna", "subscribe #", false, true},
	    {"second role", POLICY("", "", FILTER), "anna", "subscribe #", false, true},
	    {"role before listener", POLICY("", "", FILTER), "anna", "subscribe # refuse", false,
	     true},
	    {"role of the password file", POLICY("", FILTER, ""), "bert with one",
	     "subscribe # refuse", false, true},
	    {"role that the client does not have", POLICY("", FILTER, ""), "bert with two",
	     "subscribe #", false, false},
	    {"user", POLICY(FILTER, "", ""), "anna", "subscribe # refuse", false, true},
	    {"user before role", POLICY(REFUSE, FILTER, FILTER), "anna", "subscribe # filter", true,
	     false},
	    {"another user", POLICY(FILTER, "", ""), "bert with one", "subscribe #", false, false},
	    {"anonymous", POLICY(FILTER, "", ""), "-", "subscribe #", false, true},
	    {"anonymous before role", POLICY(REFUSE, FILTER, ""), "-", "subscribe #", true, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct acl *acl = rows[i].global ? policy_of_partial(rows[i].policy, false)
		                                 : policy_of(rows[i].policy, false);
		bool got = strncmp(policy_ask(acl, rows[i].who, rows[i].what), "allow", 5) == 0;

		if (got != rows[i].want)
			fail_msg("%s", rows[i].name);
		acl_free(acl);
	}
#undef POLICY
#undef FILTER
#undef REFUSE
}

/* Whoever is said to be alike gets the same answers; two sessions of one user are, without %c. */
static void subjects_with_the_same_rules_read_alike(void **state)
{
	static char provider_name[] = "provider", actor_name[] = "actor";
	static char *provider[] = {provider_name}, *both[] = {provider_name, actor_name};
	static const struct {
		const char *name, *rules;
		struct acl_who a, b;
		bool want;
	} rows[] = {
	    {"the same user",
	     "allow subscribe a/%u/#",
	     {.user = SLICE_INIT("anna"), .client_id = SLICE_INIT("x")},
	     {.user = SLICE_INIT("anna"), .client_id = SLICE_INIT("y")},
	     true},
	    {"%c for reading",
	     "allow subscribe a/%c/#",
	     {.user = SLICE_INIT("anna"), .client_id = SLICE_INIT("x")},
	     {.user = SLICE_INIT("anna"), .client_id = SLICE_INIT("y")},
	     false},
	    {"%c in the middle of a level, for both",
	     "allow all a/dev-%c",
	     {.user = SLICE_INIT("anna"), .client_id = SLICE_INIT("x")},
	     {.user = SLICE_INIT("anna"), .client_id = SLICE_INIT("y")},
	     false},
	    {"%c for writing only",
	     "allow publish a/%c/#",
	     {.user = SLICE_INIT("anna"), .client_id = SLICE_INIT("x")},
	     {.user = SLICE_INIT("anna"), .client_id = SLICE_INIT("y")},
	     true},
	    {"another user",
	     "allow subscribe a/%u/#",
	     {.user = SLICE_INIT("anna")},
	     {.user = SLICE_INIT("bert")},
	     false},
	    {"another user with the same roles",
	     "roles:\n  provider: ['allow subscribe a/%u']\n",
	     {.user = SLICE_INIT("carl"), .roles = provider, .role_count = 1},
	     {.user = SLICE_INIT("bert"), .roles = provider, .role_count = 1},
	     false},
	    {"one role more",
	     "roles:\n  provider: ['allow subscribe a']\n  actor: ['allow subscribe b']\n",
	     {.user = SLICE_INIT("carl"), .roles = provider, .role_count = 1},
	     {.user = SLICE_INIT("carl"), .roles = both, .role_count = 2},
	     false},
	    {"%c in a role",
	     "roles:\n  provider: ['allow receive %c/a']\n",
	     {.user = SLICE_INIT("carl"), .roles = provider, .role_count = 1},
	     {.user = SLICE_INIT("carl"), .roles = provider, .role_count = 1},
	     false},
	    {"anonymous and not",
	     "allow subscribe a",
	     {.user = SLICE_INIT("carl")},
	     {.anonymous = true},
	     false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct acl *acl = policy_of(rows[i].rules, false);
		struct acl_subject *a = acl_subject_new(acl, &rows[i].a);
		struct acl_subject *b = acl_subject_new(acl, &rows[i].b);

		if (acl_reads_alike(a, b) != rows[i].want || acl_reads_alike(b, a) != rows[i].want)
			fail_msg("%s", rows[i].name);
		assert_true(acl_reads_alike(a, a));
		acl_subject_free(a);
		acl_subject_free(b);
		acl_free(acl);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rule_covers_its_actions_only),
	    cmocka_unit_test(rule_covers_topics_of_its_filter),
	    cmocka_unit_test(names_in_filters_stand_for_the_client),
	    cmocka_unit_test(retain_is_compared),
	    cmocka_unit_test(qos_is_bounded),
	    cmocka_unit_test(own_topics_are_those_of_the_retained_value),
	    cmocka_unit_test(payload_size_is_bounded),
	    cmocka_unit_test(payload_is_compared),
	    cmocka_unit_test(rule_with_conditions_needs_all_of_them),
	    cmocka_unit_test(own_rules_come_first_then_any_role),
	    cmocka_unit_test(guards_deny_before_all_rules),
	    cmocka_unit_test(subscription_needs_a_rule_that_covers_it),
	    cmocka_unit_test(partial_subscription_needs_a_rule_that_overlaps),
	    cmocka_unit_test(nearest_word_on_partial_subscriptions_decides),
	    cmocka_unit_test(subjects_with_the_same_rules_read_alike),
	};

	hash_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
